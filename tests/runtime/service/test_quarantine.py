"""Quarantine of an asset that floods: with exponential backoff, and ended when the flood is over."""

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


class Flooded:
    """A quarantine whose clock is in the test's hands."""

    def __init__(self, *names: str) -> None:
        self.said: list[tuple[float, str, bool]] = []
        self.now_s, self.worked = 0.0, 0
        self.quarantine = Quarantine(InputTopic("p/{asset}"), names)

    def pass_by(
        self, seconds: float, refused_hz: float, asset: str = "wild", used_hz: float = 0.0, caught_up: bool = True
    ) -> None:
        for _ in range(round(seconds / LOOK_S)):
            for _ in range(round(refused_hz * LOOK_S)):
                self.quarantine.refused(asset)
            self.worked += round((refused_hz + used_hz) * LOOK_S)
            self.now_s += LOOK_S
            changes = self.quarantine.tick(self.now_s, self.worked, caught_up=caught_up)
            self.said += [(self.now_s, topic, heard) for topic, heard in changes]


def test_quarantine_doubles_with_each_flood() -> None:
    flooded = Flooded("wild", "calm")
    flooded.pass_by(2 * LONGEST_S, MOST_HZ + 1)
    ends = [at_s for at_s, _, heard in flooded.said if not heard]
    begins = [at_s for at_s, _, heard in flooded.said if heard]
    assert ends[0] == 2 * LOOK_S
    holds = [begin - end for end, begin in zip(ends, begins, strict=False)]
    assert holds == [HOLD_S * 2**times for times in range(5)][: len(holds)]
    assert len(holds) >= 4
    assert {topic for _, topic, _ in flooded.said} == {"p/wild"}
    assert len(flooded.quarantine) == len(ends) - len(begins)


def test_overloaded_service_isolates_an_asset_at_a_lower_rate() -> None:
    flooded = Flooded("wild")
    flooded.pass_by(10 * LOOK_S, 5 * LEAST_HZ)
    assert not flooded.said, "nothing waits: nobody is hindered"
    flooded.pass_by(10 * LOOK_S, 5 * LEAST_HZ, used_hz=6 * LEAST_HZ, caught_up=False)
    assert not flooded.said, "most of the work is of use"
    flooded.pass_by(10 * LOOK_S, 0.9 * LEAST_HZ, caught_up=False)
    assert not flooded.said, "few messages hinder nobody, whatever else does"
    flooded.pass_by(3 * LOOK_S, 5 * LEAST_HZ, used_hz=LEAST_HZ, caught_up=False)
    assert flooded.said == [(32 * LOOK_S, "p/wild", False)]


def test_quarantine_starts_over_after_a_calm_period() -> None:
    flooded = Flooded("wild")
    flooded.pass_by(2, 2 * MOST_HZ)
    flooded.pass_by(HOLD_S + 2 * LONGEST_S, 0)
    flooded.pass_by(2, 2 * MOST_HZ)
    flooded.pass_by(HOLD_S + 1, 0)
    assert [heard for _, _, heard in flooded.said] == [False, True, False, True]
    assert flooded.said[3][0] - flooded.said[2][0] == HOLD_S


def test_few_refusals_and_assets_of_patterns_cause_no_quarantine() -> None:
    few, pattern = Flooded("wild"), Flooded("wild", "pump-*")
    few.pass_by(60, MOST_HZ)
    for _ in range(10):
        few.pass_by(1, 10 * MOST_HZ)  # what a backlog without times may be
        few.pass_by(1, 0)
    pattern.pass_by(60, 10 * MOST_HZ)
    assert few.said == pattern.said == []


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


def test_quarantine_ends_the_subscription_for_a_while(own_broker: Mosquitto, tmp_path: Path) -> None:
    """Also where the connection is lost in between, and the broker has forgotten the session."""
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
            wait_until(lambda: quarantined() == 0, "listened to again")
            for second in range(200):
                peer.publish("loud/wild", {"ts": 1_700_000_000 + second, "v": {NAME: 1.0}})
                peer.listen(0.1)
                if payloads(peer.messages, "wild", "score"):
                    break
            assert payloads(peer.messages, "wild", "score")
            peer.publish("loud/calm", {"ts": 1_700_000_001, "v": {NAME: 1.0}})
            peer.scores("calm", 1)
