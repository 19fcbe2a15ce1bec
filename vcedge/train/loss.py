"""The task loss, over windows of parallel streams."""

from __future__ import annotations

import torch
from torch import Tensor

from vcedge.train.model import ResidualModel
from vcedge.train.scheduler import MaskMode
from vcedge.train.streams import Streams

WINDOW = 32
"""Steps that the gradient reaches back, at most. What is kept for it does not grow with the length of a recording."""
HUBER = 3.0
"""Residuals beyond so many spreads pull linearly: a recording's few jumps must not own the network."""


def huber(error: Tensor) -> Tensor:
    """Squared error, linear beyond HUBER spreads."""
    size = error.abs()
    return torch.where(size <= HUBER, error * error, HUBER * (2 * size - HUBER))


def highway_loss(streams: Streams) -> float:
    """Task loss of the highway alone, whose correction is zero. Below 1, as large residuals count linearly."""
    count = float(streams.weight.sum())
    return float((huber(streams.target) * streams.weight).sum()) / max(count, 1.0)


def evaluate(model: ResidualModel, streams: Streams) -> tuple[float, float]:
    """Task loss and mean updated share k/D of the hard, exported form."""
    mode = MaskMode(1.0, hard=True)
    sums, count, updated, steps = 0.0, 0.0, 0.0, 0
    h = model.start(streams.parallel)
    with torch.no_grad():
        for index in range(streams.windows(WINDOW)):
            window = streams.window(index, WINDOW)
            predicted, shares, hidden = model(window.x, window.signals, window.keep, h, mode)
            h = hidden[-1]
            sums += float((huber(predicted - window.target) * window.weight).sum())
            count += float(window.weight.sum())
            updated += float(shares.sum())
            steps += shares.numel()
    return sums / max(count, 1.0), updated / max(steps, 1)
