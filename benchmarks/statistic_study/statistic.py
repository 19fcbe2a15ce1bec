"""Computes the statistic of a row in nats, with its reference on cross-fitted rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.statistic_study.forecast import Array, Forecast, Ranges, ewma
from benchmarks.statistic_study.groups import (
    HIGH,
    LOW,
    Reading,
    find_period,
    fit_cycles,
    fit_distance,
    nats_line,
)

ORDERS, RIDGE, BLOCKS, CENTROIDS = (5, 2), 10.0, 4, 32
SPAN = 20.0
SPANS = {"fast": SPAN / 4, "middle": SPAN, "slow": 8 * SPAN, "window": SPAN / 2}
RARITIES = [(kind, speed) for kind in ("whitened", "single") for speed in ("fast", "middle", "slow")]
RARITIES += [("ahead", "middle"), ("window", "window")]
NO_NOVELTY = 0.05
"""Reading of the novelty while every channel is within the range of training."""
GROUP_STARTS = 4.6
"""Nats from which the distance and the cycle add to the statistic."""


class Group(NamedTuple):
    """Holds a reading beside the fifteen, its cross-fitted values and its map to nats."""

    read: Reading
    cross_fitted: Array
    nats: Callable[[Array, float, float], Array]


class Statistic:
    """Scores rows by a statistic in nats; `threshold` and `median` describe it on cross-fitted training rows."""

    def __init__(self, train: Array) -> None:
        """Fit on train (rows x channels)."""
        n = self.rows = len(train)
        cut = [int(k) for k in np.linspace(0, n, BLOCKS + 1)]
        self.blocks: list[tuple[int, int, Ranges]] = [
            (a, b, [r for r in ((0, a), (b, n)) if r[1] - r[0] > 20]) for a, b in pairwise(cut)
        ]
        self._fit_forecast(train)
        self.low, self.high = train.min(0), train.max(0)
        self.lines: dict[tuple[str, str], tuple[Array, Array]] = {}
        if self.full.has_sensors:
            self.initial = {kind: np.nanmean(errors, 0) for kind, errors in self.errors.items()}
            self.lines = {rarity: self._line(*rarity) for rarity in RARITIES}
        readings = np.column_stack([*self._readings(self.errors), np.full(n, NO_NOVELTY)])
        self.usual = readings.mean(0) + 1e-9
        reference = geometric_mean(readings / self.usual)
        self.at_rest = reference[0]
        self.groups = self._fit_groups(train)
        self.nats = nats_line(reference, SPAN, n)
        self.cross_fitted = self._total(reference, {name: group.cross_fitted for name, group in self.groups.items()})
        self.median = float(np.median(self.cross_fitted))
        highs = [np.quantile(block, 0.99) for block in np.array_split(self.cross_fitted, BLOCKS)]
        self.threshold = float(np.median(highs))

    def _fit_forecast(self, train: Array) -> None:
        """Choose the order: 5, or 2 where that has a tenth less cross-fitted error."""
        best: float | None = None
        self.errors: dict[str, Array] = {}
        for order in ORDERS:
            full = Forecast(train, [(0, len(train))], order, RIDGE)
            if not full.has_sensors:
                self.full = full
                return
            fits = [Forecast(train, rest, order, RIDGE, full).errors(train[a:b]) for a, b, rest in self.blocks]
            errors = {kind: np.vstack([fit[kind] for fit in fits]) for kind in fits[0]}
            loss = np.nanmean(np.minimum(errors["single"] * full.spread**2, 25))
            if best is None or loss < 0.9 * best:
                best, self.full, self.errors = loss, full, errors

    def _line(self, kind: str, speed: str) -> tuple[Array, Array]:
        """Return intercept and slope of the nats of each sensor's smoothed error."""
        logs = np.log(np.maximum(self._smooth(self.errors, kind, speed), 1e-12))
        middle, high = np.quantile(logs, [0.5, 0.99], axis=0)
        span = SPANS[speed]
        slope = (HIGH - LOW) / (np.maximum(high - middle, 2.33 * np.sqrt(2 / span)) * (1 + 3 * span / self.rows))
        return LOW - slope * middle, slope

    def _smooth(self, errors: dict[str, Array], kind: str, speed: str) -> Array:
        values = errors[kind].copy()
        values[np.isnan(values[:, 0])] = self.initial[kind]
        return ewma(values, SPANS[speed], self.initial[kind])

    def _readings(self, errors: dict[str, Array]) -> list[Array]:
        """Return six amounts and eight rarities, none without sensors."""
        if not self.full.has_sensors:
            return []
        smooth = {rarity: self._smooth(errors, *rarity) for rarity in RARITIES}
        roots = (("whitened", "fast"), ("whitened", "middle"), ("ahead", "middle"))
        readings = [np.sqrt(smooth[rarity]).mean(1) for rarity in roots]
        readings += [np.sqrt(smooth["single", speed].mean(1)) for speed in ("fast", "middle")]
        readings.append(smooth["window", "window"].sum(1))
        for rarity in RARITIES:
            intercept, slope = self.lines[rarity]
            nats = np.clip(intercept + slope * np.log(np.maximum(smooth[rarity], 1e-12)), 0, 30)
            square = rarity[0] in ("whitened", "ahead")
            readings.append(1 + (np.sqrt((nats**2).mean(1)) if square else (nats**4).mean(1) ** 0.25))
        return readings

    def _novelty(self, rows: Array) -> Array:
        """Return how far channels are outside the range of training, smoothed."""
        over = np.maximum(np.maximum(rows - self.high, self.low - rows), 0) / self.full.scale
        novelty = np.where(self.full.constant | self.full.command, over > 0, np.minimum(over, 1))
        return ewma(novelty.sum(1), 20, 0.0) + NO_NOVELTY

    def _standardize_live(self, rows: Array) -> Array:
        return np.clip((rows - self.full.mean) / self.full.scale, -10, 10)[:, self.full.live]

    def _fit_groups(self, train: Array) -> dict[str, Group]:
        groups: dict[str, Group] = {}
        self.period = 0
        if not self.full.live.any():
            return groups
        z = self._standardize_live(train)

        def group(fit: Callable[[list[Array]], Reading], span: float) -> Group:
            cross_fitted = [fit([z[u:v] for u, v in rest])(z[a:b]) for a, b, rest in self.blocks]
            reference = np.concatenate(cross_fitted)
            return Group(fit([z]), reference, nats_line(reference, span, self.rows))

        if len(np.unique(np.round(z, 3), axis=0)) > 200:
            groups["distance"] = group(lambda parts: fit_distance(parts, min(CENTROIDS, self.rows // 25)), SPAN)
        period = find_period(z)
        self.period = period if period <= self.rows / 50 else 0
        if self.period:
            groups["cycles"] = group(lambda parts: fit_cycles(parts, self.period), 2 * self.period)
        return groups

    def _total(self, readings: Array, groups: dict[str, Array]) -> Array:
        if self.full.has_sensors:
            total = self.nats(readings, -20, 200)
        else:  # only commands and constants: the novelty is all there is
            total = 2 * np.log(np.maximum(readings, 1e-9) / self.at_rest)
        for name, values in groups.items():
            weight = min(1, self.rows / 1000) if name == "distance" else 1
            total = total + weight * np.maximum(0, self.groups[name].nats(values, 0, 60) - GROUP_STARTS)
        return total

    def score(self, rows: Array) -> Array:
        """Return the statistic of each row in nats; rows (rows x channels) follow each other, NaN marks a hole."""
        filled = self.full.fill(rows)
        cyclic = rows.copy()
        for i in np.flatnonzero(np.isnan(rows).any(1)):
            holes = np.isnan(rows[i])
            source = cyclic[i - self.period] if self.period and i >= self.period else filled[i]
            cyclic[i, holes] = source[holes]
        errors = self.full.errors(filled) if self.full.has_sensors else {}
        readings = np.column_stack([*self._readings(errors), self._novelty(filled)])
        inputs = {"distance": filled, "cycles": cyclic}
        values = {name: group.read(self._standardize_live(inputs[name])) for name, group in self.groups.items()}
        return self._total(geometric_mean(readings / self.usual), values)


def geometric_mean(readings: Array) -> Array:
    """Return the geometric mean of each row's readings."""
    return np.asarray(np.exp(np.mean(np.log(np.maximum(readings, 1e-6)), 1)))
