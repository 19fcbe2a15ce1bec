"""The payload of a block equals the payloads of its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.support.detectors import START_NS, recording, tiny_detector
from vcedge.detector import Detector
from vcedge.runtime.assets.asset import Origin
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.codecs.reading import Samples
from vcedge.runtime.engine.interface import AS_TRAINED
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.publishing.payloads import score_payload
from vcedge.runtime.stream.score_names import ScoreNames
from vcedge.runtime.stream.stream import Score, Stream

ORIGIN = Origin("pump-1", "model", "boot")
FIXED = {"schema", "boot", "asset", "model", "hidden", "us", "replayed", "ts_source"}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return tiny_detector(channels=5, hidden=16, levels=4)


@pytest.mark.parametrize("first_ns", [START_NS, START_NS + 123_000], ids=["whole milliseconds", "fractions"])
def test_block_payload_equals_payloads_of_its_rows(detector: Detector, first_ns: int) -> None:
    rows = 300
    times = first_ns + np.arange(rows) * detector.schema.period_ns
    values = recording(1, rows, 5)
    values[100:110] = np.nan
    values[200:, 1] += 50.0
    block = Stream(load_engine(detector)).push_block(times, values)

    def payload(scores: Sequence[Score], *, block: bool) -> dict[str, Any]:
        samples = Samples((), values, timed=True, block=block)
        return dict(json.loads(score_payload(ScoredRows(samples, AS_TRAINED, scores, [], 1.0), ORIGIN)))

    together = payload(block, block=True)
    alone = [payload([score], block=False) for score in block]
    varying = set(together) - FIXED
    assert {key: together[key] for key in varying} == {key: [row[key] for row in alone] for key in varying}


def test_top_channels_of_many_rows_equal_those_of_each(detector: Detector) -> None:
    names = ScoreNames(detector)
    shares = (("Channel 0", 0.5), ("Channel 3", 0.25), ("Channel 1", 0.01))
    full = np.array([names.top_codes(shares[:3])] * 4, np.int32)
    mixed = np.array([names.top_codes(shares[:count]) for count in (3, 0, 1, 2)], np.int32)
    assert names.tops(full) == [shares] * 4
    assert names.tops(mixed) == [shares, (), shares[:1], shares[:2]]
    assert names.tops(full[:0]) == []
