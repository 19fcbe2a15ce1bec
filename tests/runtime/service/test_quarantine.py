"""Quarantine of an asset that floods: exponential backoff, and an end when the flood is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.detectors import tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, wait_until
from tests.support.service import configure, wait_online
from vcedge.config.runtime import load_runtime_config
from vcedge.runtime.assets.recipes import load_recipes
from vcedge.runtime.monitoring.status_socket import ask_service
from vcedge.runtime.service.compose import compose
from vcedge.runtime.service.quarantine import FloodRule, Quarantine
from vcedge.topics import InputTopic

pytestmark = pytest.mark.slow

NAME = tiny_detector().schema.names[0]
RULE = FloodRule()
LOOK_S, HOLD_S, LONGEST_S = RULE.interval_s, RULE.first_hold_s, RULE.longest_hold_s
MOST_HZ, LEAST_HZ = RULE.most_hz, RULE.overload_hz


class FloodedQuarantine:
    """Drives a quarantine with a simulated clock."""

    def __init__(self, *names: str) -> None:
        self.changes: list[tuple[float, str, bool]] = []
        self.now_s, self.worked = 0.0, 0
        self.quarantine = Quarantine(InputTopic("p/{asset}"), names)

    def advance(
        self, seconds: float, refused_hz: float, asset: str = "wild", used_hz: float = 0.0, *, caught_up: bool = True
    ) -> None:
        for _ in range(round(seconds / LOOK_S)):
            for _ in range(round(refused_hz * LOOK_S)):
                self.quarantine.refused(asset)
            self.worked += round((refused_hz + used_hz) * LOOK_S)
            self.now_s += LOOK_S
            found = self.quarantine.tick(self.now_s, self.worked, caught_up=caught_up)
            self.changes += [(self.now_s, topic, subscribed) for topic, subscribed in found]


def test_quarantine_doubles_with_each_flood_of_an_asset() -> None:
    flooded = FloodedQuarantine("wild", "calm")
    flooded.advance(2 * LONGEST_S, MOST_HZ + 1)
    ends = [at_s for at_s, _, subscribed in flooded.changes if not subscribed]
    begins = [at_s for at_s, _, subscribed in flooded.changes if subscribed]
    assert ends[0] == 2 * LOOK_S
    holds = [begin - end for end, begin in zip(ends, begins, strict=False)]
    assert holds == [HOLD_S * 2**times for times in range(5)][: len(holds)]
    assert len(holds) >= 4
    assert {topic for _, topic, _ in flooded.changes} == {"p/wild"}
    assert len(flooded.quarantine) == len(ends) - len(begins)


def test_overloaded_service_quarantines_at_a_lower_rate() -> None:
    flooded = FloodedQuarantine("wild")
    flooded.advance(10 * LOOK_S, 5 * LEAST_HZ)
    assert not flooded.changes, "nothing waits: no other asset is delayed"
    flooded.advance(10 * LOOK_S, 5 * LEAST_HZ, used_hz=6 * LEAST_HZ, caught_up=False)
    assert not flooded.changes, "most of the work is useful"
    flooded.advance(10 * LOOK_S, 0.9 * LEAST_HZ, caught_up=False)
    assert not flooded.changes, "a few messages delay no other asset"
    flooded.advance(3 * LOOK_S, 5 * LEAST_HZ, used_hz=LEAST_HZ, caught_up=False)
    assert flooded.changes == [(32 * LOOK_S, "p/wild", False)]


def test_quarantine_starts_over_after_a_calm_period() -> None:
    flooded = FloodedQuarantine("wild")
    flooded.advance(2, 2 * MOST_HZ)
    flooded.advance(HOLD_S + 2 * LONGEST_S, 0)
    flooded.advance(2, 2 * MOST_HZ)
    flooded.advance(HOLD_S + 1, 0)
    assert [subscribed for _, _, subscribed in flooded.changes] == [False, True, False, True]
    assert flooded.changes[3][0] - flooded.changes[2][0] == HOLD_S


def test_few_refusals_and_assets_of_patterns_cause_no_quarantine() -> None:
    few, pattern = FloodedQuarantine("wild"), FloodedQuarantine("wild", "pump-*")
    few.advance(60, MOST_HZ)
    for _ in range(10):
        few.advance(1, 10 * MOST_HZ)  # as a backlog without times may look
        few.advance(1, 0)
    pattern.advance(60, 10 * MOST_HZ)
    assert few.changes == pattern.changes == []


@contextmanager
def served(path: Path) -> Iterator[None]:
    config = load_runtime_config(path, {})
    service, stop = compose(config, load_recipes(config)), threading.Event()
    service.quarantine.rule = FloodRule(most_hz=50.0, interval_s=0.1, first_hold_s=2.0)
    thread = threading.Thread(target=service.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def test_quarantine_unsubscribes_and_subscribes_again(own_broker: Mosquitto, tmp_path: Path) -> None:
    """The connection is lost in between, and the broker has forgotten the session."""
    assets = {name: {"model": "model.vcedge"} for name in ("calm", "wild")}
    config = configure(tmp_path, "loud", own_broker.url, assets=assets)

    def quarantined() -> int:
        return int(ask_service(tmp_path / "state")["numbers"]["quarantined_assets"])

    own_broker.start()
    with served(config):
        with Peer(own_broker.url, "vcedge/loud/#") as peer:
            wait_online(peer, "loud")
            for number in range(20_000):
                peer.publish("loud/wild", f"nonsense {number}")
                if number % 100 == 0 and quarantined():
                    break
            assert quarantined() == 1
            peer.publish("loud/calm", {"ts": 1_700_000_000, "v": {NAME: 1.0}})
            peer.scores("calm", 1)
        own_broker.kill()
        own_broker.start()
        with Peer(own_broker.url, "vcedge/loud/#") as peer:
            wait_online(peer, "loud")
            wait_until(lambda: quarantined() == 0, "the end of the quarantine")
            for second in range(200):
                peer.publish("loud/wild", {"ts": 1_700_000_000 + second, "v": {NAME: 1.0}})
                peer.listen(0.1)
                if payloads(peer.messages, "wild", "score"):
                    break
            assert payloads(peer.messages, "wild", "score")
            peer.publish("loud/calm", {"ts": 1_700_000_001, "v": {NAME: 1.0}})
            peer.scores("calm", 1)
