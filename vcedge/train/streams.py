"""Long streams for truncated backpropagation: a recording cut into parallel streams of equal length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vcedge.calibration.trace import Trace
from vcedge.detector import Features
from vcedge.runtime.numpy_engine import scheduler_sizes
from vcedge.schema import F32


@dataclass(frozen=True)
class Streams:
    """T steps of B streams side by side. Stream b goes on where stream b-1 ended, but starts with a fresh state."""

    x: Tensor  # (T, B, N) network inputs
    signals: Tensor  # (T, B, N + 3C) scheduler inputs
    target: Tensor  # (T, B, C) the next row's residual, in spreads
    weight: Tensor  # (T, B, C) 0 where there is no next row in the sequence, or it is missing
    keep: Tensor  # (T, B, 1) 0 where the state starts anew

    def window(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Steps [start, stop) of all streams: x, signals, target, weight, keep."""
        rows = slice(start, stop)
        return self.x[rows], self.signals[rows], self.target[rows], self.weight[rows], self.keep[rows]

    @property
    def length(self) -> int:
        """Steps T of each stream."""
        return len(self.x)


def make_streams(trace: Trace, residual: F32, features: Features, streams: int) -> Streams:
    """Cut M rows into `streams` streams; up to streams - 1 rows at the end are left out.

    residual (M, C): held-out residuals of the rows in spreads, NaN where unknown.
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

    return Streams(cut(x), cut(signals), cut(target), cut(weight.astype(np.float32)), cut(keep))
