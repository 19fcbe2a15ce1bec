"""Every codec through a real broker: replay, service and recorder agree, also after a crash."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running, wait_until
from tests.support.process import vcedge
from tests.support.service import assert_same, by_seq, configure, offline, wait_online
from vcedge.cli.main import run as run_program
from vcedge.history import CsvWriter
from vcedge.schema import NS_PER_S, Sample

DETECTOR = tiny_detector()
NAMES = DETECTOR.schema.names


def write_recording(path: Path, rows: list[Sample]) -> None:
    with CsvWriter(path, NAMES, flush_rows=len(rows)) as writer:
        writer.append_many(np.array([row.time_ns for row in rows]), np.array([row.values for row in rows]))


def replay(path: Path, broker: Mosquitto, topic: str, *options: str) -> None:
    arguments = ("replay", str(path), "--broker", broker.url, "--topic", topic, "--speed", "max", *options)
    result = vcedge(*arguments)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_senml_is_replayed_and_scored(shared_broker: Mosquitto, tmp_path: Path) -> None:
    given = {"topic": "senml/{asset}", "codec": "senml"}
    config = configure(tmp_path, "senml", shared_broker.url, DETECTOR, input=given)
    rows = samples(recording(8, 300, 3))
    write_recording(tmp_path / "senml.csv", rows)
    with running("run", config), Peer(shared_broker.url, "vcedge/senml/#") as peer:
        wait_online(peer, "senml")
        replay(tmp_path / "senml.csv", shared_broker, "senml/{asset}", "--codec", "senml")
        assert_same(peer.scores("senml", len(rows)), offline(DETECTOR, rows))


@pytest.mark.slow
def test_one_topic_for_each_sensor_is_replayed_scored_and_recorded(shared_broker: Mosquitto, tmp_path: Path) -> None:
    topic = "single/{asset}/{channel}/now"
    config = configure(tmp_path, "single", shared_broker.url, DETECTOR, input={"topic": topic})
    rows = samples(recording(8, 300, 3))
    source, out = tmp_path / "single.csv", tmp_path / "history"
    write_recording(source, rows)
    with (
        running("run", config),
        running("record", config, "--out", out, "--json") as recorder,
        Peer(shared_broker.url, "vcedge/single/#") as peer,
    ):
        recorder.wait_line("subscribed to")
        wait_online(peer, "single")
        replay(source, shared_broker, topic)
        assert_same(peer.scores("single", len(rows)), offline(DETECTOR, rows))
        wait_until(lambda: sum(file.read_text().count("\n") for file in out.glob("*.csv")) == 301, "all rows recorded")
        assert recorder.end() == 0
    assert json.loads(recorder.output) == {"rows": {"single": 300}, "undecodable": 0, "ignored": 0}
    (recorded,) = out.glob("*.csv")
    assert recorded.read_bytes() == source.read_bytes()


@pytest.mark.slow
def test_single_values_with_losses_score_exactly_after_kill_9(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """Values that wait for their sample are part of the snapshot; each kill happens while some wait."""
    given = {"topic": "parts/{asset}/{channel}", "lateness_s": 2}
    mqtt = {"broker": shared_broker.url, "receive_maximum": 20}
    config = configure(tmp_path, "parts", shared_broker.url, DETECTOR, input=given, mqtt=mqtt)
    values = recording(9, 100, 3)
    values[30:40, 1] = np.nan
    values[70, :2] = np.nan
    values[-4:] = np.abs(values[-4:])
    rows = samples(values)
    parts = [
        (f"parts/parts/{name}", {"ts": row.time_ns / NS_PER_S, "value": value})
        for row in rows
        for name, value in zip(NAMES, row.values.tolist(), strict=True)
        if np.isfinite(value)
    ]
    seen = 0
    with Peer(shared_broker.url, "vcedge/parts/#", persistent=True) as peer:
        for start in range(0, len(parts), 97):
            with running("run", config) as service:
                if start == 0:
                    wait_online(peer, "parts")
                for topic, part in parts[start : start + 97]:
                    peer.publish(topic, part)
                seen = len(peer.scores("parts", seen + 15))
                assert service.end(signal.SIGKILL) == -signal.SIGKILL
        with running("run", config):
            peer.until(lambda messages: any(b'"seq":100,' in m.payload for m in messages[-50:]), "the last score")
        assert_same(by_seq(payloads(peer.messages, "parts", "score")), offline(DETECTOR, rows))


@pytest.mark.slow
def test_silence_flushes_the_joiner_and_a_value_after_that_has_status_clock(
    shared_broker: Mosquitto, tmp_path: Path
) -> None:
    given = {"topic": "slow/{asset}/{channel}", "join_s": 1, "lateness_s": 0}
    config = configure(tmp_path, "slow", shared_broker.url, DETECTOR, input=given)
    second = START_NS // NS_PER_S
    with running("run", config), Peer(shared_broker.url, "vcedge/slow/#") as peer:
        wait_online(peer, "slow")
        peer.publish(f"slow/slow/{NAMES[0]}", {"ts": second, "v": 1.0})
        peer.publish("slow/slow/Unheard of", "12")
        (first,) = peer.scores("slow", 1)
        assert (first["ts"], first["status"], first["ts_source"]) == (1000 * second, "warmup", "sample")
        peer.publish(f"slow/slow/{NAMES[1]}", {"ts": second, "v": 1.0})
        assert [s["status"] for s in peer.scores("slow", 2)] == ["warmup", "clock"]
        for name in NAMES:
            peer.publish(f"slow/slow/{name}", "1.5")
        assert peer.scores("slow", 3)[2]["ts_source"] == "arrival"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--codec", "cbor"], "--codec cbor --topic plant/{asset}: expected json, senml or value"),
        (["--codec", "value"], "expected {channel} in the topic with codec value, and with no other"),
        (["--codec", "json", "--topic", "p/{asset}/{channel}"], "expected {channel} in the topic with codec value"),
        (
            ["--topic", "p/{asset}/{channel}"],
            "channel In/Out: expected a name without '/', '+' or '#', as a level of p/",
        ),
    ],
)
def test_replay_refuses_unpublishable_recordings(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("time,In/Out\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:01Z,2\n")
    assert run_program(["replay", str(tmp_path / "a.csv"), "--broker", "mqtt://127.0.0.1:1", *options]) == 2
    assert words in capsys.readouterr().err


def test_lateness_of_many_windows_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"topic": "p/{asset}/{channel}", "join_s": 0.01, "lateness_s": 60}
    config = configure(tmp_path, "n", "mqtt://127.0.0.1:1", DETECTOR, input=given)
    for command in (["run", str(config), "--check"], ["record", str(config), "--out", str(tmp_path / "out")]):
        assert run_program(command) == 78
        assert "key 'input.lateness_s' is 60.0, expected at most 1000 times the 0.01 s" in capsys.readouterr().err
