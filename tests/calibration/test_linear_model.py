"""The linear models of the statistic: their squared errors are the same in calibration and in the engine."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording
from tests.support.fits import fitted, model_of, schema_of_rows, steps
from vcedge.calibration.calibrate import rows_of
from vcedge.calibration.linear_model import AHEAD, LAGS, fit_linear_model
from vcedge.calibration.readings import smoothed
from vcedge.calibration.split import Ranges, cut_blocks
from vcedge.detector import Detector
from vcedge.schema import F64
from vcedge.scorer import KINDS, TRACKS, span_of

ORDER = 5


def mixed(seed: int, rows: int, missing: float = 0.0) -> F64:
    """Return a recording of three sensors, a command and a constant."""
    values = recording(seed, rows, 5, missing)
    values[:, 1] = np.where(np.isnan(values[:, 1]), np.nan, np.arange(rows) // 30 % 2)
    values[:, 3] = np.where(np.isnan(values[:, 3]), np.nan, 7.0)
    return values


def smoothed_by_calibration(detector: Detector, values: F64, starts: tuple[int, ...]) -> F64:
    """Return the smoothed squares (N, TRACKS, C) by the functions that calibration uses on a whole recording."""
    rows = rows_of(values, frozenset(starts), detector.schema)
    ranges = tuple(zip(starts, (*starts[1:], len(values)), strict=True))
    model = model_of(detector)
    squares = model.squares(model.standardised(rows), ranges, rows)
    found = [
        smoothed(
            squares[track.kind],
            detector.scorer.initial[KINDS.index(track.kind)].astype(np.float64),
            ranges,
            span_of(track, detector.scorer.span),
        )
        for track in TRACKS
    ]
    return np.stack(found, axis=1)


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_smoothed_squares_equal_those_of_the_engine_on_new_rows(missing: float) -> None:
    detector, _ = fitted(mixed(1, 1500, missing), ((0, 700), (700, 1500)))
    new, starts = mixed(2, 400, missing), (0, 150, 260)
    expected = smoothed_by_calibration(detector, new, starts)
    found = steps(detector, new, starts).smooth
    assert np.isfinite(found).all()
    assert (found[:, :, [1, 3]] == 0).all()  # a command and a constant have no errors
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_without_enough_rows_before_there_is_no_error() -> None:
    values, starts = mixed(3, 300), frozenset({0, 100})
    rows = rows_of(values, starts, schema_of_rows(values))
    model = fit_linear_model(rows, ((0, 100), (100, 300)), ORDER, 10.0)
    squares = model.squares(model.standardised(rows), ((0, 100), (100, 300)), rows)
    for kind, reach in (("whitened", ORDER), ("single", ORDER), ("ahead", ORDER + AHEAD - 1), ("window", LAGS[-1])):
        known = np.isfinite(squares[kind]).all(axis=1)  # type: ignore[index]
        assert np.flatnonzero(~known).tolist() == [*range(reach), *range(100, 100 + reach)]


@given(st.lists(st.integers(1, 299), max_size=8, unique=True), st.sampled_from([frozenset({0}), frozenset({0, 80})]))
def test_cutting_the_rows_does_not_change_their_errors(cuts: list[int], starts: frozenset[int]) -> None:
    values = mixed(4, 300)
    rows = rows_of(values, starts, schema_of_rows(values))
    model = fit_linear_model(rows, ((0, 300),), ORDER, 10.0)
    z = model.standardised(rows)
    whole = model.squares(z, ((0, 300),) if len(starts) == 1 else ((0, 80), (80, 300)), rows)
    borders = sorted({0, 300, *cuts, *starts})
    pieces: Ranges = tuple(pairwise(borders))
    for kind, squares in model.squares(z, pieces, rows).items():
        np.testing.assert_allclose(squares, whole[kind], rtol=1e-9, atol=1e-12)


def test_a_block_is_scored_by_models_that_have_not_seen_it() -> None:
    values, starts = mixed(5, 800), frozenset({0, 200, 400, 600})  # each block begins without lags
    other = values.copy()
    other[200:400] = mixed(6, 200)
    blocks = cut_blocks(((0, 800),), 4)
    rest = (*blocks[0], *blocks[2], *blocks[3])
    models = [
        fit_linear_model(rows_of(rows, starts, schema_of_rows(values)), rest, ORDER, 10.0) for rows in (values, other)
    ]
    assert np.array_equal(models[0].features.scale, models[1].features.scale)
    assert np.array_equal(models[0].highway.weights, models[1].highway.weights)
    assert np.array_equal(models[0].whiten, models[1].whiten)
    assert np.array_equal(models[0].reconstruction.components, models[1].reconstruction.components)


def test_a_channel_that_stands_still_in_some_blocks_keeps_its_usual_scale() -> None:
    values = mixed(7, 800)
    values[200:, 0] = values[200, 0]  # moves in the first block only
    rows = rows_of(values, frozenset({0}), schema_of_rows(values))
    full = fit_linear_model(rows, ((0, 800),), ORDER, 10.0)
    model = fit_linear_model(rows, ((200, 800),), ORDER, 10.0, full=full)
    assert model.features.scale[0] == full.features.scale[0]
    assert model.features.scale[2] != full.features.scale[2]
    squares = model.squares(model.standardised(rows), ((0, 200),), rows)
    assert np.nanmedian(squares["single"][:, 0]) < 1e3  # in units of 1e-12 these would be at the cap


def test_a_hole_gets_what_the_other_channels_say() -> None:
    rng = np.random.default_rng(8)
    common = rng.standard_normal((2000, 1))  # nothing to forecast: only the other channels know
    values = common + 0.1 * rng.standard_normal((2000, 3))
    rows = rows_of(values, frozenset({0}), schema_of_rows(values))
    model = fit_linear_model(rows, ((0, 2000),), ORDER, 10.0)
    holes = values.copy()
    holes[100:2000:10, 1] = np.nan
    z = model.standardised(rows_of(holes, frozenset({0}), schema_of_rows(values)))
    true = model.standardised(rows)
    error = (z - true)[100:2000:10, 1]
    assert error.std() < 0.4 * true[:, 1].std()
    assert np.array_equal(z[:, 0], true[:, 0])
