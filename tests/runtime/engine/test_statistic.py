"""The statistic of the reference engine equals its definition, written down once more over whole recordings."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector, tiny_scorer, variants, with_roles
from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.engine.state import State
from vcedge.schema import F64
from vcedge.scorer import ERROR_CAP, Line

ROWS = 400
LINEAR = {
    "sensors": tiny_detector(channels=4, cell=None),
    "roles": with_roles(tiny_detector(channels=5, cell=None), ("sensor", "command", "constant", "sensor", "sensor")),
    "readings": replace(tiny_detector(cell=None), scorer=tiny_scorer(3, 2, groups=False)),
    "one sensor": with_roles(tiny_detector(cell=None), ("constant", "sensor", "command")),
    "no sensor": with_roles(tiny_detector(cell=None), ("command", "command", "constant")),
}
READ = (
    ("whitened", 0.25, "roots", 2),
    ("whitened", 1.0, "roots", 2),
    ("whitened", 8.0, "", 2),
    ("single", 0.25, "rms", 4),
    ("single", 1.0, "rms", 4),
    ("single", 8.0, "", 4),
    ("ahead", 1.0, "roots", 2),
    ("window", 0.5, "sum", 4),
)
"""Kind of error, part of the span, amount, and exponent of the rarity."""
STARTS = {"whitened": 0, "single": 1, "ahead": 2, "window": 3}


def eventful(channels: int, seed: int = 6) -> F64:
    """Return a recording with a burst, a long offset and values beyond all that was seen."""
    values = recording(seed, ROWS, channels)
    scale = tiny_detector(channels=channels).features.scale
    values[120:130] += 8 * scale
    values[200:260, 0] += 5 * scale[0]
    values[300:303, -1] += 1000 * scale[-1]
    return values


def engine_rows(detector: Detector, values: F64) -> tuple[F64, F64, list[State]]:
    """Return the statistic (N,), the contributions (N, C) and the state after each row."""
    engine = NumpyEngine(detector)
    state, raw, contributions, states = engine.new_state(), [], [], []
    for row in values:
        one, _, parts = engine.step(row, state)
        raw.append(one)
        contributions.append(parts)
        states.append(state.copy())
    return np.array(raw), np.array(contributions), states


def standardised(detector: Detector, values: F64) -> F64:
    features = detector.features
    return np.clip((values - features.center) / features.scale, -features.clip, features.clip)


def squares_of(detector: Detector, z: F64) -> dict[str, F64]:
    """Return the squared errors (N, C) of each kind; NaN before the first."""
    highway, scorer, sensor = detector.highway, detector.scorer, detector.sensors.astype(float)
    squares = {kind: np.full(z.shape, np.nan) for kind in STARTS}
    for t in range(len(z)):
        if t >= highway.order:
            lags = z[t - highway.order : t][::-1].ravel()
            error = (z[t] - highway.weights[0] - lags @ highway.weights[1:] - highway.bias) / highway.spread * sensor
            squares["single"][t] = error**2
            squares["whitened"][t] = (error @ scorer.whiten) ** 2
        far = scorer.horizon
        if t >= far.ahead + far.order - 1:
            lags = z[t - far.ahead - far.order + 1 : t - far.ahead + 1][::-1].ravel()
            squares["ahead"][t] = ((z[t] - far.weights[0] - lags @ far.weights[1:] - far.bias) / far.spread) ** 2
        model = scorer.reconstruction
        if t >= model.lags[-1]:
            window = np.concatenate([z[t - lag] for lag in model.lags]) - model.mean
            left = (window - model.components.T @ (model.components @ window)).reshape(len(model.lags), -1)
            squares["window"][t] = (left**2).sum(axis=0)
    return {kind: np.minimum(rows, ERROR_CAP) * sensor for kind, rows in squares.items()}


def mean_of(squares: F64, span: float, start: F64) -> F64:
    """Return the exponentially weighted mean (N, C) over `span` rows, from a start."""
    mean, rows = start.astype(float), np.zeros(squares.shape)
    for t, row in enumerate(squares):
        if not np.isnan(row).any():
            mean = mean + 2 / (max(span, 1.0) + 1) * (row - mean)
        rows[t] = mean
    return rows


def readings_of(detector: Detector, values: F64) -> tuple[F64, F64]:
    """Return the readings (N, 15) and their shares of the channels (N, 15, C)."""
    scorer, squares = detector.scorer, squares_of(detector, standardised(detector, values))
    count, readings, shares = max(int(detector.sensors.sum()), 1), [], []
    for index, (kind, part, amount, power) in enumerate(READ):
        smooth = mean_of(squares[kind], part * scorer.span, scorer.initial[STARTS[kind]])
        if amount:
            size = np.sqrt(smooth) if amount == "roots" else smooth
            total = size.sum(axis=1)
            readings.append({"roots": total / count, "rms": np.sqrt(total / count), "sum": total}[amount])
            shares.append(size)
        nats = np.clip(scorer.intercept[index] + scorer.slope[index] * np.log(np.maximum(smooth, 1e-12)), 0, 30)
        readings.append(1 + ((nats**power).sum(axis=1) / count) ** (1 / power if power == 2 else 1 / 4))
        shares.append(nats**power)
    if not detector.sensors.any():
        readings = [np.ones(len(values))] * len(readings)
    novelty = novelty_of(detector, values)
    readings.append(novelty.sum(axis=1) + 0.05)
    shares.append(novelty)
    parts = np.stack(shares, axis=1)
    total = parts.sum(axis=2, keepdims=True)
    return np.stack(readings, axis=1), np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)


def novelty_of(detector: Detector, values: F64) -> F64:
    seen = detector.seen
    over = np.maximum(np.maximum(values - seen.high, seen.low - values), 0)
    new = np.where(detector.sensors, np.minimum(over / detector.features.scale, 1), over > seen.margin)
    return mean_of(new, 20.0, np.zeros(values.shape[1]))


def excess(line: Line, value: float) -> float:
    return max(float(np.clip(line.offset + line.gain * np.log(max(value, 1e-9)), 0, 60)) - 4.605, 0.0)


def distances_of(detector: Detector, z: F64) -> F64:
    """Return what the distance adds in each channel (N, C)."""
    distance = detector.scorer.distance
    if distance is None:
        return np.zeros(z.shape)
    squares = (z[:, None] * distance.scale - distance.centroids) ** 2  # (N, K, C)
    nearest = np.array([row[row.sum(axis=1).argmin()] for row in squares])
    total = nearest.sum(axis=1)
    live = (distance.scale > 0).sum()
    nats = [distance.weight * excess(distance.line, np.sqrt(one / live)) for one in total]
    return nearest / total[:, None] * np.array(nats)[:, None]


def cycles_of(detector: Detector, z: F64) -> F64:
    """Return what the last cycle adds in each channel (N, C), as of the last complete block."""
    cycle, parts = detector.scorer.cycle, np.zeros(z.shape)
    if cycle is None:
        return parts
    live = (cycle.scale[0] > 0).sum()
    for t in range(len(z)):
        end = (t + 1) // cycle.block * cycle.block
        if end < cycle.period:
            continue
        last = z[end - cycle.period : end]
        found = np.array((last.mean(axis=0), np.log(last.std(axis=0) + 0.02)))
        away = ((found - cycle.mean) * cycle.scale) ** 2
        value = np.sqrt(np.prod(np.sqrt(away.sum(axis=1) / live)))
        parts[t] = excess(cycle.line, value) * (away / away.sum(axis=1, keepdims=True)).mean(axis=0)
    return parts


@pytest.mark.parametrize("name", LINEAR)
def test_statistic_and_contributions_are_those_of_the_definition(name: str) -> None:
    detector = LINEAR[name]
    values, scorer = eventful(detector.channels), detector.scorer
    raw, contributions, states = engine_rows(detector, values)
    readings, shares = readings_of(detector, values)
    np.testing.assert_allclose([state.readings for state in states], readings, rtol=2e-4, atol=1e-6)
    ratio = np.log(np.maximum(readings / scorer.usual, 1e-6))
    nats = np.clip(scorer.line.offset + scorer.line.gain * ratio @ scorer.weights, -20, 200)
    z = standardised(detector, values)
    distance, cycle = distances_of(detector, z), cycles_of(detector, z)
    expected = nats + distance.sum(axis=1) + cycle.sum(axis=1)
    np.testing.assert_allclose(raw, expected, rtol=2e-4, atol=2e-3)
    each = np.maximum(scorer.line.gain * scorer.weights * ratio, 0)  # (N, 15)
    parts = np.einsum("nr,nrc->nc", each, shares) + distance + cycle
    total = parts.sum(axis=1, keepdims=True)
    wanted = np.divide(parts, total, out=np.full_like(parts, 1 / len(z[0])), where=total > 0)
    np.testing.assert_allclose(contributions, wanted * np.maximum(raw, 0)[:, None], rtol=2e-3, atol=2e-3)
    assert (distance.any(), cycle.any()) == (scorer.distance is not None, scorer.cycle is not None)


@pytest.mark.parametrize("name", variants())
def test_contributions_are_positive_and_sum_to_a_positive_statistic(name: str) -> None:
    detector = variants()[name]
    raw, contributions, _ = engine_rows(detector, eventful(detector.channels))
    assert (contributions >= 0).all()
    np.testing.assert_allclose(contributions.sum(axis=1), np.maximum(raw, 0), rtol=1e-9, atol=1e-12)


def test_the_statistic_of_rows_quieter_than_any_is_negative_and_bounded() -> None:
    detector = replace(LINEAR["readings"], scorer=replace(LINEAR["readings"].scorer, line=Line(0.7, 50.0)))
    values = np.tile(detector.features.center, (300, 1))
    raw, contributions, _ = engine_rows(detector, values)
    assert raw[-1] == -20.0
    assert not contributions[-1].any()


def test_no_value_makes_the_statistic_infinite() -> None:
    detector = LINEAR["sensors"]
    values = eventful(4)
    values[50:60] = 1e300
    values[70:80, 1] = -1e300
    values[90:95, 2] = np.inf
    raw, contributions, _ = engine_rows(detector, values)
    assert np.isfinite(raw).all()
    assert np.isfinite(contributions).all()
    assert raw.max() <= 200.0 + 2 * 60.0


def test_the_first_row_starts_from_the_usual_errors() -> None:
    detector = LINEAR["readings"]
    _, _, (state,) = engine_rows(detector, recording(6, 1, 3))
    for index, (kind, *_) in enumerate(READ):
        np.testing.assert_array_equal(state.smooth[index], detector.scorer.initial[STARTS[kind]].astype(np.float64))


def test_windows_of_the_components_have_no_reconstruction_error() -> None:
    """What lies in their span leaves no error, and what is orthogonal to it leaves all of it."""
    detector = LINEAR["readings"]
    model = detector.scorer.reconstruction
    still = replace(model, mean=np.zeros_like(model.mean))
    level = np.tile([1.0, -0.5, 2.0], len(model.lags)).astype(np.float32)  # the window of a constant signal
    inside = replace(still, components=(level / np.linalg.norm(level))[None])
    outside = replace(still, components=np.eye(9, dtype=np.float32)[:1] * 0)
    values = np.tile(detector.features.center + detector.features.scale * level[:3], (300, 1))
    smooth = [
        engine_rows(replace(detector, scorer=replace(detector.scorer, reconstruction=one)), values)[2][-1].smooth[-1]
        for one in (inside, outside)
    ]
    assert smooth[0] == pytest.approx(np.zeros(3), abs=1e-9)
    assert smooth[1] == pytest.approx(len(model.lags) * level[:3] ** 2, rel=1e-5)


def test_a_cycle_is_watched_once_a_block_is_complete() -> None:
    detector = LINEAR["sensors"]
    cycle = detector.scorer.cycle
    assert cycle is not None
    _, _, states = engine_rows(detector, eventful(4))
    changed = [
        row + 1
        for row, (one, other) in enumerate(pairwise(states), start=1)
        if (one.cycle_deviation != other.cycle_deviation).any()
    ]
    assert changed == list(range(cycle.period, ROWS + 1, cycle.block))
