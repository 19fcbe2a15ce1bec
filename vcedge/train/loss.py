"""Computes the task loss: the forecast error of the next residual, over windows of parallel streams."""

from __future__ import annotations

import torch
from torch import Tensor

from vcedge.train.model import ResidualModel
from vcedge.train.scheduler import MaskMode
from vcedge.train.streams import ParallelStreams

WINDOW = 32
"""Steps of truncated backpropagation: memory for the gradient does not grow with the recording."""
HUBER = 3.0
"""Residuals beyond this many spreads count linearly, so that a few jumps do not dominate the training."""


def huber(error: Tensor) -> Tensor:
    """Return the squared error, linear beyond HUBER spreads."""
    size = error.abs()
    return torch.where(size <= HUBER, error * error, HUBER * (2 * size - HUBER))


def highway_loss(streams: ParallelStreams) -> float:
    """Return the task loss of the highway alone, without a network. It is below 1: large residuals count linearly."""
    count = float(streams.weight.sum())
    return float((huber(streams.target) * streams.weight).sum()) / max(count, 1.0)


def evaluate(model: ResidualModel, streams: ParallelStreams) -> tuple[float, float]:
    """Return the task loss and the mean updated share k/D of the hard form of the mask, which is exported."""
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
