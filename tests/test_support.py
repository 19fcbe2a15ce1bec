"""The test detectors: their levels and scores vary."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.stream import Stream


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("channels", "hidden", "levels", "flags"),
    [(3, 16, 4, False), (1, 8, 8, False), (8, 64, 8, True), (5, 32, [0.125, 0.25, 0.5, 1.0], False)],
)
def test_levels_vary(seed: int, channels: int, hidden: int, levels: int | list[float], flags: bool) -> None:
    stream = Stream(NumpyEngine(tiny_detector(seed, channels, hidden, levels, flags=flags)))
    scores = [stream.push(sample) for sample in samples(recording(seed, 2000, channels))]
    updated, counts = np.unique([s.updated for s in scores if s.updated], return_counts=True)
    assert len(updated) == stream.detector.levels
    assert counts.max() / counts.sum() < 0.9
    raw = np.array([s.raw for s in scores[20:]])
    assert raw.min() < 0.5 * np.median(raw)
    assert 0 < np.mean([s.alarm for s in scores]) < 0.5


def test_same_seed_gives_the_same_recording() -> None:
    np.testing.assert_array_equal(recording(3, 100, 2), recording(3, 100, 2))
    assert np.isnan(recording(3, 1000, 2, missing=0.1)).mean() == pytest.approx(0.1, abs=0.03)


def test_detectors_without_a_network_and_with_a_dense_one() -> None:
    assert tiny_detector(cell=None).hidden == 0
    assert tiny_detector(cell="gru").levels == tiny_detector(cell="rnn").levels == 1
