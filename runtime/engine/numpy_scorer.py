"""Computes, in the reference engine, the statistic and the channels' contributions from one row."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.runtime.engine.numpy_groups import CycleReading, DistanceReading
from vcedge.runtime.engine.state import State
from vcedge.schema import F32, F64
from vcedge.scorer import (
    ERROR_CAP,
    KINDS,
    LEAST_NATS,
    LEAST_RATIO,
    LEAST_SMOOTH,
    MOST_NATS,
    MOST_RARE,
    NOVELTY_REST,
    NOVELTY_SPAN,
    TRACKS,
    Amount,
    alpha_of,
)


class NumpyScorer:
    """Computes one step of all readings and combines them. Call `step` before the row is pushed into the lags."""

    def __init__(self, detector: Detector) -> None:
        self._scorer, self._order = detector.scorer, detector.highway.order
        self._seen, self._scale = detector.seen, detector.features.scale
        self._sensors = detector.sensors
        self._count = max(int(self._sensors.sum()), 1)
        self._alphas = self._scorer.alphas
        self._initial = np.array([self._scorer.initial[KINDS.index(track.kind)] for track in TRACKS], np.float64)
        self._line = (self._scorer.intercept.astype(np.float64), self._scorer.slope.astype(np.float64))
        self._lags = [lag - 1 for lag in self._scorer.reconstruction.lags[1:]]  # the present row is no lag yet
        self._distance = None if self._scorer.distance is None else DistanceReading(self._scorer.distance)
        self._cycle = None if self._scorer.cycle is None else CycleReading(self._scorer.cycle)

    def step(self, values: F64, z: F32, missing: NDArray[np.bool_], error: F32, state: State) -> tuple[float, F64]:
        """Return the statistic, and contributions (C,) that sum to it, or to 0 if it is negative.

        `values` (C,) are in the channels' units; `z` (C,) is the row without holes and `error` (C,) its forecast error
        in spreads, where the channels that are `missing` (C,) have likely values.
        """
        self._smooth(z, error, state)
        self._add_novelty(values, missing, state)
        shares = self._read(state)
        logarithm = np.log(np.maximum(state.readings / self._scorer.usual, LEAST_RATIO))
        parts = self._scorer.weights * logarithm
        raw = float(self._scorer.line.nats(parts.sum(), LEAST_NATS, MOST_NATS))
        contributions = (self._scorer.line.gain * np.maximum(parts, 0.0)) @ shares
        if self._distance is not None:
            nats, parts = self._distance.read(z)
            raw += nats
            contributions += parts
        if self._cycle is not None:
            nats, parts = self._cycle.read(z, missing, state)
            raw += nats
            contributions += parts
        positive, total = max(raw, 0.0), float(contributions.sum())
        if total > 0.0 and positive > 0.0:
            return raw, contributions * (positive / total)
        return raw, np.full(len(z), positive / len(z))

    def _smooth(self, z: F32, error: F32, state: State) -> None:
        """Update the smoothed squares (TRACKS, C) with those of this row, of the kinds that have enough rows."""
        if state.seen == 0:
            state.smooth[:] = self._initial
        squares = {
            "whitened": self._whitened(error, state),
            "single": None if state.seen < self._order else self._squared(error),
            "ahead": self._ahead(z, state),
            "window": self._window(z, state),
        }
        for index, track in enumerate(TRACKS):
            row = squares[track.kind]
            if row is not None:
                state.smooth[index] += self._alphas[index] * (row - state.smooth[index])

    def _squared(self, error: F32) -> F64:
        return self._capped(error * error)

    def _capped(self, squared: F32) -> F64:
        wide: F64 = np.minimum(squared, np.float32(ERROR_CAP)).astype(np.float64)
        return np.where(self._sensors, wide, 0.0)

    def _whitened(self, error: F32, state: State) -> F64 | None:
        """Return the squared whitened error (C,); None before the first."""
        return None if state.seen < self._order else self._squared(error @ self._scorer.whiten)

    def _ahead(self, z: F32, state: State) -> F64 | None:
        """Return the squared error (C,) of the forecast made `ahead` rows ago, in spreads; None before the first."""
        highway = self._scorer.horizon
        if state.seen < highway.reach:
            return None
        lags = state.lags[highway.ahead - 1 : highway.reach].ravel()
        return self._squared((z - (highway.weights[0] + lags @ highway.weights[1:]) - highway.bias) / highway.spread)

    def _window(self, z: F32, state: State) -> F64 | None:
        """Return the squares (C,) of what components leave of the last rows, summed over the lags."""
        model = self._scorer.reconstruction
        if state.seen < model.lags[-1]:
            return None
        window = np.concatenate([z, *(state.lags[lag] for lag in self._lags)]) - model.mean  # (lags * C,)
        left = window - (model.components @ window) @ model.components
        return self._capped((left * left).reshape(len(model.lags), -1).sum(axis=0))

    def _add_novelty(self, values: F64, missing: NDArray[np.bool_], state: State) -> None:
        """Update how far each channel is outside the range of training: at most 1, and 1 for any new command."""
        over = np.maximum(np.maximum(values - self._seen.high, self._seen.low - values), 0.0)
        novelty = np.where(self._sensors, np.minimum(over / self._scale, 1.0), over > self._seen.margin)
        novelty = np.where(missing, 0.0, novelty)
        state.novelty += alpha_of(NOVELTY_SPAN) * (novelty - state.novelty)

    def _read(self, state: State) -> F64:
        """Write the readings to the state; return each one's shares of the channels (READINGS, C)."""
        nats = self._line[0] + self._line[1] * np.log(np.maximum(state.smooth, LEAST_SMOOTH))
        nats = np.clip(nats, 0.0, MOST_RARE)
        found: list[tuple[float, F64]] = []
        for track, smooth, rare in zip(TRACKS, state.smooth, nats, strict=True):
            if track.amount != "none":
                found.append(self._amount(track.amount, smooth))
            found.append(self._rarity(track.power, rare))
        novelty = float(state.novelty.sum())
        found.append((novelty + NOVELTY_REST, _shares(state.novelty, novelty)))
        state.readings[:] = [reading for reading, _ in found]
        return np.array([shares for _, shares in found])

    def _amount(self, amount: Amount, smooth: F64) -> tuple[float, F64]:
        """Return the amount of smoothed squares (C,), 1 without sensors, and the channels' shares (C,) in it."""
        parts = np.sqrt(smooth) if amount == "roots" else smooth
        total = float(parts.sum())
        mean = total / self._count
        reading = {"roots": mean, "rms": math.sqrt(mean), "sum": total}[amount]
        return reading if self._sensors.any() else 1.0, _shares(parts, total)

    def _rarity(self, power: int, nats: F64) -> tuple[float, F64]:
        """Return the rarity, 1 plus the power mean of the channels' nats (C,), and their shares (C,) in it."""
        parts = nats * nats
        if power == 4:
            parts = parts * parts
        total = float(parts.sum())
        root = math.sqrt(total / self._count)
        return 1.0 + (root if power == 2 else math.sqrt(root)), _shares(parts, total)


def _shares(parts: F64, total: float) -> F64:
    """Return what each channel has of the total (C,), 0 where that is 0."""
    return parts / total if total > 0.0 else np.zeros(len(parts))
