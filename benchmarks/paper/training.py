"""Trains one model, with an annealed mask, a penalty on the cost, a hard finish, and the best checkpoint."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.paper.data import Dataset, Lanes, LaneWindow, Roll, make_lanes
from benchmarks.paper.models import TrainingRecipe
from benchmarks.paper.penalty import FORMS, cost_budget
from benchmarks.paper.unrolled import BodyWithHead, State, Unrolled
from vcedge.train.schedule import ANNEAL_UNTIL, HARD_FROM, START_SHARE, mask_mode
from vcedge.train.scheduler import MaskMode
from vcedge.train.training import GATE_RATE

HARD = MaskMode(1.0, hard=True)
KEPT = 0.97
"""Largest validated cost of a checkpoint, as a share of the target."""
PAPER_EPS = 0.05
"""Thres_eps of eq. 8; the paper states no value."""


@dataclass(frozen=True)
class TrainingPlan:
    """Holds length and speed of a training; pieces are shuffled in every epoch."""

    epochs: int
    patience: int
    lanes: int = 16
    window: int = 64
    rate: float = 3e-3
    dropout: float = 0.0
    decay: float = 0.01
    device: str = "cpu"


@dataclass(frozen=True)
class Measured:
    """Holds means of the hard form over the steps that have a successor."""

    loss: float
    square: float
    """Mean of (k/D)²."""
    cost: float
    opened: float
    macs: dict[str, float]
    """MACs a step: recurrent, input, scheduler, head, and all of them."""


@dataclass
class TrainedModel:
    """Holds the trained network in its best state, and the history of its training."""

    network: BodyWithHead
    best: int
    epochs: int
    seconds: float
    history: list[tuple[float, float, float]]
    """Training loss, validation loss and validation cost of each epoch."""


def train(
    recipe: TrainingRecipe,
    dataset: Dataset,
    plan: TrainingPlan,
    seed: int,
    progress: Callable[[int, float, float], None],
) -> TrainedModel:
    """Train; `seed` orders the pieces, everything else draws from torch's own generator.

    The kept checkpoint has the least validation loss among those that keep to the target, from epochs with the final
    mask, so that the exported network is the trained one.
    """
    order = np.random.default_rng(seed)
    network = recipe.network(dataset.inputs).to(plan.device)
    optimizer = torch.optim.AdamW(_groups(network, plan.rate), weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.epochs, plan.rate / 20)
    valid = make_lanes(dataset.valid, 4 * plan.lanes)
    passes = _Passes(network, recipe, dataset, plan, optimizer)
    best, kept, at, history = (math.inf, math.inf), copy.deepcopy(network.state_dict()), -1, []
    began = time.perf_counter()
    for epoch in range(plan.epochs):
        loss = passes.run(epoch, _shuffled(dataset.train, order))
        measured = evaluate(network, dataset, valid, plan.window)
        passes.settle(measured.cost)
        schedule.step()
        history.append((loss, measured.loss, measured.cost))
        progress(epoch, measured.loss, measured.cost)
        if not _is_final(recipe, epoch, plan):
            continue
        rank = (max(0.0, measured.cost - KEPT * recipe.limit), measured.loss)
        if rank < best:
            best, at, kept = rank, epoch, copy.deepcopy(network.state_dict())
        if epoch - at > plan.patience:
            break
    network.load_state_dict(kept)
    return TrainedModel(network, at, epoch + 1, time.perf_counter() - began, history)


def evaluate(network: BodyWithHead, dataset: Dataset, lanes: Lanes, steps: int, mode: MaskMode = HARD) -> Measured:
    """Measure loss and cost, by default with the hard mask."""
    total = torch.zeros(7, dtype=torch.float64)
    weights = 0.0
    network.eval()
    with torch.no_grad():
        for window, result in unrolled_windows(network, lanes, steps, mode):
            loss = dataset.loss(network.head(result.hidden), window.target)
            share = result.updated / network.body.hidden
            shares = (share.square(), result.cost, result.opened)
            columns = (loss, *shares, result.recurrent, result.input, result.scheduler)
            total += torch.stack([(column * window.weight).sum().double().cpu() for column in columns])
            weights += float(window.weight.sum())
    network.train()
    loss, square, cost, opened, *macs = (total / weights).tolist()
    counted = dict(zip(("recurrent", "input", "scheduler"), macs, strict=True)) | {"head": float(network.head_macs)}
    return Measured(loss, square, cost, opened, counted | {"all": sum(counted.values())})


def unrolled_windows(
    network: BodyWithHead, lanes: Lanes, steps: int, mode: MaskMode
) -> Iterator[tuple[LaneWindow, Unrolled]]:
    """Unroll the network over all windows, carrying its state."""
    state = network.body.start(lanes.weight.shape[1])
    for window in lanes.windows(steps, network.head.weight.device):
        result = network.body(window, state, mode)
        state = result.state
        yield window, result


def mask_of(recipe: TrainingRecipe, epoch: int, within: float, plan: TrainingPlan) -> MaskMode:
    """Return the mask at a position of the training."""
    if recipe.paper_mask:
        return MaskMode(recipe.body.hidden * min(1.0, 0.1 * (epoch + 1)), hard=False, eps=PAPER_EPS)
    progress = (epoch + within) / plan.epochs
    if not recipe.hard_finish:
        return mask_mode(min(progress, ANNEAL_UNTIL), recipe.levels)
    return mask_mode(min(progress * HARD_FROM / recipe.hard_from, 1.0), recipe.levels)


def _is_final(recipe: TrainingRecipe, epoch: int, plan: TrainingPlan) -> bool:
    """Return whether a checkpoint of this epoch may be kept: most of the epoch had the final mask."""
    return recipe.target is None or mask_of(recipe, epoch, 0.5, plan) == mask_of(recipe, plan.epochs - 1, 0.5, plan)


def _groups(network: BodyWithHead, rate: float) -> list[dict[str, object]]:
    gate = network.body.gate_parameters()
    known = {id(parameter) for parameter in gate}
    rest = [parameter for parameter in network.parameters() if id(parameter) not in known]
    return [{"params": rest, "lr": rate}, {"params": gate, "lr": GATE_RATE * rate}]


def _shuffled(pieces: Sequence[Roll], order: np.random.Generator) -> list[Roll]:
    return [pieces[i] for i in order.permutation(len(pieces))]


class _Passes:
    """Runs passes over the training pieces, and keeps the state of the penalty between them."""

    def __init__(
        self,
        network: BodyWithHead,
        recipe: TrainingRecipe,
        dataset: Dataset,
        plan: TrainingPlan,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._network, self._recipe, self._dataset, self._plan = network, recipe, dataset, plan
        self._optimizer = optimizer
        self._penalty = None if recipe.target is None else FORMS[recipe.penalty](recipe.target)
        self._dropout = torch.nn.Dropout(plan.dropout)

    def run(self, epoch: int, pieces: list[Roll]) -> float:
        """Run one pass in windows with truncated gradients, and return the mean loss."""
        lanes = make_lanes(pieces, self._plan.lanes)
        count = -(-len(lanes.weight) // self._plan.window)
        state = self._network.body.start(lanes.weight.shape[1])
        losses = []
        for index, window in enumerate(lanes.windows(self._plan.window, torch.device(self._plan.device))):
            if epoch == index == 0:
                self._network.body.begin(window, START_SHARE)
            loss, state = self._step(window, state, epoch, index / count)
            losses.append(loss)
        return sum(losses) / len(losses)

    def settle(self, cost: float) -> None:
        """Pass the epoch's validated cost to the penalty."""
        if self._penalty is not None:
            self._penalty.settle(cost)

    def _step(self, window: LaneWindow, state: State, epoch: int, within: float) -> tuple[float, State]:
        mode = mask_of(self._recipe, epoch, within, self._plan)
        result = self._network.body(window, state, mode)
        each = self._dataset.loss(self._network.head(self._dropout(result.hidden)), window.target)
        loss = (each * window.weight).sum() / window.weight.sum().clamp(min=1.0)
        total = loss + self._omega(result, loss, (epoch + within) / self._plan.epochs)
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach()), result.state

    def _omega(self, result: Unrolled, loss: Tensor, progress: float) -> Tensor | float:
        """Return Omega of eq. 10; a body without a gradient adapts to its cost instead."""
        if self._penalty is None or self._recipe.target is None:
            return 0.0
        if not result.cost.requires_grad:
            wanted = cost_budget(self._recipe.target, progress)
            self._network.body.adapt(float(result.cost.mean()) / wanted - 1)
            return 0.0
        return self._penalty(result, loss, progress)
