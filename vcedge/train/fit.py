"""The training loop: annealed mask, penalty on the updated share, hard finish, the best checkpoint kept."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vcedge.train.model import ResidualModel
from vcedge.train.price import Price
from vcedge.train.scheduler import MaskMode
from vcedge.train.streams import Streams

WINDOW = 32
LEARNING_RATE = 3e-3
SHARPNESS = (2.0, 8.0)
"""First and last lam D of eq. 8 for each level: from blocks that overlap widely to blocks that hardly do."""
AIM = 0.85
"""The share trained for, of the target that is promised: rows never seen are a little livelier."""
START_SHARE = 0.7
ANNEAL_UNTIL, HARD_FROM = 0.5, 0.7
"""Shares of the training after which the mask is fully sharp, and from which the exported, hard mask is used."""
WEIGHT_DECAY = 0.01
GATE_RATE = 0.3
"""Learning rate of the scheduler over that of the rest: its logit is the sum of many, times a gain."""
HUBER = 3.0
"""Residuals beyond so many spreads pull linearly: a recording's few jumps must not own the network."""
PATIENCE = 10


@dataclass(frozen=True)
class Epoch:
    """What one epoch did. Losses are in units of the residual's variance; `FitResult.alone` is the highway's own."""

    epoch: int
    loss: float
    validation: float
    """Loss of the hard, exported form on the validation rows."""
    share: float
    """Mean updated share of the hard form on the validation rows."""
    penalty: float
    hard: bool
    seconds: float


@dataclass
class FitResult:
    """The best model, its history, and whether the user ended the training."""

    best: int = -1
    interrupted: bool = False
    epochs: list[Epoch] = field(default_factory=list)
    alone: tuple[float, float] = (1.0, 1.0)
    """Losses of the highway alone on the training and the validation rows: what an epoch's losses compare with."""


def fit(
    model: ResidualModel,
    train: Streams,
    validation: Streams,
    target: float,
    epochs: int,
    progress: Callable[[Epoch, int], None],
    stop: Callable[[], bool] = lambda: False,
) -> FitResult:
    """Train in place and leave the best checkpoint in `model`; where `stop` says so, end early with the best so far.

    `target` is the mean updated share that is promised. The checkpoint is the one with the least hard validation loss
    among epochs that keep to it, or where none does, the one that comes nearest.
    """
    optimizer = torch.optim.AdamW(_parameter_groups(model), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs, LEARNING_RATE / 20)
    result = FitResult(alone=(highway_loss(train), highway_loss(validation)))
    best, kept = (math.inf, math.inf), copy.deepcopy(model.state_dict())
    passes = _Passes(model, train, optimizer, AIM * target, epochs)
    for epoch in range(epochs):
        began = time.perf_counter()
        loss = passes.run(epoch, stop)
        if loss is None:
            result.interrupted = True
            break
        value, share = evaluate(model, validation)
        schedule.step()
        hard = mask_mode((epoch + 0.5) / epochs, model.cell.spec.levels).hard
        row = Epoch(epoch, loss, value, share, passes.price.value, hard, time.perf_counter() - began)
        result.epochs.append(row)
        progress(row, epochs)
        rank = (max(0.0, share - target) if model.cell.scheduler is not None else 0.0, value)
        if rank < best:
            best, result.best = rank, epoch
            kept = copy.deepcopy(model.state_dict())
        if hard and epoch - result.best > PATIENCE:
            break
    model.load_state_dict(kept)
    return result


def _parameter_groups(model: ResidualModel) -> list[dict[str, object]]:
    gate = [] if model.cell.scheduler is None else list(model.cell.scheduler.parameters())
    known = {id(parameter) for parameter in gate}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [{"params": rest, "lr": LEARNING_RATE}, {"params": gate, "lr": GATE_RATE * LEARNING_RATE}]


def mask_mode(progress: float, levels: int) -> MaskMode:
    """The mask at a share of the training: its sharpness grows geometrically, then it is hard."""
    grown = min(progress / ANNEAL_UNTIL, 1.0)
    sharpness = levels * SHARPNESS[0] * (SHARPNESS[1] / SHARPNESS[0]) ** grown
    hard = progress >= HARD_FROM
    return MaskMode(levels * SHARPNESS[1] / 2 if hard else sharpness, hard)


def share_budget(progress: float, target: float) -> float:
    """The updated share aimed at: from START_SHARE down to the target, so that the dense network is learned first."""
    return target + max(START_SHARE - target, 0.0) * max(0.0, 1.0 - progress / ANNEAL_UNTIL)


def highway_loss(streams: Streams) -> float:
    """Task loss of the highway alone, whose correction is zero. Below 1, as large residuals count linearly."""
    count = float(streams.weight.sum())
    return float((_huber(streams.target) * streams.weight).sum()) / max(count, 1.0)


def evaluate(model: ResidualModel, streams: Streams) -> tuple[float, float]:
    """Task loss and mean updated share k/D of the hard, exported form."""
    mode = MaskMode(1.0, hard=True)
    sums, count, updated, steps = 0.0, 0.0, 0.0, 0
    with torch.no_grad():
        for x, signals, wanted, weight, keep, h in _windows(model, streams):
            predicted, shares, hidden = model(x, signals, keep, h, mode)
            h.copy_(hidden[-1])
            sums += float((_huber(predicted - wanted) * weight).sum())
            count += float(weight.sum())
            updated += float(shares.sum())
            steps += shares.numel()
    return sums / max(count, 1.0), updated / max(steps, 1)


class _Passes:
    """Passes over the training rows: the annealing goes on from window to window, the price is carried along."""

    def __init__(
        self, model: ResidualModel, streams: Streams, optimizer: torch.optim.Optimizer, aim: float, epochs: int
    ) -> None:
        self._model, self._streams, self._optimizer = model, streams, optimizer
        self._aim, self._epochs = aim, epochs
        self.price = Price()

    def run(self, epoch: int, stop: Callable[[], bool]) -> float | None:
        """One pass in windows, the state carried and the gradient cut between them: the mean task loss.

        None where it was stopped.
        """
        losses, windows = [], -(-self._streams.length // WINDOW)
        for index, window in enumerate(_windows(self._model, self._streams)):
            if stop():
                return None
            losses.append(self._step(window, (epoch + index / windows) / self._epochs))
        return sum(losses) / len(losses)

    def _step(self, window: tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], progress: float) -> float:
        x, signals, wanted, weight, keep, h = window
        mode = mask_mode(progress, self._model.cell.spec.levels)
        predicted, shares, hidden = self._model(x, signals, keep, h, mode)
        loss = (_huber(predicted - wanted) * weight).sum() / weight.sum().clamp(min=1.0)
        total = loss + self.price.penalty(shares.mean(), share_budget(progress, self._aim), loss)
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        h.copy_(hidden[-1].detach())  # not before: the gradient needs the state that the window began with
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach())


def _windows(model: ResidualModel, streams: Streams) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]]:
    """Windows of all streams in order, each with the carried state (B, D) that the caller updates in place."""
    h = model.start(streams.x.shape[1])
    for start in range(0, streams.length, WINDOW):
        yield (*streams.window(start, min(start + WINDOW, streams.length)), h)


def _huber(error: Tensor) -> Tensor:
    """Squared error, linear beyond HUBER spreads."""
    size = error.abs()
    return torch.where(size <= HUBER, error * error, HUBER * (2 * size - HUBER))
