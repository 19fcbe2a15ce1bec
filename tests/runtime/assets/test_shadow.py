"""A shadow model scores independently of the model in charge."""

from __future__ import annotations

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.codecs.reading import Samples
from vcedge.runtime.engine.interface import AS_TRAINED
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream

PATIENCE = 3


def test_shadow_and_model_in_charge_score_independently() -> None:
    rows = samples(recording(1, 200, 3))
    first, second = tiny_detector(), tiny_detector(seed=1)
    alone = [Stream(load_engine(detector)) for detector in (first, second)]
    expected = [[stream.push(row) for row in rows] for stream in alone]
    stream, shadow = Stream(load_engine(first)), Shadow(Stream(load_engine(second)), "m", PATIENCE)
    for row, one, two in zip(rows, *expected, strict=True):
        mine = stream.push(row)
        samples_ = Samples((row.time_ns,), row.values[None], timed=True, block=False)
        opened = shadow.follow(ScoredRows(samples_, AS_TRAINED, [mine], [stream.in_event], 1.0), AS_TRAINED)
        assert mine == one
        assert opened == [shadow.stream.in_event]
        assert shadow.stream.seq == two.seq
    assert shadow.stream.snapshot() == alone[1].snapshot()
