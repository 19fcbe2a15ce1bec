"""Computes, in the reference engine, the statistic and the channels' contributions from one row's errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import ERROR_CAP, LEAST_PART, Scorer
from vcedge.runtime.engine.state import State
from vcedge.schema import F32, F64


class NumpyScorer:
    """Computes one step of all parts and combines them. Call `step` before the row is pushed into the lags."""

    def __init__(self, scorer: Scorer, order: int) -> None:
        self._scorer, self._order = scorer, order
        parts = scorer.parts
        self._alpha = [part.alpha for part in parts]
        self._weights = np.array([part.weight for part in parts])
        self._usual = np.array([part.usual for part in parts])
        self._initial = np.array([part.initial for part in parts])[:, None]  # (parts, 1)
        self._lags = [lag - 1 for lag in scorer.reconstruction.lags[1:]]  # the present row is no lag yet

    def step(self, z: F32, error: F32, unknown: NDArray[np.bool_], state: State) -> tuple[float, F64]:
        """Return the statistic and contributions (C,) that sum to it.

        `z` (C,) is the row and `error` (C,) its forecast error in spreads, 0 where `unknown` (C,).
        """
        if state.seen == 0:
            state.smooth[:] = self._initial
        squared = {
            "error": self._whitened(error, unknown, state),
            "horizon": self._horizon(z, unknown, state),
            "reconstruction": self._reconstruction(z, unknown, state),
        }
        contributions = np.zeros(len(z))
        for index, part in enumerate(self._scorer.parts):
            row, smooth = squared[part.kind], state.smooth[index]
            if row is not None:
                smooth += self._alpha[index] * (row - smooth)
            share = smooth if part.kind == "reconstruction" else np.sqrt(smooth)
            total = float(share.sum())
            state.parts[index] = total / len(z)
            if total > 0.0:
                contributions += part.weight / total * share
        relative = np.maximum(state.parts / self._usual, LEAST_PART)
        raw = float(np.exp(np.log(relative) @ self._weights))
        added = float(contributions.sum())
        return raw, contributions * (raw / added) if added > 0.0 else np.full(len(z), raw / len(z))

    def _whitened(self, error: F32, unknown: NDArray[np.bool_], state: State) -> F64 | None:
        """Return the squared whitened error (C,); None before the first."""
        if state.seen < self._order:
            return None
        white = error @ self._scorer.whiten
        return _known(np.minimum(white * white, ERROR_CAP), unknown)

    def _horizon(self, z: F32, unknown: NDArray[np.bool_], state: State) -> F64 | None:
        """Return the squared error (C,) of the forecast made `ahead` rows ago, in spreads; None before the first."""
        highway = self._scorer.horizon
        if state.seen < highway.reach:
            return None
        lags = state.lags[highway.ahead - 1 : highway.reach].ravel()
        error = (z - (highway.weights[0] + lags @ highway.weights[1:]) - highway.bias) / highway.spread
        return _known(np.minimum(error * error, ERROR_CAP), unknown)

    def _reconstruction(self, z: F32, unknown: NDArray[np.bool_], state: State) -> F64 | None:
        """Return the squared error (C,) of the last rows reconstructed from their components, summed over the lags."""
        model = self._scorer.reconstruction
        if state.seen < model.lags[-1]:
            return None
        window = np.concatenate([z, *(state.lags[lag] for lag in self._lags)]) - model.mean  # (K*C,)
        left = window - (model.components @ window) @ model.components
        squared = (left * left).reshape(len(model.lags), -1).sum(axis=0)
        return _known(np.minimum(squared, ERROR_CAP), unknown)


def _known(squared: F32, unknown: NDArray[np.bool_]) -> F64:
    """Return the errors (C,) in float64; unknown channels get the mean of the known ones."""
    wide = squared.astype(np.float64)
    if not unknown.any():
        return wide
    count = len(wide) - int(unknown.sum())
    return np.where(unknown, wide[~unknown].sum() / max(count, 1), wide)
