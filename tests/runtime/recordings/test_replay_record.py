"""Replay and record: a recording that is published and recorded again scores the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.mqtt import Peer, running, wait_until
from tests.support.process import vcedge
from vcedge import model_file
from vcedge.cli.main import run as run_program
from vcedge.config.train import ReadingConfig
from vcedge.history import CsvWriter, open_rows
from vcedge.runtime.codecs import Limits, Reading
from vcedge.runtime.codecs.registry import open_decoder
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.recordings import replay as replay_module
from vcedge.runtime.recordings.record import LEARN_MESSAGES, MAX_CHANNELS, AssetPlan, AssetRecord, Recorder
from vcedge.runtime.recordings.replay import Pace
from vcedge.runtime.recordings.score_recording import score_blocks
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import NS_PER_S
from vcedge.topics import InputTopic

DETECTOR = tiny_detector()
NAMES = DETECTOR.schema.names


def write_recording(path: Path, rows: int, missing: float = 0.05) -> None:
    values = recording(7, rows, 3, missing)
    with CsvWriter(path, NAMES, flush_rows=rows) as writer:
        writer.append_many(START_NS + NS_PER_S * np.arange(rows, dtype=np.int64), values)


def scores_of(path: Path) -> list[Score]:
    rows = open_rows([path], DETECTOR.schema, ReadingConfig())
    return [score for block in score_blocks(Stream(load_engine(DETECTOR)), rows) for score in block]


def configure(folder: Path, topic: str, url: str, **assets: dict[str, str]) -> Path:
    path = folder / "runtime.yaml"
    mqtt, given = {"broker": url, "client_id": topic}, {"topic": f"{topic}/{{asset}}"}
    content = {"node": "n", "state_dir": "state", "mqtt": mqtt, "input": given}
    path.write_text(yaml.safe_dump({**content, "assets": assets}))
    return path


def lines_of(folder: Path) -> int:
    return sum(file.read_text().count("\n") for file in folder.glob("*.csv"))


def test_replayed_recording_is_scored_and_recorded_exactly(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """CSV → replay → service and recorder → CSV: every score equals the offline one of both files."""
    source, out = tmp_path / "machine.csv", tmp_path / "history"
    write_recording(source, 1200)
    model_file.save(DETECTOR, tmp_path / "model.vcedge")
    config = configure(tmp_path, "round", shared_broker.url, machine={"model": "model.vcedge"})
    other = tmp_path / "without-model"
    other.mkdir()
    bare = configure(other, "round", shared_broker.url)
    expected = scores_of(source)
    with (
        running("run", config) as service,
        running("record", bare, "--out", out, "--json") as recorder,
        Peer(shared_broker.url, "vcedge/n/#") as peer,
    ):
        service.wait_line("connected to")
        recorder.wait_line("subscribed to")
        peer.until_last("vcedge/n/status", b"online")
        result = vcedge(
            *("replay", str(source), "--broker", shared_broker.url),
            *("--topic", "round/{asset}", "--speed", "max", "--json"),
        )
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["rows"] == 1200
        live = peer.scores("machine", 1200)
        wait_until(lambda: lines_of(out) == 1201, "all rows recorded")
        assert recorder.end() == 0
    assert json.loads(recorder.output) == {"rows": {"machine": 1200}, "undecodable": 0, "ignored": 0}
    assert [(s["seq"], s["raw"], s["score"], s["status"]) for s in live] == [
        (s.seq, s.raw, s.score, s.status) for s in expected
    ]
    (recorded,) = out.glob("*.csv")
    assert recorded.name == "machine-2023-11-14.csv"
    assert scores_of(recorded) == expected


def test_recorder_continues_its_files_after_a_restart(shared_broker: Mosquitto, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = configure(tmp_path, "repeated", shared_broker.url)
    for part in range(2):
        with running("record", config, "--out", out) as recorder, Peer(shared_broker.url) as peer:
            recorder.wait_line("subscribed to")
            for row in range(LEARN_MESSAGES):
                peer.publish("repeated/x", {"ts": 1_700_000_000 + 100 * part + row, "v": {"a": row, "b": None}})
            peer.publish("repeated/x", "nonsense")
            recorder.wait_line("repeated/x: left out: not JSON")
            assert recorder.end() == 0
    (file,) = out.glob("*.csv")
    lines = file.read_text().splitlines()
    assert len(lines) == 1 + 2 * LEARN_MESSAGES
    assert lines[:2] == ["time,a,b", "2023-11-14T22:13:20.000Z,0.0,"]


def test_day_and_new_channel_start_a_new_file(tmp_path: Path) -> None:
    midnight = 1_700_006_400 * NS_PER_S
    record = AssetRecord("a b/c", tmp_path, None)
    times = tuple(midnight + (i - 2) * NS_PER_S for i in range(4))
    record.write(Reading(times, {"x": [1.0, 2.0, 3.0, 4.0]}, block=True), 0)
    record.close()
    record.write(Reading((times[3] + NS_PER_S,), {"x": [5.0], "y": [6.0]}), 0)
    record.write(Reading((times[3] + 2 * NS_PER_S,), {"x": [7.0], "time": [8.0]}), 0)
    record.close()
    files = {file.name: file.read_text().splitlines() for file in tmp_path.iterdir()}
    assert {name: len(lines) - 1 for name, lines in files.items()} == {
        "a b%2Fc-2023-11-14.csv": 2,
        "a b%2Fc-2023-11-15.csv": 2,
        "a b%2Fc-2023-11-15_2.csv": 2,
    }
    assert files["a b%2Fc-2023-11-15_2.csv"][0] == "time,x,y"
    assert record.rows == 6


def test_recorder_of_all_assets_is_bounded(tmp_path: Path) -> None:
    decode = open_decoder("json", Limits(max_channels=5000), "codec")
    recorder = Recorder(InputTopic("p/{asset}"), decode, {"*": AssetPlan()}, tmp_path, max_found=3)

    def push(name: str, payload: bytes, *, retained: bool = False) -> None:
        recorder.handle(Incoming(f"p/{name}", payload, 1, False, START_NS, 1, 1, retained))

    for number in range(10):
        push(f"pump-{number}", b'{"ts":1,"v":{"a":1}}')
    push("pump-0", b'{"ts":2,"v":{"a":1}}', retained=True)
    push("pump-\x07", b'{"ts":2,"v":{"a":1}}')
    wide = {f"c{number}": 1.0 for number in range(2000)}
    push("pump-1", json.dumps({"ts": 3, "v": wide}).encode())
    recorder.close()
    assert recorder.rows == {"pump-0": 1, "pump-1": 2, "pump-2": 1}
    assert recorder.ignored == 9
    (file,) = tmp_path.glob("pump-1-*.csv")
    assert len(file.read_text().splitlines()[0].split(",")) == 1 + MAX_CHANNELS


def test_file_with_more_channels_is_continued_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "m-2023-11-14.csv").write_text("time,b,z,a\n")
    record = AssetRecord("m", tmp_path, ("a", "b"))
    record.write(Reading((START_NS,), {"a": [1.0], "b": [2.0], "unknown": [3.0]}), 0)
    record.close()
    assert (tmp_path / "m-2023-11-14.csv").read_text().splitlines()[1:] == ["2023-11-14T22:13:20.000Z,2.0,,1.0"]


def test_replay_reads_a_file_without_time_as_the_model_does(shared_broker: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text(
        "Channel 0;Channel 1;Channel 2;label\n1;2;3;0\n4;Bad;6;1\n7;8;9;0\n", encoding="utf-8"
    )
    model_file.save(DETECTOR, tmp_path / "model.vcedge")
    model_file.save(tiny_detector(asset="other"), tmp_path / "m.vcedge")
    with Peer(shared_broker.url, "plain/#") as peer:
        arguments = ["replay", str(tmp_path / "plain.csv"), "--broker", shared_broker.url, "--speed", "max"]
        result = vcedge(*arguments, "--topic", "plain/{asset}/in", "--exclude", "label")
        assert result.returncode == 0, result.stderr
        peer.until(lambda messages: len(messages) == 3)
    assert {m.topic for m in peer.messages} == {"plain/plain/in"}
    assert [json.loads(m.payload) for m in peer.messages] == [
        {"ts": 0.0, "v": {"Channel 0": 1.0, "Channel 1": 2.0, "Channel 2": 3.0}},
        {"ts": 1.0, "v": {"Channel 0": 4.0, "Channel 2": 6.0}},
        {"ts": 2.0, "v": {"Channel 0": 7.0, "Channel 1": 8.0, "Channel 2": 9.0}},
    ]


def test_speed_divides_the_intervals_of_the_recording() -> None:
    import time

    began = time.monotonic()
    pace = Pace(20.0)
    for row in samples(recording(0, 5, 1)):
        pace.wait(row.time_ns)
    assert 4 / 20 <= time.monotonic() - began < 2
    pace.wait(0)  # a time before the last one: no wait
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{file}", "--speed", "0"], 2, "--speed 0: expected a number above zero, or max"),
        (["{file}", "--speed", "fast"], 2, "--speed fast"),
        (["{file}", "--topic", "plant/+/{{asset}}"], 2, "without wildcards"),
        (["{file}", "--topic", "plant"], 2, "expected {asset} once"),
        (["{file}", "--broker", "http://x"], 2, "expected mqtt://host:port"),
        (["{file}", "--mqtt-version", "4"], 2, "--mqtt-version '4'"),
        (["{file}", "--broker", "mqtt://u:pw@x"], 2, "--broker 'mqtt://(not shown)@x': expected no user or password"),
        (["{file}.gone"], 66, "rec.csv.gone"),
        (["{text}"], 65, "no column of numbers"),
        (["{file}", "--broker", "mqtt://127.0.0.1:{port}"], 69, "no connection within 0.5 s"),
    ],
)
def test_replay_reports_invalid_input(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay_module, "CONNECT_S", 0.5)
    write_recording(tmp_path / "rec.csv", 20)
    (tmp_path / "text.csv").write_text("time,name\n2024-01-01,a\n2024-01-02,b\n")
    places = {"file": tmp_path / "rec.csv", "text": tmp_path / "text.csv", "port": free_port()}
    assert run_program(["replay", *(argument.format(**places) for argument in arguments)]) == code
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) <= 3
