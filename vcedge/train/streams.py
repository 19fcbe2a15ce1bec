"""Long streams for truncated backpropagation: a recording cut into parallel streams of equal length."""

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
class Streams:
    """T steps of B streams side by side. Stream b goes on where stream b-1 ended, but starts with a fresh state."""

    x: Tensor  # (T, B, N) network inputs
    signals: Tensor  # (T, B, N + 3C) scheduler inputs
    target: Tensor  # (T, B, C) the next row's residual, in spreads
    weight: Tensor  # (T, B, C) 0 where there is no next row in the sequence, or it is missing
    keep: Tensor  # (T, B, 1) 0 where the state starts anew
    guide: Tensor | None = None  # (T, B) 1 where the gate is told to look, where somebody tells it

    def window(self, index: int, steps: int) -> Streams:
        """The index-th window of so many steps of all streams; the last one may be shorter."""
        rows = slice(index * steps, (index + 1) * steps)
        guide = None if self.guide is None else self.guide[rows]
        return Streams(self.x[rows], self.signals[rows], self.target[rows], self.weight[rows], self.keep[rows], guide)

    def windows(self, steps: int) -> int:
        """How many windows there are."""
        return -(-self.length // steps)

    @property
    def length(self) -> int:
        """Steps T of each stream."""
        return len(self.x)

    @property
    def parallel(self) -> int:
        """Streams B side by side."""
        return self.x.shape[1]


def make_streams(trace: Trace, residual: F32, features: Features, streams: int, guide: F64 | None = None) -> Streams:
    """Cut M rows into `streams` streams; up to streams - 1 rows at the end are left out.

    residual (M, C): held-out residuals of the rows in spreads, NaN where unknown; guide (M,), NaN where nobody says.
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

    told = None if guide is None else cut(np.nan_to_num(guide).astype(np.float32)[:, None])[..., 0]
    return Streams(cut(x), cut(signals), cut(target), cut(weight.astype(np.float32)), cut(keep), told)
