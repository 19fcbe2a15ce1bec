"""A service in a test: its configuration, its input, and its expected output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support.detectors import tiny_detector
from tests.support.mqtt import Peer
from vcedge import model_file
from vcedge.detector import Detector
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.recordings.replay import message_of
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import Sample


def configure(folder: Path, node: str, url: str, detector: Detector | None = None, **changes: Any) -> Path:
    """Write a runtime.yaml with one asset `node`, and its model beside it; `changes` replace or add keys."""
    model_file.save(detector or tiny_detector(), folder / "model.vcedge")
    content: dict[str, Any] = {
        "node": node,
        "state_dir": "state",
        "mqtt": {"broker": url},
        "input": {"topic": f"{node}/{{asset}}"},
        "assets": {node: {"model": "model.vcedge"}},
    }
    path = folder / "runtime.yaml"
    path.write_text(yaml.safe_dump({**content, **changes}))
    return path


def offline(detector: Detector, values: Sequence[Sample], threshold: float | None = None) -> list[Score]:
    """Return the scores of one uninterrupted stream."""
    stream = Stream(load_engine(detector), threshold)
    return [stream.push(sample) for sample in values]


def publish(peer: Peer, topic: str, rows: Iterable[Sample]) -> None:
    """Publish one message for each row, of the channels of `tiny_detector`."""
    names = tiny_detector().schema.names
    for sample in rows:
        peer.publish(topic, message_of(sample.time_ns, names, sample.values))


def assert_same(published: Sequence[dict[str, Any]], expected: Sequence[Score]) -> None:
    """Assert that published scores equal those of an offline stream, to the last bit and in order."""
    assert [s["seq"] for s in published] == [s.seq for s in expected]
    assert [s["raw"] for s in published] == [s.raw for s in expected]
    assert [s["score"] for s in published] == [s.score for s in expected]
    for message, score in zip(published, expected, strict=True):
        assert message["ts"] * 1_000_000 == score.time_ns
        assert [tuple(pair) for pair in message["top"]] == list(score.top)
        for key in ("status", "alarm", "threshold", "updated", "hidden", "wake"):
            assert message[key] == getattr(score, key)


def by_seq(published: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return scores in the order of `seq`, each once; assert that duplicates are equal."""
    found: dict[int, dict[str, Any]] = {}
    for score in published:
        first = found.setdefault(score["seq"], score)
        varying = ("boot", "us", "replayed")
        assert {k: v for k, v in first.items() if k not in varying} == {
            k: v for k, v in score.items() if k not in varying
        }
    return [found[seq] for seq in sorted(found)]


def assert_same_events(published: Iterable[dict[str, Any]], expected: Iterable[Score]) -> None:
    """Assert that the events, each once and in the order of their times, are those of an offline stream."""
    keys = ("id", "type", "kind", "peak", "resembles", "agreement", "why")
    found = {(event["id"], event["type"], event["ts"]): tuple(event[key] for key in keys) for event in published}
    events = [event for score in expected for event in score.events]
    wanted = {(e.id, e.type, e.time_ns / 1e6): tuple(getattr(e, key) for key in keys) for e in events}
    assert found == wanted


def wait_online(peer: Peer, node: str) -> None:
    """Listen until the service reports that it is connected and has subscribed."""
    peer.until_last(f"vcedge/{node}/status", b"online")
