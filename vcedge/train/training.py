"""Runs the training loop. The complete state of a training can be saved and restored between two steps."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vcedge.train.checkpoint import CheckpointFile, TrainingState
from vcedge.train.loss import WINDOW, evaluate, highway_loss, huber
from vcedge.train.model import ResidualModel
from vcedge.train.schedule import Price, cosine, mask_mode, share_budget, shares_for
from vcedge.train.streams import ParallelStreams

LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.01
GATE_RATE = 0.3
"""Learning rate of the scheduler relative to the rest: its logit is a sum of many terms, times a gain."""
BIAS_RATE = 0.1
"""Change of the scheduler's bias in a step, as a factor on the deviation of the share from its target. The price alone
does not hold the share if the task needs a larger one."""
GUIDE = 1.0
"""Cost of a guided row that is not updated at all, in units of the task loss."""
PATIENCE = 10
"""Epochs without a better network after which a training with the hard mask ends."""


@dataclass(frozen=True)
class Epoch:
    """Records one epoch. Losses are in units of the residual's variance; compare them with `TrainingResult.alone`."""

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
class TrainingResult:
    """Holds the best epoch, the history, and whether the training was stopped early."""

    best: int = -1
    """Number of the best epoch; -1 if none ended."""
    interrupted: bool = False
    resumed_at: int | None = None
    """Epoch at which this run resumed an earlier one; None for a run from the start."""
    epochs: list[Epoch] = field(default_factory=list)
    alone: tuple[float, float] = (1.0, 1.0)
    """Losses of the highway alone on the training and the validation rows."""


class Training:
    """Trains a network: epochs over the training streams with an annealed mask and a price on the updated share."""

    def __init__(self, model: ResidualModel, streams: ParallelStreams, target: float, epochs: int) -> None:
        self.model, self.streams, self.epochs = model, streams, epochs
        self._aim, self._most = shares_for(target, model.cell.spec)
        self._optimizer = torch.optim.AdamW(_parameter_groups(model), weight_decay=WEIGHT_DECAY)
        self._price = Price()
        self._best = (math.inf, math.inf)
        self._kept = copy.deepcopy(model.state_dict())
        self._epoch, self._window = 0, 0
        self._losses: list[float] = []
        self._h = model.start(streams.parallel)
        self.result = TrainingResult()

    def run(
        self,
        validation: ParallelStreams,
        progress: Callable[[Epoch, int], None],
        stop: Callable[[], bool] = lambda: False,
        checkpoint: CheckpointFile | None = None,
    ) -> TrainingResult:
        """Train to the end and leave the best network in the model.

        The best network has the least hard validation loss among the epochs that keep to the target share; if none
        does, it is the one that comes nearest to the target. If `stop` returns true, the training ends early with the
        best network so far. With a `checkpoint` it resumes an earlier run that was stopped or killed: the result is
        the same to the last bit.
        """
        if checkpoint is not None:
            self.resume(checkpoint)
        self.result.alone = (highway_loss(self.streams), highway_loss(validation))
        while not self._ended:
            began = time.perf_counter()
            loss = self.run_epoch(stop, checkpoint)
            if loss is None:
                self.result.interrupted = True
                if checkpoint is not None:
                    checkpoint.save(self.state())
                break
            value, share = evaluate(self.model, validation)
            progress(self._close_epoch(loss, value, share, time.perf_counter() - began), self.epochs)
        self.model.load_state_dict(self._kept)
        return self.result

    @property
    def _ended(self) -> bool:
        """True if all epochs are done, or if PATIENCE epochs with the hard mask brought no better network."""
        stalled = self._epoch - 1 - self.result.best > PATIENCE
        return self._epoch >= self.epochs or (stalled and self.result.epochs[-1].hard)

    def run_epoch(self, stop: Callable[[], bool], checkpoint: CheckpointFile | None) -> float | None:
        """Train on the rest of this epoch's windows and return the mean task loss; None if `stop` returned true.

        The hidden state is carried from window to window; the gradient is not.
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
                checkpoint.save(self.state())
        return sum(self._losses) / len(self._losses)

    def _close_epoch(self, loss: float, validation: float, share: float, seconds: float) -> Epoch:
        """Record the epoch, keep the network if it is the best so far, and begin the next epoch."""
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

    def _step(self, window: ParallelStreams, progress: float) -> float:
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

    def state(self) -> TrainingState:
        """Return the state that the next step depends on, with the best network so far."""
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
        return TrainingState(tensors, record)

    def resume(self, checkpoint: CheckpointFile) -> None:
        """Restore the state of an earlier run of this training, if the checkpoint holds one."""
        found = checkpoint.load(self.state())
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
    """Return two groups with a learning rate each: the network and the scheduler."""
    gate = [] if model.cell.scheduler is None else list(model.cell.scheduler.parameters())
    known = {id(parameter) for parameter in gate}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [{"params": rest}, {"params": gate}]


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
