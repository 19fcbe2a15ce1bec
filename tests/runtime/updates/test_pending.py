"""Updates at a real broker: takeover, refusal and rollback."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jsonschema import Draft202012Validator

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, last, payloads, running, wait_until
from tests.support.service import configure, publish, wait_online
from vcedge import model_file, signature
from vcedge.detector import Detector
from vcedge.runtime.storage.model_store import ModelStore
from vcedge.runtime.updates.pending import BURST, PAUSE_S, PendingUpdate, PendingUpdates
from vcedge.schema import Sample

pytestmark = pytest.mark.slow

SCHEMAS = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas"
CHECKS = {
    kind: Draft202012Validator(json.loads((SCHEMAS / f"{kind}.json").read_text()))
    for kind in ("model_state", "stage_state", "shadow", "event")
}
SHADOW, PROBATION = 60, 120
WARMUP = tiny_detector().calibration.warmup_rows


def with_threshold(factor: float, seed: int = 0) -> Detector:
    """Return the test model, or another one, with a threshold this many times as high."""
    detector = tiny_detector(seed=seed)
    calibration = detector.calibration
    return replace(detector, calibration=replace(calibration, threshold=factor * calibration.threshold))


IN_CHARGE = with_threshold(1000.0)
GOOD = with_threshold(1000.5)
ALARMING = with_threshold(1e-4)
ALARMING = replace(ALARMING, calibration=replace(ALARMING.calibration, lasting=-1000.0))
"""Alarms on every row: any evidence that lasts is enough."""


class Device:
    """Holds the files of a service whose model can be updated, and the key that signs updates."""

    def __init__(self, folder: Path, node: str, url: str, **update: Any) -> None:
        self.node, self.topic = node, f"vcedge/{node}/{node}"
        public = signature.create_key(folder / "plant.key")
        self._key = signature.load_private_key(folder / "plant.key")
        self.store = ModelStore(folder / "state" / "models", node)
        self.store.switch(self.store.add(model_file.dumps(IN_CHARGE)))
        self.before = self.store.current
        section = {"key": public.name, "shadow_ticks": SHADOW, "probation_ticks": PROBATION, **update}
        # With thresholds so far apart, raw less threshold says nothing.
        section.setdefault("max_excess_nats", 1e12)
        assets = {node: {"model": f"state/models/{node}/current"}}
        self.config = configure(folder, node, url, assets=assets, update=section)
        self.inbox = folder / "state" / "updates"
        self._rows = iter(samples(recording(5, 5000, 3)))

    def signed(self, detector: Detector, serial: int, key: Ed25519PrivateKey | None = None) -> bytes:
        data = model_file.dumps(detector)
        channels = signature.channels_of(detector.schema)
        statement = signature.Statement(model_file.model_id(data), detector.asset, channels, serial)
        return signature.sign(statement, key or self._key) + data

    def rows(self, count: int) -> list[Sample]:
        """Return the next rows of the recording."""
        return [next(self._rows) for _ in range(count)]

    def feed(self, peer: Peer, count: int) -> None:
        publish(peer, f"{self.node}/{self.node}", self.rows(count))

    def state(self, peer: Peer, wanted: str, reason: str = "") -> dict[str, Any]:
        """Wait for a state of the model, and for a reason if one is expected."""

        def found(_: Sequence[Any]) -> bool:
            published = payloads(peer.messages, self.node, "model/state")
            return bool(published) and published[-1]["state"] == wanted and reason in published[-1]["reason"]

        peer.until(found, f"model/state {wanted}")
        last: dict[str, Any] = payloads(peer.messages, self.node, "model/state")[-1]
        CHECKS["model_state"].validate(last)
        return last

    def outcomes(self, peer: Peer) -> list[str]:
        """Return the reasons of all events about models so far."""
        events = [event for event in payloads(peer.messages, self.node, "event") if event["kind"] == "model"]
        for event in events:
            CHECKS["event"].validate(event)
        return [event["why"] for event in events]


def payloads_of_status(peer: Peer, node: str) -> list[bytes]:
    return [message.payload for message in peer.messages if message.topic == f"vcedge/{node}/status"]


def digest(detector: Detector) -> str:
    return model_file.model_id(model_file.dumps(detector)).removeprefix("sha256:")


def test_good_update_takes_over_and_stays(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upgood", shared_broker.url)
    with running("run", device.config) as service, Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        device.feed(peer, 50)
        peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1))
        device.state(peer, "shadow")
        device.feed(peer, WARMUP + SHADOW)
        published = device.state(peer, "probation")
        assert (published["current"], published["previous"]) == (digest(GOOD), device.before)
        device.feed(peer, PROBATION + 5)
        published = device.state(peer, "in charge")
        assert (published["current"], published["serial"], published["on_trial"]) == (digest(GOOD), 1, None)
        assert device.outcomes(peer) == ["probation: in charge after its time in the shadow"]
        count = 55 + WARMUP + SHADOW + PROBATION
        scores = peer.scores(device.node, count)
        assert [s["seq"] for s in scores] == list(range(1, count + 1))
        models = [s["model"] for s in scores]
        assert models[0].endswith(device.before[:12]) if device.before else False
        assert models[-1].endswith(digest(GOOD)[:12])
        switched = next(i for i, model in enumerate(models) if model != models[0])
        assert len(set(models[switched:])) == 1
        assert scores[switched]["status"] != "warmup"  # the shadow has seen the earlier samples
        assert service.end() == 0
    assert (device.store.current, device.store.previous) == (digest(GOOD), device.before)


FOREIGN = tiny_detector(seed=1, channels=4)


@pytest.fixture(scope="module")
def attacked(shared_broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return one service for all attacks; it has taken an update of serial 10."""
    device = Device(tmp_path_factory.mktemp("attacked"), "attacked", shared_broker.url)
    (device.store.folder / "serial").write_text(json.dumps({"serial": 10, "seen": ""}))
    with running("run", device.config), Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        device.feed(peer, 20)
        yield device, peer


ATTACKS = {
    "no signature": (lambda device: model_file.dumps(GOOD), "no signature"),
    "a wrong key": (lambda device: device.signed(GOOD, 11, Ed25519PrivateKey.generate()), "not by the key"),
    "an old version": (lambda device: device.signed(with_threshold(1001.0), 10), "not newer than 10"),
    "half a character": (
        lambda device: b'{"statement":"\\ud800","signature":""}\n' + model_file.dumps(GOOD),
        "no signature",
    ),
    "truncated": (lambda device: device.signed(GOOD, 11)[:-100], "damaged"),
    "other channels": (lambda device: device.signed(FOREIGN, 11), "other channels"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_with_one_event(name: str, attacked: tuple[Device, Peer]) -> None:
    device, peer = attacked
    attack, reason = ATTACKS[name]
    before, message = len(device.outcomes(peer)), attack(device)
    peer.publish(f"{device.topic}/model/set", message)
    peer.publish(f"{device.topic}/model/set", message)  # as a broker that delivers a retained message again
    peer.until(lambda _: len(device.outcomes(peer)) > before, "an event")
    device.feed(peer, 5)
    peer.scores(device.node, 20 + 5 * (before + 1))
    outcome = device.outcomes(peer)[before:]
    assert len(outcome) == 1
    assert outcome[0].startswith("refused: ")
    assert reason in outcome[0]
    assert device.store.current == device.before
    assert len({s["model"] for s in payloads(peer.messages, device.node, "score")}) == 1


def test_model_that_always_alarms_is_refused_in_the_shadow(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upalarm", shared_broker.url)
    with running("run", device.config), Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        peer.publish(f"{device.topic}/model/set", device.signed(ALARMING, 1))
        device.state(peer, "shadow")
        device.feed(peer, WARMUP + 20)
        assert "alarms on" in device.state(peer, "refused")["reason"]
        assert len(device.outcomes(peer)) == 1
        assert {s["alarm"] for s in peer.scores(device.node, WARMUP + 20)} == {False}
    assert device.store.current == device.before
    assert not device.store.path(digest(ALARMING)).exists()


def test_model_that_fails_on_probation_is_rolled_back(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """Few events occur in the shadow; on probation come values at which only the new model alarms."""
    wrong = with_threshold(7.0)
    wrong = replace(wrong, calibration=replace(wrong.calibration, median=30.0, lasting=1000.0))
    device = Device(tmp_path, "upback", shared_broker.url, probation_ticks=100)
    with running("run", device.config) as service, Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        peer.publish(f"{device.topic}/model/set", device.signed(wrong, 1))
        device.state(peer, "shadow")
        device.feed(peer, WARMUP + SHADOW)
        device.state(peer, "probation")
        wild = [replace(row, values=row.values * 1.0 + 400.0) for row in device.rows(20)]
        publish(peer, f"{device.node}/{device.node}", wild)
        published = device.state(peer, "rolled back")
        assert "alarms on" in published["reason"]
        assert (published["current"], published["previous"]) == (device.before, digest(wrong))
        assert [outcome.split(":")[0] for outcome in device.outcomes(peer)] == ["probation", "rolled back"]
        device.feed(peer, 10)
        scores = peer.scores(device.node, WARMUP + SHADOW + 30)
        assert scores[-1]["model"] == scores[0]["model"]
        assert [s["seq"] for s in scores] == list(range(1, len(scores) + 1))
        assert service.end() == 0
    assert device.store.current == device.before


@pytest.mark.parametrize("phase", ["shadow", "probation"])
def test_trial_continues_after_a_kill(phase: str, shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, f"upkill{phase}", shared_broker.url)
    with Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        with running("run", device.config) as service:
            wait_online(peer, device.node)
            peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1))
            device.state(peer, "shadow")
            if phase == "probation":
                device.feed(peer, WARMUP + SHADOW)
                device.state(peer, "probation")
            service.end(signal.SIGKILL)
        peer.until_last(f"vcedge/{device.node}/status", b"offline")
        with running("run", device.config) as service:
            wait_online(peer, device.node)
            device.feed(peer, 2 * WARMUP + SHADOW + PROBATION + 50)
            device.state(peer, "in charge")
            assert service.end() == 0
    assert device.store.current == digest(GOOD)


@pytest.mark.parametrize("phase", ["shadow", "probation"])
def test_counts_of_a_trial_survive_a_restart(phase: str, shared_broker: Mosquitto, tmp_path: Path) -> None:
    """The trial takes as many samples as without a restart, without another warm-up."""
    device = Device(tmp_path, f"upcount{phase}", shared_broker.url)
    planned = [WARMUP + SHADOW] if phase == "shadow" else [WARMUP + SHADOW, PROBATION]
    with Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        with running("run", device.config) as service:
            wait_online(peer, device.node)
            peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1))
            device.state(peer, "shadow")
            for rows in planned[:-1]:
                device.feed(peer, rows)
                device.state(peer, phase)
            device.feed(peer, planned[-1] - 10)
            peer.scores(device.node, sum(planned) - 10)
            assert service.end() == 0
        with running("run", device.config) as service:
            peer.until_last(f"vcedge/{device.node}/status", b"online")
            device.feed(peer, 9)
            peer.scores(device.node, sum(planned) - 1)
            device.state(peer, phase)
            device.feed(peer, 1)
            device.state(peer, "probation" if phase == "shadow" else "in charge")
            assert service.end() == 0


def test_next_update_waits_for_the_end_of_probation(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device, third = Device(tmp_path, "upwait", shared_broker.url), with_threshold(1001.0)
    with running("run", device.config) as service, Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1))
        device.state(peer, "shadow")
        device.feed(peer, WARMUP + SHADOW)
        assert device.state(peer, "probation")["reason"] == ""
        for _ in range(2):
            peer.publish(f"{device.topic}/model/set", device.signed(third, 2))
        published = device.state(peer, "probation", "another update waits for the end of the probation")
        assert published["on_trial"] == digest(GOOD)
        device.feed(peer, PROBATION)
        assert device.state(peer, "shadow")["on_trial"] == digest(third)
        assert [why.split(":")[0] for why in device.outcomes(peer)] == ["probation"]
        assert service.end() == 0


def test_refused_update_is_reported_once_over_a_restart(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """A broker that retains it delivers it again."""
    device = Device(tmp_path, "uponce", shared_broker.url)
    bad = [device.signed(GOOD, serial, Ed25519PrivateKey.generate()) for serial in (1, 2)]
    with Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        for start in range(2):
            with running("run", device.config) as service:
                peer.until(lambda _, n=start: payloads_of_status(peer, device.node).count(b"online") > n, "online")
                for message in bad * 2:
                    peer.publish(f"{device.topic}/model/set", message)
                device.state(peer, "refused")
                device.feed(peer, 1)
                peer.scores(device.node, start + 1)
                assert service.end() == 0
        assert len(device.outcomes(peer)) == 2
        # The key that signed it verifies it.
        signature.create_key(tmp_path / "other.key")
        other = signature.load_private_key(tmp_path / "other.key")
        device.config.write_text(device.config.read_text().replace("plant.key.pub", "other.key.pub"))
        with running("run", device.config) as service:
            peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1, other))
            device.state(peer, "shadow")
            peer.publish(f"{device.topic}/model/set", bad[0])
            peer.until(lambda _: len(device.outcomes(peer)) == 3, "an event")
            assert service.end() == 0


def test_verification_of_updates_is_rate_limited(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upflood", shared_broker.url)
    with running("run", device.config) as service, Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        for number in range(3 * BURST):
            peer.publish(f"{device.topic}/model/set", b"no update %d" % number)
        device.feed(peer, 5)
        peer.scores(device.node, 5)
        assert len(device.outcomes(peer)) == BURST
        assert service.end() == 0


def test_last_update_of_a_flood_is_verified() -> None:
    pending = PendingUpdates()
    looked = []
    for second in range(200):
        if second < 100:
            pending.put(PendingUpdate(str(second), b""))
        if (update := pending.pop(float(second))) is not None:
            looked.append(int(update.digest))
    assert looked[:BURST] == list(range(BURST))
    assert looked[-1] == 99
    assert len(looked) <= BURST + 200 / PAUSE_S


def test_update_for_an_asset_of_a_pattern_is_refused(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "uppattern", shared_broker.url)
    device.config.write_text(device.config.read_text().replace("  uppattern:", "  'uppat*':"))
    with running("run", device.config) as service, Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1))
        assert "has no entry of its own under assets, only a pattern" in device.state(peer, "refused")["reason"]
        assert service.end() == 0


def test_update_is_accepted_as_a_file(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upfile", shared_broker.url)
    with running("run", device.config), Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        device.inbox.mkdir()
        (tmp_path / "update").write_bytes(device.signed(GOOD, 1))
        (tmp_path / "update").rename(device.inbox / device.node)
        assert device.state(peer, "shadow")["on_trial"] == digest(GOOD)
        wait_until(lambda: not any(device.inbox.iterdir()), "the file is gone")


@pytest.mark.parametrize("damage", [b"", b"null", b"\xff", b"{}"])
def test_damaged_serial_refuses_all_updates(damage: bytes, attacked: tuple[Device, Peer]) -> None:
    device, peer = attacked
    serial = device.store.folder / "serial"
    before, whole = len(device.outcomes(peer)), serial.read_bytes()
    serial.write_bytes(damage)
    try:
        peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 100 + len(damage)))
        peer.until(lambda _: len(device.outcomes(peer)) > before, "an event")
        assert "serial: is damaged" in device.outcomes(peer)[-1]
        device.state(peer, "refused")
    finally:
        serial.write_bytes(whole)


def test_switch_without_its_record_is_on_probation(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upfull", shared_broker.url)
    with Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        with running("run", device.config) as service:
            wait_online(peer, device.node)
            peer.publish(f"{device.topic}/model/set", device.signed(GOOD, 1))
            device.state(peer, "shadow")
            resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # a full disk
            device.feed(peer, WARMUP + SHADOW)
            device.state(peer, "probation")
            device.feed(peer, 5)
            peer.scores(device.node, WARMUP + SHADOW + 5)
            service.end(signal.SIGKILL)
        peer.until_last(f"vcedge/{device.node}/status", b"offline")
        with running("run", device.config) as service:
            wait_online(peer, device.node)
            assert device.state(peer, "probation")["previous"] == device.before
            assert service.end() == 0


def test_model_that_crashes_the_service_is_refused_after_some_starts(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upends", shared_broker.url)
    on_trial = device.store.add(model_file.dumps(GOOD))
    device.store.write_note("trial", json.dumps({"digest": on_trial, "serial": 1, "phase": "shadow", "starts": 3}))
    with running("run", device.config) as service, Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        assert device.state(peer, "refused")["reason"] == "the service was started 4 times with it"
        assert service.end() == 0
    assert device.store.read_note("trial") is None


def test_update_needs_the_link_of_the_model_store(shared_broker: Mosquitto, tmp_path: Path) -> None:
    device = Device(tmp_path, "upfixed", shared_broker.url)
    text = device.config.read_text().replace("state/models/upfixed/current", "model.vcedge")
    device.config.write_text(text)
    with running("run", device.config), Peer(shared_broker.url, f"vcedge/{device.node}/#") as peer:
        wait_online(peer, device.node)
        peer.publish(f"{device.topic}/model/set", device.signed(tiny_detector(seed=1), 1))
        assert "updates switch that link" in device.state(peer, "refused")["reason"]


def test_safe_pair_reports_either_model_and_computes_everything(shared_broker: Mosquitto, tmp_path: Path) -> None:
    model_file.save(ALARMING, tmp_path / "second.vcedge")
    shadow = {"model": "second.vcedge", "safe": True, "disagree_ticks": 5}
    stages = [{"min_level": 2, "dwell_ticks": 30}, {"dwell_ticks": 1000}]
    assets = {"pair": {"model": "model.vcedge", "shadow": shadow, "stages": stages}}
    config = configure(tmp_path, "pair", shared_broker.url, IN_CHARGE, assets=assets)
    rows, levels = samples(recording(5, WARMUP + 60, 3)), IN_CHARGE.levels
    assert levels > 2
    with running("run", config) as service, Peer(shared_broker.url, "vcedge/pair/#") as peer:
        wait_online(peer, "pair")
        publish(peer, "pair/pair", rows)
        scores = peer.scores("pair", len(rows))
        peer.until_last("vcedge/pair/pair/anomaly", b"ON")
        events = payloads(peer.messages, "pair", "event")
        (disagreement,) = [event for event in events if event["kind"] == "disagreement"]
        CHECKS["event"].validate(disagreement)
        assert disagreement["why"] == "only the model shadow sees an event"
        began = next(i for i, s in enumerate(scores) if s["ts"] == disagreement["ts"])
        assert {s["updated"] for s in scores[began + 1 :]} == {scores[0]["hidden"]}
        assert {s["updated"] for s in scores[:began]} != {scores[0]["hidden"]}
        assert {s["alarm"] for s in scores} == {False}
        published = payloads(peer.messages, "pair", "shadow")[-1]
        CHECKS["shadow"].validate(published)
        assert published["disagreeing"] is True
        peer.publish("vcedge/pair/pair/stage/set", {"stage": 1, "hold": True})
        peer.publish("vcedge/pair/pair/stage/set", {"stage": 7})
        peer.until(lambda m: payloads(m, "pair", "stage/state")[-1]["refused"] != "", "a refusal")
        for state in payloads(peer.messages, "pair", "stage/state"):
            CHECKS["stage_state"].validate(state)
        assert service.end() == 0
    with running("run", config), Peer(shared_broker.url, "vcedge/pair/#") as peer:
        wait_online(peer, "pair")
        assert last(peer.messages, "vcedge/pair/pair/anomaly") == b"ON"
        peer.until(lambda m: bool(payloads(m, "pair", "stage/state")), "the stage")
        state = payloads(peer.messages, "pair", "stage/state")[-1]
        assert (state["stage"], state["hold"]) == (1, True)
