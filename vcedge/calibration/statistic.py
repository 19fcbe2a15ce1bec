"""Fits the statistic to a recording, with its values on rows that the fit did not use.

The rows are cut into BLOCKS contiguous blocks; each is scored by models of the others (cross-fitting). All that says
what is usual (lines to nats, usual readings, threshold) comes from these rows, so no row is lost for calibration and
none is judged by a model that has seen it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.calibration.cycle import find_period, fit_cycle
from vcedge.calibration.distance import fit_centroids, tells
from vcedge.calibration.highway import standardise
from vcedge.calibration.linear_model import LinearModel, Rows, fit_linear_model
from vcedge.calibration.nats import fit_line
from vcedge.calibration.order import OrderChoice
from vcedge.calibration.readings import Readings, fit_readings, only_novelty
from vcedge.calibration.split import BLOCKS, Ranges, all_but, cut_blocks, merge_ranges, rows_in
from vcedge.detector import Features, Highway
from vcedge.schema import F64
from vcedge.scorer import (
    HIGH_NATS,
    KINDS,
    LEAST_DISTANCE,
    LEAST_NATS,
    MOST_GROUP_NATS,
    MOST_NATS,
    Cycle,
    Distance,
    ErrorKind,
    Line,
    Scorer,
)

SURE_ROWS = 1000
"""Rows from which the distance has its full weight: few rows show few of the operating states."""
LEAST_DEVIATION = 0.01
"""Deviations of a cycle below this are as usual as this one."""
NOVELTY_GAIN = 2.0
"""Nats for each e-fold of the novelty, where no channel is a sensor and it is all there is."""


@dataclass(frozen=True)
class Statistic:
    """Holds the statistic fitted to all rows, and its values on cross-fitted rows."""

    features: Features
    highway: Highway
    scorer: Scorer
    cross_fitted: tuple[F64, ...]
    """Statistic of each block's rows (n,), in order."""
    stretches: tuple[F64, ...]
    """The same values by stretches without a gap."""
    ranges: Ranges
    """Rows of the recording of each stretch."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(map(len, self.cross_fitted))


def fit_statistic(rows: Rows, ranges: Ranges, choice: OrderChoice, span: float, *, flags: bool) -> Statistic:
    """Fit the statistic to ranges of rows.

    Args:
        rows: The recording.
        ranges: Rows to fit to.
        choice: Order and ridge of the forecasters.
        span: Rows that the middle readings smooth over.
        flags: As in `Features`.
    """
    ranges = merge_ranges(ranges, rows.starts)
    blocks = cut_blocks(ranges)
    full = fit_linear_model(rows, ranges, choice.order, choice.ridge, flags=flags)
    readings = _fit_readings(rows, ranges, blocks, full, choice, span)
    count = rows_in(ranges)
    line = Line(0.0, NOVELTY_GAIN)
    if rows.sensors.any():
        line = fit_line(np.exp(readings.mean_logarithm), span, count)
    z = standardise(rows.values, full.features, rows.starts)
    distance, distance_nats = _fit_distance(rows, z, ranges, blocks, span)
    cycle, cycle_nats = _fit_cycle(rows, z, ranges, blocks)
    total = line.nats(readings.mean_logarithm, LEAST_NATS, MOST_NATS) + distance_nats + cycle_nats
    scorer = Scorer(
        span=span,
        whiten=full.whiten,
        horizon=full.horizon,
        reconstruction=full.reconstruction,
        initial=readings.initial,
        intercept=readings.intercept,
        slope=readings.slope,
        usual=readings.usual,
        weights=readings.weights,
        line=line,
        distance=distance,
        cycle=cycle,
    )
    by_block = np.split(total, np.cumsum([rows_in(block) for block in blocks])[:-1])
    by_stretch = np.split(total, np.cumsum([stop - start for start, stop in ranges])[:-1])
    return Statistic(full.features, full.highway, scorer, tuple(by_block), tuple(by_stretch), ranges)


def _fit_readings(
    rows: Rows, ranges: Ranges, blocks: list[Ranges], full: LinearModel, choice: OrderChoice, span: float
) -> Readings:
    """Fit the readings to the squared errors of each block by models of the others."""
    if not rows.sensors.any():
        return only_novelty(rows_in(ranges), len(rows.sensors))
    found: list[dict[ErrorKind, F64]] = []
    for number, block in enumerate(blocks):
        model = fit_linear_model(rows, all_but(blocks, number), choice.order, choice.ridge, full=full)
        found.append(model.squares(model.standardised(rows), block, rows))
    squares = {kind: np.concatenate([part[kind] for part in found]) for kind in KINDS}
    stops = np.cumsum([stop - start for start, stop in ranges]).tolist()
    stretches = tuple(zip([0, *stops[:-1]], stops, strict=True))
    return fit_readings(squares, stretches, rows.sensors, span)


def _fit_distance(rows: Rows, z: F64, ranges: Ranges, blocks: list[Ranges], span: float) -> tuple[Distance | None, F64]:
    """Fit the distance to rows z (N, C); return it and the nats (n,) that it adds on cross-fitted rows."""
    count, everything = rows_in(ranges), _rows_of(z, ranges)
    if not rows.live.any() or not tells(everything):
        return None, np.zeros(count)
    live = rows.live.astype(np.float64)
    found = [
        fit_centroids(_rows_of(z, all_but(blocks, number)), count, live).distances(_rows_of(z, block))
        for number, block in enumerate(blocks)
    ]
    reading = np.concatenate(found)
    line, weight = fit_line(reading, span, count), min(1.0, count / SURE_ROWS)
    full = fit_centroids(everything, count, live)
    fitted = Distance(full.scale.astype(np.float32), full.centers.astype(np.float32), line, weight)
    return fitted, weight * _excess(reading, line)


def _fit_cycle(rows: Rows, z: F64, ranges: Ranges, blocks: list[Ranges]) -> tuple[Cycle | None, F64]:
    """Fit the usual cycle to rows z (N, C), if there is one; return it and the nats (n,) on cross-fitted rows."""
    count = rows_in(ranges)
    start, stop = max(ranges, key=lambda part: part[1] - part[0])
    period = find_period(z[start:stop, rows.live], count)
    live = rows.live.astype(np.float64)
    if not period or min(_longest(all_but(blocks, number)) for number in range(len(blocks))) <= 2 * period + BLOCKS:
        return None, np.zeros(count)
    found = []
    for number, block in enumerate(blocks):
        model = fit_cycle([z[a:b] for a, b in all_but(blocks, number)], period, live)
        found += [model.deviations(z[a:b]) for a, b in block]
    reading = np.concatenate(found)
    # A cycle that repeats exactly must not turn rounding into nats.
    line = fit_line(np.maximum(reading, LEAST_DEVIATION), 2.0 * period, count)
    full = fit_cycle([z[a:b] for a, b in ranges], period, live)
    mean, scale = full.mean.astype(np.float32), full.scale.astype(np.float32)
    return Cycle(full.block, full.blocks, mean, scale, line), _excess(reading, line)


def _excess(reading: F64, line: Line) -> F64:
    """Return the nats (n,) beyond HIGH_NATS of a reading, as `Line.excess` for each."""
    nats = line.nats(np.log(np.maximum(reading, LEAST_DISTANCE)), 0.0, MOST_GROUP_NATS)
    return np.maximum(0.0, nats - HIGH_NATS)


def _rows_of(z: F64, ranges: Ranges) -> F64:
    return np.concatenate([z[start:stop] for start, stop in ranges])


def _longest(ranges: Ranges) -> int:
    return max(stop - start for start, stop in ranges)
