"""Features of an event: finite for any input, independent of the fault's size, and dropped after the event."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcedge.resemblance import (
    BATCH,
    FEATURES,
    NAMED_ROWS,
    SPANS,
    STATISTICS,
    UNCLEAR,
    Resemblance,
    ShapeTracker,
    row_statistics,
    shape,
)
from vcedge.schema import F64

CHANGE = np.ones(3, np.float32)


def followed(residual: F64, z: F64, opens: int = 0) -> F64:
    """Return features of an event that opens at a row and lasts to the end."""
    tracker = ShapeTracker(CHANGE[: residual.shape[1]])
    for row in range(len(residual)):
        tracker.push(residual[row], z[row], in_event=row >= opens)
    assert tracker.features is not None
    return tracker.features


@given(st.integers(0, 999), st.floats(0, 1e9), st.integers(1, 3))
@settings(max_examples=60)
def test_features_are_finite(seed: int, size: float, channels: int) -> None:
    residual = size * np.random.default_rng(seed).standard_t(1, (30, channels))
    features = followed(np.nan_to_num(residual), np.clip(residual, -10, 10))
    assert features.shape == (len(FEATURES),)
    assert np.isfinite(features).all()


def test_features_do_not_depend_on_the_size_of_a_fault() -> None:
    rng = np.random.default_rng(0)
    residual, z = rng.standard_normal((80, 3)), rng.standard_normal((80, 3))
    residual[:, 1] *= 5
    small, large = followed(residual, z), followed(8 * residual, z)
    size_free = np.array([name != "large" for name in FEATURES])
    assert large[size_free] == pytest.approx(small[size_free], abs=1e-3)


def test_the_shape_of_an_event_is_settled_after_its_first_rows() -> None:
    rng = np.random.default_rng(2)
    tracker, found = ShapeTracker(CHANGE[:2]), []
    for row in rng.standard_normal((2 * NAMED_ROWS, 2)):
        tracker.push(row, row, in_event=True)
        assert tracker.features is not None
        found.append(tracker.features.copy())
        assert tracker.settled == (len(found) >= NAMED_ROWS)
    assert not np.array_equal(found[NAMED_ROWS - 2], found[NAMED_ROWS - 1])
    assert all(np.array_equal(later, found[NAMED_ROWS - 1]) for later in found[NAMED_ROWS:])


def test_features_tell_kinds_of_residuals_apart() -> None:
    rows = np.arange(100)
    calm = np.random.default_rng(0).standard_normal((100, 3))
    of = {name: FEATURES.index(name) for name in FEATURES}
    shapes = {}
    for name, fault in (
        ("one-sided", np.full(100, 8.0)),
        ("peaked", np.where(rows % 10 == 0, 30.0, 0.0)),
        ("swinging", 8 * np.sin(rows / 4)),
    ):
        residual = calm.copy()
        residual[:, 1] += fault
        shapes[name] = followed(residual, calm, opens=100 - NAMED_ROWS)
    assert shapes["one-sided"][of["one-sided, slow"]] > 0.75 > 0.5 > shapes["swinging"][of["one-sided, slow"]]
    assert shapes["peaked"][of["peaked"]] > shapes["one-sided"][of["peaked"]] + 1
    assert shapes["swinging"][of["persistent, slow"]] > 0.8 > shapes["peaked"][of["persistent, slow"]]
    still = calm.copy()
    still[:, 1] = 2.0
    residual = calm.copy()
    residual[:, 1] = 9.0
    assert followed(residual, still, opens=10)[of["still, fast"]] > 0.8


def test_features_end_with_the_event_and_reset_clears_the_state() -> None:
    rng = np.random.default_rng(1)
    tracker, fresh = ShapeTracker(CHANGE[:2]), ShapeTracker(CHANGE[:2])
    for row in rng.standard_normal((20, 2)):
        tracker.push(row, row, in_event=True)
    assert tracker.features is not None
    tracker.push(np.zeros(2), np.zeros(2), in_event=False)
    assert tracker.features is None
    tracker.reset()
    for row in rng.standard_normal((20, 2)):
        tracker.push(row, row, in_event=True)
        fresh.push(row, row, in_event=True)
    assert tracker.features is not None
    assert fresh.features is not None
    assert np.array_equal(tracker.features, fresh.features)


def test_shapes_of_arrays() -> None:
    row = np.zeros(4)
    statistics = row_statistics(row, row, row, row, np.ones(4))
    assert statistics.shape == (len(STATISTICS), 4)
    assert shape(statistics, statistics).shape == (len(FEATURES),)


def resemblance(names: tuple[str, ...], centroids: list[float], limit: float = 9.0) -> Resemblance:
    """Return centroids that differ in the first feature only."""
    count = len(FEATURES)
    places = np.zeros((len(names), count))
    places[:, 0] = centroids
    return Resemblance(names, names, np.zeros(count), np.eye(count), places, limit)


def at(place: float) -> F64:
    return np.eye(len(FEATURES))[0] * place


def test_name_is_that_of_the_nearest_kind_or_unclear() -> None:
    model = resemblance(("spike", "noise", "drift or offset", "drift or offset"), [0.0, 4.0, 8.0, 12.0])
    assert [model.name_of(at(place)) for place in (0.5, 3.6, 10.0)] == ["spike", "noise", "drift or offset"]
    assert model.name_of(at(40.0)) == UNCLEAR
    crowd = resemblance(("spike", "noise", "drift"), [0.0, 0.1, 0.2])
    assert crowd.name_of(at(0.0)) == UNCLEAR


def test_share_falls_between_two_kinds() -> None:
    model = resemblance(("spike", "noise"), [0.0, 4.0])
    shares = [model.classify(at(place))[1] for place in (-1.0, 0.0, 1.0, 1.9)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.99 > 0.6 > shares[-1] > 0.5
    assert model.classify(at(40.0)) == (UNCLEAR, 0.0)


def test_arrays_of_wrong_shapes_are_refused() -> None:
    sound = resemblance(("spike", "noise"), [0.0, 4.0])
    with pytest.raises(ValueError, match="resemblance of shapes"):
        replace(sound, mean=np.zeros(1, np.float32))
    with pytest.raises(ValueError, match="for 1 names"):
        replace(sound, names=("spike",))


@given(st.integers(0, 999), st.integers(1, 3 * BATCH), st.integers(0, 3 * BATCH))
@settings(max_examples=30)
def test_batched_rows_give_the_means_of_single_rows(seed: int, quiet: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    residual, z = rng.standard_normal((2, quiet + 5, 3)).astype(np.float32).astype(np.float64)
    means, last = np.zeros((len(SPANS), len(STATISTICS), 3)), np.zeros((2, 3))
    alpha = np.array([2 / (span + 1) for span in SPANS])[:, None, None]
    tracker = ShapeTracker(CHANGE)
    shapes = []
    for row in range(quiet + 5):
        means += alpha * (row_statistics(residual[row], last[0], z[row], last[1], CHANGE) - means)
        last = np.array([residual[row], z[row]])
        tracker.push(residual[row], z[row], in_event=row >= quiet)
        if row == min(cut, quiet + 3):  # a restart in between changes nothing
            tracker = ShapeTracker(CHANGE, copy.deepcopy(tracker.memory))
        if row >= quiet:
            shapes.append(shape(means[0], means[1]))
    assert tracker.features == pytest.approx(np.mean(shapes, axis=0), rel=1e-9)
