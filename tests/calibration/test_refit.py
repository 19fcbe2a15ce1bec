"""The last fit: it uses every row and keeps all that held-out rows have measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, recording_of, tiny_detector
from vcedge.calibration.calibrate import calibrate_limits, fit_linear
from vcedge.calibration.recalibrate import recalibrate, refit
from vcedge.calibration.split import Split, merge_ranges, split_by_time
from vcedge.calibration.trace import run_engine
from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.schema import F64

SEQUENCES = ((0, 1500), (1500, 3000))


def measured(values: F64, split: Split) -> Detector:
    base = tiny_detector()
    linear = fit_linear(values, split, flags=base.features.flags, order=3, ridge=10.0)
    fitted = replace(base, features=linear.features, highway=linear.cross.highway, scorer=linear.scorer)
    return calibrate_limits(fitted, values, split, (0, 0, 0), 10.0)


def test_refit_replaces_the_linear_part_only() -> None:
    values, split = recording(5, 3000, 3), split_by_time(SEQUENCES, 8)
    detector = measured(values, split)
    again = refit(detector, values, split)
    whole = fit_linear(
        values, Split(SEQUENCES, (), (), split.starts), flags=detector.features.flags, order=3, ridge=10.0
    )
    np.testing.assert_array_equal(again.highway.weights, whole.cross.highway.weights)
    np.testing.assert_array_equal(again.scorer.whiten, whole.scorer.whiten)
    assert not np.array_equal(again.highway.weights, detector.highway.weights)
    assert [(p.weight, p.usual) for p in again.scorer.parts] == [(p.weight, p.usual) for p in detector.scorer.parts]
    assert (again.calibration, again.cell, again.head) == (detector.calibration, detector.cell, detector.head)


def test_refit_does_not_raise_scores_of_later_rows() -> None:
    values = recording(5, 9000, 3)
    known, later = values[:3000], values[3000:]
    split = split_by_time(SEQUENCES, 8)
    detector = measured(known, split)
    raw = [run_engine(NumpyEngine(d), later, ((0, len(later)),)).raw for d in (detector, refit(detector, known, split))]
    assert np.median(raw[1]) == pytest.approx(np.median(raw[0]), rel=0.1)
    assert np.quantile(raw[1], 0.99) < 1.1 * np.quantile(raw[0], 0.99)


def test_refit_learns_a_shift_in_the_last_rows() -> None:
    """Without the refit the highway would know only the rows before the held-out ones."""
    values = recording(5, 3000, 3)
    moved = values.copy()
    moved[2500:] += 3.0 * tiny_detector().features.scale
    before, after = (recalibrate(tiny_detector(), recording_of(rows), 1.0) for rows in (values, moved))
    assert (after.features.center - before.features.center > 0.2 * before.features.scale).all()


def test_refit_joins_ranges_that_the_split_cut() -> None:
    assert merge_ranges(((0, 10), (10, 20), (20, 30), (40, 50)), frozenset({0, 20, 40})) == (
        (0, 20),
        (20, 30),
        (40, 50),
    )
