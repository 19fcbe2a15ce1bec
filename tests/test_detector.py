"""The score's map of a detector, and the levels of its cell."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vcedge.config.train import ModelConfig
from vcedge.detector import CELL_KINDS, DENSE_KINDS, CellKind, CellSpec, boundaries_of
from vcedge.limits import Calibration

RAW = st.floats(allow_nan=False, allow_infinity=False)
LIMIT = st.floats(0, exclude_min=True, allow_nan=False, allow_infinity=False)
STEEPNESS = st.floats(0.25, 16.0)
NATS = st.floats(-20, 320)


def calibration(threshold: float, steepness: float) -> Calibration:
    return Calibration(threshold, steepness, 30.0, 3, 10, (0,), 1.0, 1000)


@given(RAW, RAW, LIMIT, STEEPNESS)
@example(5e-324, 1.0, 1.7976931348623157e308, 16.0)
@example(1e-3, 1e300, 5e-324, 1e308)
def test_score_is_monotone_between_0_and_1(a: float, b: float, limit: float, steepness: float) -> None:
    limits = calibration(limit, steepness)
    low, high = limits.score(min(a, b)), limits.score(max(a, b))
    assert 0.0 <= low <= high <= 1.0
    assert limits.score(limit) == 0.5
    assert limits.score(a, threshold=8.0) == calibration(8.0, steepness).score(a)
    assert (limits.score(a) >= 0.5) == (a >= limit) or limits.score(a) == 0.5


@given(NATS, st.floats(0.1, 100), st.floats(0.25, 4.0))
def test_score_is_a_logistic_function_of_the_nats_above_the_threshold(
    raw: float, limit: float, steepness: float
) -> None:
    expected = 1.0 / (1.0 + math.exp(min(steepness * (limit - raw), 700.0)))
    assert calibration(limit, steepness).score(raw) == pytest.approx(expected, rel=1e-12)


@given(NATS, st.floats(0.1, 8), st.floats(0.1, 100))
def test_score_depends_on_the_distance_from_the_threshold_alone(raw: float, rise: float, limit: float) -> None:
    one, other = calibration(limit, 2.0), calibration(limit + rise, 2.0)
    assert one.score(raw) == pytest.approx(other.score(raw + rise), abs=1e-12)


@pytest.mark.parametrize(
    ("levels", "hidden", "sizes"),
    [
        ([0.29, 1], 100, (29, 100)),
        ([0.07, 0.14, 0.57, 1.0], 100, (7, 14, 57, 100)),
        ([0.1, 0.3, 0.7, 1.0], 10, (1, 3, 7, 10)),
        (4, 16, (4, 8, 12, 16)),
    ],
)
def test_boundaries_of_levels(levels: int | list[float], hidden: int, sizes: tuple[int, ...]) -> None:
    assert boundaries_of(levels, hidden) == sizes


@pytest.mark.parametrize(
    ("levels", "hidden", "words"),
    [
        ([0.295, 1], 100, "not whole numbers"),
        ([0.29000001, 1], 100, "not whole numbers"),
        ([1e-12, 1], 100, "at least one dimension"),
        ([0.5, 0.5 + 1e-12, 1], 100, "at least one dimension"),
        ([0.5, 0.9], 100, "end at 1"),
        ([0.5, 0.4, 1], 100, "increase"),
        ([], 100, "increase"),
        (3, 16, "not a multiple"),
    ],
)
def test_levels_that_do_not_divide_the_hidden_size_are_refused(
    levels: int | list[float], hidden: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        boundaries_of(levels, hidden)


@given(st.integers(4, 4096), st.data())
def test_fractions_of_integer_dimensions_are_accepted(hidden: int, data: st.DataObject) -> None:
    sizes = [*sorted(data.draw(st.sets(st.integers(1, hidden - 1), max_size=6))), hidden]
    assert boundaries_of([k / hidden for k in sizes], hidden) == tuple(sizes)


@pytest.mark.parametrize(
    ("kind", "macs"), [("vcgru", 3 * 8 * 11), ("vcrnn", 8 * 11), ("gru", 3 * 16 * 19), ("rnn", 16 * 19)]
)
def test_macs_of_each_kind_of_cell(kind: CellKind, macs: int) -> None:
    """The project's counting convention: G k (k + N), the scheduler with what it reads, and the head."""
    dense = kind in DENSE_KINDS
    spec = CellSpec(kind, inputs=3, hidden=16, boundaries=(16,) if dense else (8, 16))
    scheduler = 0 if dense else 16 + 3 + 3 * 2
    assert spec.macs(16 if dense else 8, channels=2) == macs + scheduler + 2 * 16


@pytest.mark.parametrize("kind", CELL_KINDS)
def test_configuration_has_every_kind_of_cell(kind: CellKind) -> None:
    assert ModelConfig(cell=kind).cell == kind
