"""The summary of scores lists each event in its last state."""

from __future__ import annotations

import json

import numpy as np

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.recordings.score_summary import ScoreSummary
from vcedge.runtime.stream.stream import Stream


def test_summary_lists_events_with_their_explanation() -> None:
    detector = tiny_detector(threshold=8.0)
    values = recording(6, 400, 3)
    values[200:260, 1] += 40 * detector.features.scale[1] * np.resize([1.0, -1.0], 60)
    summary, stream, last = ScoreSummary(detector), Stream(NumpyEngine(detector), adapt=False), {}
    times = np.array([sample.time_ns for sample in samples(values)])
    for start in range(0, len(values), 150):
        block = stream.push_block(times[start : start + 150], values[start : start + 150])
        summary.add_block(block)
        last |= {event.id: event for score in block for event in score.events if event.kind == "anomaly"}
    found = json.loads(json.dumps(summary.to_json()))["found"]
    assert len(found) == summary.events == len(last) > 0
    for item, event in zip(found, last.values(), strict=True):
        assert (item["start"], item["last"]) == (milliseconds(event.start_ns), milliseconds(event.time_ns))
        assert (item["resembles"], item["agreement"], item["why"]) == (event.resembles, event.agreement, event.why)
        assert item["ended"] == (event.type == "end")
    assert all(item["resembles"] and item["why"] for item in found)


def test_summary_says_what_was_never_seen_in_training() -> None:
    detector = tiny_detector(threshold=1e9)
    values = recording(6, 600, 3)
    values[100:110, 1] += 100 * detector.features.scale[1]
    values[300:310, 2] -= 100 * detector.features.scale[2]
    summary, stream = ScoreSummary(detector), Stream(NumpyEngine(detector), adapt=False)
    summary.add_block(stream.push_block(np.array([sample.time_ns for sample in samples(values)]), values))
    document = json.loads(json.dumps(summary.to_json()))
    assert (document["events"], document["range_events"]) == (0, 2)
    first, second = document["ranges"]
    assert "Channel 1 " in first["text"]
    assert "never above" in first["text"]
    assert "never below" in second["text"]
    assert first["ended"]
    assert sum(line.endswith(" in training") for line in summary.lines(1.0)) == 2
