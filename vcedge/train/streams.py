"""Cuts a recording into parallel streams of equal length, for truncated backpropagation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vcedge.calibration.trace import Trace
from vcedge.detector import Features
from vcedge.runtime.engine.numpy_engine import scheduler_sizes
from vcedge.schema import F32, F64


@dataclass(frozen=True)
class ParallelStreams:
    """Holds T steps of B parallel streams. Stream b continues where stream b-1 ends, but starts with a fresh state."""

    x: Tensor  # (T, B, N) network inputs
    signals: Tensor  # (T, B, N + 3C) scheduler inputs
    target: Tensor  # (T, B, C) the next row's residual, in spreads
    weight: Tensor  # (T, B, C) 0 where the next row is missing or in another sequence
    keep: Tensor  # (T, B, 1) 0 where the state is reset
    guide: Tensor | None = None  # (T, B) 1 where the gate should open; None without a guide

    def window(self, index: int, steps: int) -> ParallelStreams:
        """Return the index-th window of `steps` steps of all streams; the last one may be shorter."""
        rows = slice(index * steps, (index + 1) * steps)
        guide = None if self.guide is None else self.guide[rows]
        return ParallelStreams(
            self.x[rows], self.signals[rows], self.target[rows], self.weight[rows], self.keep[rows], guide
        )

    def windows(self, steps: int) -> int:
        """Return the number of windows of `steps` steps."""
        return -(-self.length // steps)

    @property
    def length(self) -> int:
        """Number of steps T of each stream."""
        return len(self.x)

    @property
    def parallel(self) -> int:
        """Number of parallel streams B."""
        return self.x.shape[1]


def make_streams(
    trace: Trace, residual: F32, features: Features, streams: int, guide: F64 | None = None
) -> ParallelStreams:
    """Cut M rows into parallel streams; up to streams - 1 rows at the end are left out.

    Args:
        trace: Trace of the engine over the rows.
        residual: Held-out residuals of the rows (M, C) in spreads, NaN where unknown.
        features: Feature statistics of the detector.
        streams: Number of streams B.
        guide: Guide of the rows (M,), NaN if unknown.
    """
    z = trace.z
    known = np.nan_to_num(residual)
    x = np.concatenate((z, trace.missing.astype(np.float32)), axis=1) if features.flags else z
    signals = np.concatenate((x, *scheduler_sizes(features, z, trace.previous, known)), axis=1)
    target = np.roll(known, -1, axis=0)
    weight = np.roll(np.isfinite(residual), -1, axis=0)
    weight &= ~np.roll(trace.first, -1)[:, None]
    weight[-1] = False
    length = len(z) // streams
    keep = 1.0 - trace.first.astype(np.float32)[:, None]

    def cut(array: F32) -> Tensor:
        side_by_side = array[: length * streams].reshape(streams, length, -1).swapaxes(0, 1)
        return torch.tensor(np.ascontiguousarray(side_by_side), dtype=torch.float32)

    guided = None if guide is None else cut(np.nan_to_num(guide).astype(np.float32)[:, None])[..., 0]
    return ParallelStreams(cut(x), cut(signals), cut(target), cut(weight.astype(np.float32)), cut(keep), guided)
