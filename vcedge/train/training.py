"""A training under way: everything that its next step depends on, so that it can be written down and taken up again."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vcedge.train.checkpoint import CheckpointFile, Position
from vcedge.train.loss import WINDOW, huber
from vcedge.train.model import ResidualModel
from vcedge.train.price import Price
from vcedge.train.schedule import cosine, mask_mode, share_budget, shares_for
from vcedge.train.streams import Streams

LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.01
GATE_RATE = 0.3
"""Learning rate of the scheduler over that of the rest: its logit is the sum of many, times a gain."""
BIAS_RATE = 0.1
"""How much the scheduler's bias gives way for a deviation of the share: where the task wants more than it may have, the
price alone does not reach the target."""
GUIDE = 1.0
"""What a marked row that is not updated in full costs, in units of the task loss."""
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
    resumed_at: int | None = None
    """The epoch that an earlier run of this training had come to."""
    epochs: list[Epoch] = field(default_factory=list)
    alone: tuple[float, float] = (1.0, 1.0)
    """Losses of the highway alone on the training and the validation rows: what an epoch's losses compare with."""


class Training:
    """Epochs over the training rows: the annealing goes on from window to window, the price is carried along."""

    def __init__(self, model: ResidualModel, streams: Streams, target: float, epochs: int) -> None:
        self.model, self.streams, self.epochs = model, streams, epochs
        self._aim, self._most = shares_for(target, model.cell.spec)
        self._optimizer = torch.optim.AdamW(_parameter_groups(model), weight_decay=WEIGHT_DECAY)
        self._price = Price()
        self._best = (math.inf, math.inf)
        self._kept = copy.deepcopy(model.state_dict())
        self._epoch, self._window = 0, 0
        self._losses: list[float] = []
        self._h = model.start(streams.parallel)
        self.result = FitResult()

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do, or nothing better came for long."""
        tired = self._epoch - 1 - self.result.best > PATIENCE
        return self._epoch >= self.epochs or (tired and self.result.epochs[-1].hard)

    def run_epoch(self, stop: Callable[[], bool], checkpoint: CheckpointFile | None) -> float | None:
        """The rest of this epoch's windows, the state carried and the gradient cut between them: the mean task loss.

        None where it was stopped.
        """
        for group, first in zip(self._optimizer.param_groups, (LEARNING_RATE, GATE_RATE * LEARNING_RATE), strict=True):
            group["lr"] = cosine(self._epoch / self.epochs, first, LEARNING_RATE / 20)
        windows = self.streams.windows(WINDOW)
        while self._window < windows:
            if stop():
                return None
            progress = (self._epoch + self._window / windows) / self.epochs
            self._losses.append(self._step(self.streams.window(self._window, WINDOW), progress))
            self._window += 1
            if checkpoint is not None and checkpoint.due():
                checkpoint.save(self.position())
        return sum(self._losses) / len(self._losses)

    def close_epoch(self, loss: float, validation: float, share: float, seconds: float) -> Epoch:
        """Take down what the epoch did, keep the network where it is the best so far, and go to the next one."""
        hard = mask_mode((self._epoch + 0.5) / self.epochs, self.model.cell.spec.levels).hard
        row = Epoch(self._epoch, loss, validation, share, self._price.value, hard, seconds)
        self.result.epochs.append(row)
        over = max(0.0, share - self._most) if self.model.cell.scheduler is not None else 0.0
        if (over, validation) < self._best:
            self._best, self.result.best = (over, validation), self._epoch
            self._kept = copy.deepcopy(self.model.state_dict())
        self._epoch, self._window, self._losses = self._epoch + 1, 0, []
        self._h = self.model.start(self.streams.parallel)
        return row

    def finish(self) -> FitResult:
        """Put the best network into the model."""
        self.model.load_state_dict(self._kept)
        return self.result

    def _step(self, window: Streams, progress: float) -> float:
        mode = mask_mode(progress, self.model.cell.spec.levels)
        predicted, shares, hidden = self.model(window.x, window.signals, window.keep, self._h, mode)
        loss = (huber(predicted - window.target) * window.weight).sum() / window.weight.sum().clamp(min=1.0)
        share, allowed = shares.mean(), share_budget(progress, self._aim)
        total = loss + self._price.penalty(share, allowed, loss)
        if window.guide is not None:
            shut = (window.guide * (1 - shares)).sum() / window.guide.sum().clamp(min=1.0)
            total = total + GUIDE * loss.detach() * shut
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        if self.model.cell.scheduler is not None:
            self.model.cell.scheduler.shift(BIAS_RATE * (allowed - float(share.detach())))
        self._h = hidden[-1].detach()
        return float(loss.detach())

    def position(self) -> Position:
        """Everything that the next step depends on, with what is best so far."""
        tensors = {"h": self._h, "rng": torch.get_rng_state()}
        tensors |= {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"kept.{name}": value for name, value in self._kept.items()}
        for index, parameter in enumerate(_parameters(self._optimizer)):
            fresh = {"step": torch.zeros(()), "exp_avg": torch.zeros_like(parameter)}
            moments = {**fresh, "exp_avg_sq": fresh["exp_avg"].clone(), **self._optimizer.state.get(parameter, {})}
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        record = {
            "epoch": self._epoch,
            "window": self._window,
            "losses": self._losses,
            "price": self._price.value,
            "best": [*self._best, self.result.best],
            "epochs": [vars(row) for row in self.result.epochs],
        }
        return Position(tensors, record)

    def resume(self, checkpoint: CheckpointFile) -> None:
        """Go to where an earlier run of this training was, if there is a checkpoint of one."""
        found = checkpoint.load(self.position())
        if found is None:
            return
        tensors, record = found.tensors, found.record
        self._h = tensors["h"]
        torch.set_rng_state(tensors["rng"])
        self.model.load_state_dict(_under(tensors, "model."))
        self._kept = _under(tensors, "kept.")
        content = self._optimizer.state_dict()
        count = len(_parameters(self._optimizer))
        content["state"] = {index: _under(tensors, f"optimizer.{index}.") for index in range(count)}
        self._optimizer.load_state_dict(content)
        self._price.value = record["price"]
        self._epoch, self._window, self._losses = record["epoch"], record["window"], record["losses"]
        over, validation, self.result.best = record["best"]
        self._best = (over, validation)
        self.result.epochs = [Epoch(**row) for row in record["epochs"]]
        self.result.resumed_at = self._epoch


def _parameter_groups(model: ResidualModel) -> list[dict[str, object]]:
    """The network and the scheduler, which have learning rates of their own."""
    gate = [] if model.cell.scheduler is None else list(model.cell.scheduler.parameters())
    known = {id(parameter) for parameter in gate}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [{"params": rest}, {"params": gate}]


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
