"""The models by name: bodies of a size or of a budget of operations, and how each is trained."""

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
from benchmarks.paper.unrolled import Body, Network

TARGET = 0.10
"""Mean (k/D)² that a variable cell is promised to keep to."""


@dataclass(frozen=True)
class Budget:
    """MACs a step of the model that is to be matched: all of them, and (k/D)² of its own dense cell."""

    all: float
    square: float


@dataclass(frozen=True)
class Recipe:
    """A body, and how it is trained. `target`: the cost it is to keep to; None where nothing decides."""

    body: Body
    target: float | None = None
    penalty: Form = "steered"
    levels: int = LEVELS
    """What the sharpness of the mask is in units of."""
    hard_finish: bool = True
    hard_from: float = 0.4
    """Share of the training after which the mask is hard: what was learned with a soft one is partly learned anew."""
    paper_mask: bool = False
    """Anneal lam from 0.1 by 0.1 an epoch to 1, as the paper does."""

    @property
    def limit(self) -> float:
        """The cost above which a checkpoint is not wanted: a fixed target of each step promises nothing."""
        return math.inf if self.target is None or self.penalty in ("l1", "one-sided") else self.target

    def network(self, outputs: int) -> Network:
        """The body with its head."""
        return Network(self.body, outputs)


@dataclass(frozen=True)
class Model:
    """One row of the table. `of` names the model that the budget comes from: it is measured first."""

    make: Callable[[int, int, Budget | None], Recipe]  # inputs, hidden, budget
    of: str | None = None


def dense_size(kind: str, inputs: int, budget: float) -> int:
    """The smallest hidden size of a dense cell that costs at least a budget of MACs a step, head included."""
    gates = 3 if kind == "gru" else 1
    linear = (gates + 1) * inputs  # cell and head: G D (D + N) + D N
    root = (math.sqrt(linear**2 + 4 * gates * budget) - linear) / (2 * gates)
    return max(1, math.ceil(root - 1e-9))


def _dense(kind: Literal["gru", "rnn"]) -> Model:
    return Model(lambda inputs, hidden, _: Recipe(GatedBody(kind, inputs, hidden, 1)))


def _variable(kind: Literal["vcgru", "vcrnn"]) -> Model:
    return Model(lambda inputs, hidden, _: Recipe(GatedBody(kind, inputs, hidden, LEVELS), TARGET))


def _matched(kind: Literal["gru", "rnn"]) -> Model:
    def make(inputs: int, hidden: int, budget: Budget | None) -> Recipe:
        assert budget is not None
        return Recipe(GatedBody(kind, inputs, dense_size(kind, inputs, budget.all), 1))

    return Model(make, of=f"vc{kind}")


def _constant(inputs: int, hidden: int, budget: Budget | None) -> Recipe:
    assert budget is not None
    left = budget.all - hidden * inputs  # 3 k (k + N)
    k = math.ceil((math.sqrt(inputs**2 + 4 * left / 3) - inputs) / 2 - 1e-9)
    return Recipe(ConstantBody(inputs, hidden, min(k, hidden)))


def _share(inputs: int, hidden: int, budget: Budget | None) -> float:
    """The share of a dense GRU's own MACs that is left of a budget after the head."""
    assert budget is not None
    return min(1.0, (budget.all - hidden * inputs) / (3 * hidden * (hidden + inputs)))


def _random(inputs: int, hidden: int, budget: Budget | None) -> Recipe:
    return Recipe(RandomSkipBody(inputs, hidden, _share(inputs, hidden, budget)))


def _skip(inputs: int, hidden: int, budget: Budget | None) -> Recipe:
    return Recipe(SkipBody(inputs, hidden), _share(inputs, hidden, budget), penalty="price")


def _delta(inputs: int, hidden: int, budget: Budget | None) -> Recipe:
    return Recipe(DeltaBody(inputs, hidden), _share(inputs, hidden, budget), penalty="price")


def _fastgrnn(inputs: int, hidden: int, budget: Budget | None) -> Recipe:
    assert budget is not None
    return Recipe(FastGRNNBody(inputs, hidden, rank_for(budget.all - hidden * inputs, inputs, hidden)))


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
"""In the order in which they are run."""
