"""The pieces of a step as operators: scheduler (eq. 7), update of h[:k] (eq. 4 to 6, 13), head.

The same sums as `vcedge/runtime/numpy_cell.py`, in the order of fewest operators: at the sizes that sensors need, each
costs more than the arithmetic in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.detector import Cell, Head
from vcedge.export.tflite.graph import Graph, Tensor
from vcedge.schema import F32

NEVER = float(np.finfo(np.float32).max)
"""A limit that no logit reaches, for one level: the operator wants a limit, and interpreters want every input used."""


@dataclass(frozen=True)
class Network:
    """What is written: a detector's cell and head, and how its weights are stored."""

    cell: Cell
    head: Head
    int8: bool = False
    """Whether the recurrent products have int8 weights. The scheduler, V x and the head stay in float: they are small,
    and an error of the scheduler's is another level."""

    @property
    def hidden(self) -> int:
        """Number of hidden dimensions D."""
        return self.cell.spec.hidden

    @property
    def inputs(self) -> int:
        """Number of the cell's inputs N."""
        return self.cell.spec.inputs

    @property
    def boundaries(self) -> tuple[int, ...]:
        """(L,) dimensions that each level updates."""
        return self.cell.spec.boundaries


@dataclass(frozen=True)
class Inputs:
    """Inputs of a graph that has the whole interface of `vcedge.export.formats`."""

    signals: Tensor  # (1, S)
    h: Tensor  # (1, D)
    min_level: Tensor  # (1,) int32
    logit_bias: Tensor  # (1,)

    def all(self) -> dict[str, Tensor]:
        """By their names."""
        return dict(vars(self))


def inputs(g: Graph, net: Network, signals: int) -> Inputs:
    """Add the inputs, `signals` S of them for the scheduler."""
    return Inputs(
        g.tensor("signals", (1, signals)),
        g.tensor("h", (1, net.hidden)),
        g.tensor("min_level", (1,), np.int32),
        g.tensor("logit_bias", (1,)),
    )


def schedule(g: Graph, net: Network, given: Inputs) -> Tensor:
    """Index (1,) of the level that the scheduler picks, or of the floor under it: 0 to L - 1."""
    cell = net.cell
    signals = given.signals.shape[1]
    gate: F32 = np.concatenate((cell.gate_input[:signals], cell.gate_hidden))[None]
    seen = g.concatenation("scheduler/signals_h", [given.signals, given.h])
    sum_ = g.product("scheduler/product", seen, gate, np.array([cell.gate_bias], np.float32))
    logit = g.add("scheduler/logit", g.reshape("scheduler/sum", sum_, (1,)), given.logit_bias)
    chosen = g.bucketize("scheduler/chosen", logit, cell.spec.thresholds().tolist() or [NEVER])
    floor = g.sub("scheduler/floor", given.min_level, _whole(g, "one", 1))
    above = g.maximum("scheduler/at_least_floor", chosen, floor)
    return g.minimum("scheduler/index", above, _whole(g, "top", cell.spec.levels - 1))


def level_of(g: Graph, index: Tensor) -> Tensor:
    """The output `level` (1,), 1 to L, of an index from 0."""
    return g.add("level", index, _whole(g, "first_level", 1))


def network_inputs(g: Graph, net: Network, signals: Tensor) -> Tensor:
    """x (1, N), the first of the signals."""
    return signals if signals.shape[1] == net.inputs else g.columns("x", signals, 0, net.inputs)


def update(g: Graph, net: Network, x: Tensor, h: Tensor, k: int, name: str) -> Tensor:
    """h[:k] (1, k) after a step, from x (1, N) and h[:k] (1, k); `name` is the result's."""
    cell = net.cell
    U, V, b = cell.recurrent[:, :k, :k], cell.input[:, :k], cell.bias[:, :k]
    if len(U) == 1:  # an RNN, eq. 13
        return g.tanh(name, _sum(g, net, "candidate/sum", (x, V[0]), (h, U[0]), b[0]))
    gates = np.arange(2)  # z and r in one product
    sums = _sum(g, net, "gates/sum", (x, np.concatenate(V[gates])), (h, np.concatenate(U[gates])), b[gates].ravel())
    both = g.logistic("gates", sums)
    z, r = g.columns("update_gate", both, 0, k), g.columns("reset_gate", both, k, k)
    outside = g.product("candidate/input", x, V[2], b[2])
    inside = _recurrent(g, net, "candidate/recurrent", h, U[2], cell.reset_bias[:k])
    c = g.tanh("candidate", g.add("candidate/sum", outside, g.mul("candidate/reset", r, inside)))
    return g.add(name, h, g.mul("change", z, g.sub("distance", c, h)))


def step_level(g: Graph, net: Network, x: Tensor, h: Tensor, k: int) -> Tensor:
    """`h_next` (1, D), h after a step that updates its k leading dimensions: the others pass as they are."""
    if k == net.hidden:
        return update(g, net, x, h, k, "h_next")
    awake = g.columns("h_awake", h, 0, k)
    asleep = g.columns("h_asleep", h, k, net.hidden - k)
    return g.concatenation("h_next", [update(g, net, x, awake, k, "h_awake_next"), asleep])


def head(g: Graph, net: Network, h: Tensor) -> Tensor:
    """The output `correction` (1, C); the shrinking is folded into the weights."""
    return g.product("correction", h, *net.head.shrunk)


def _sum(g: Graph, net: Network, name: str, outer: tuple[Tensor, F32], inner: tuple[Tensor, F32], bias: F32) -> Tensor:
    """V x + U h + b: one product of x and h side by side; in int8 two, because a large x would round h away."""
    (x, V), (h, U) = outer, inner
    if not net.int8:
        joined = g.concatenation(name + "/x_h", [x, h])
        return g.product(name, joined, np.concatenate((V, U), axis=1), bias)
    recurrent = _recurrent(g, net, name + "/recurrent", h, U, np.zeros_like(bias))
    return g.add(name, g.product(name + "/input", x, V, bias), recurrent)


def _recurrent(g: Graph, net: Network, name: str, h: Tensor, U: F32, bias: F32) -> Tensor:
    """U h + bias. In int8 each row of U has its own scale, as a product after the product.

    The format can hold a scale for each row, but tflite-runtime 2.14 takes the first for all and says nothing.
    """
    if not net.int8:
        return g.product(name, h, U, bias)
    scale = np.abs(U).max(axis=1)
    scale[scale == 0] = 1
    rounded = g.rounded_product(name + "/rounded", h, U / scale[:, None], bias / scale)
    return g.mul(name, rounded, g.constant(name + "/scale", scale[None]))


def _whole(g: Graph, name: str, value: int) -> Tensor:
    return g.constant(name, np.array([value], np.int32))
