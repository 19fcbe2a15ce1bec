"""Lists all models by name: bodies of a size or of a compute budget, with their training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.paper.gated import LEVELS, GatedBody
from benchmarks.paper.penalty import Form
from benchmarks.paper.rivals.constant import ConstantBody
from benchmarks.paper.rivals.delta import DeltaBody
from benchmarks.paper.rivals.fastgrnn import FastGRNNBody, rank_for
from benchmarks.paper.rivals.skipping import RandomSkipBody, SkipBody
from benchmarks.paper.unrolled import Body, BodyWithHead

TARGET = 0.10
"""Mean (k/D)² that a variable cell must not exceed."""


@dataclass(frozen=True)
class MatchedCost:
    """Holds the cost a step of the model to match: all MACs, and (k/D)² of its dense cell."""

    all: float
    square: float


@dataclass(frozen=True)
class TrainingRecipe:
    """Holds a body and its training; `target` bounds the cost and is None without a gate."""

    body: Body
    target: float | None = None
    penalty: Form = "steered"
    levels: int = LEVELS
    """Number of levels, the unit of the mask's sharpness."""
    hard_finish: bool = True
    hard_from: float = 0.4
    """Share of the training after which the mask is hard; the network then adapts to it."""
    paper_mask: bool = False
    """Anneal lam from 0.1 by 0.1 an epoch to 1, as the paper does."""

    @property
    def limit(self) -> float:
        """Largest cost of an acceptable checkpoint; infinite for penalties that do not bound the mean."""
        return math.inf if self.target is None or self.penalty in ("l1", "one-sided") else self.target

    def network(self, outputs: int) -> BodyWithHead:
        """Make the network of body and head."""
        return BodyWithHead(self.body, outputs)


@dataclass(frozen=True)
class Model:
    """Makes the recipe of one table row; `of` names the model whose cost it matches, which is measured first."""

    make: Callable[[int, int, MatchedCost | None], TrainingRecipe]  # inputs, hidden, budget
    of: str | None = None


def dense_size(kind: str, inputs: int, budget: float) -> int:
    """Return the smallest hidden size of a dense cell that costs at least `budget` MACs a step, with the head."""
    gates = 3 if kind == "gru" else 1
    linear = (gates + 1) * inputs  # cell and head: G D (D + N) + D N
    root = (math.sqrt(linear**2 + 4 * gates * budget) - linear) / (2 * gates)
    return max(1, math.ceil(root - 1e-9))


def _dense(kind: Literal["gru", "rnn"]) -> Model:
    return Model(lambda inputs, hidden, _: TrainingRecipe(GatedBody(kind, inputs, hidden, 1)))


def _variable(kind: Literal["vcgru", "vcrnn"]) -> Model:
    return Model(lambda inputs, hidden, _: TrainingRecipe(GatedBody(kind, inputs, hidden, LEVELS), TARGET))


def _matched(kind: Literal["gru", "rnn"]) -> Model:
    def make(inputs: int, hidden: int, budget: MatchedCost | None) -> TrainingRecipe:
        assert budget is not None
        return TrainingRecipe(GatedBody(kind, inputs, dense_size(kind, inputs, budget.all), 1))

    return Model(make, of=f"vc{kind}")


def _constant(inputs: int, hidden: int, budget: MatchedCost | None) -> TrainingRecipe:
    assert budget is not None
    left = budget.all - hidden * inputs  # 3 k (k + N)
    k = math.ceil((math.sqrt(inputs**2 + 4 * left / 3) - inputs) / 2 - 1e-9)
    return TrainingRecipe(ConstantBody(inputs, hidden, min(k, hidden)))


def _share(inputs: int, hidden: int, budget: MatchedCost | None) -> float:
    """Return the share of a dense GRU's own MACs that a budget leaves after the head."""
    assert budget is not None
    return min(1.0, (budget.all - hidden * inputs) / (3 * hidden * (hidden + inputs)))


def _random(inputs: int, hidden: int, budget: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(RandomSkipBody(inputs, hidden, _share(inputs, hidden, budget)))


def _skip(inputs: int, hidden: int, budget: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(SkipBody(inputs, hidden), _share(inputs, hidden, budget), penalty="price")


def _delta(inputs: int, hidden: int, budget: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(DeltaBody(inputs, hidden), _share(inputs, hidden, budget), penalty="price")


def _fastgrnn(inputs: int, hidden: int, budget: MatchedCost | None) -> TrainingRecipe:
    assert budget is not None
    return TrainingRecipe(FastGRNNBody(inputs, hidden, rank_for(budget.all - hidden * inputs, inputs, hidden)))


MODELS: Mapping[str, Model] = {
    "gru": _dense("gru"),
    "vcgru": _variable("vcgru"),
    "gru-matched": _matched("gru"),
    "rnn": _dense("rnn"),
    "vcrnn": _variable("vcrnn"),
    "rnn-matched": _matched("rnn"),
    "constant-k": Model(_constant, of="vcgru"),
    "random-skip": Model(_random, of="vcgru"),
    "skip-rnn": Model(_skip, of="vcgru"),
    "delta": Model(_delta, of="vcgru"),
    "fastgrnn": Model(_fastgrnn, of="vcgru"),
}
"""All models in the order in which they run."""
