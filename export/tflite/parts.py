"""Writes the pieces of a step as operators: scheduler (eq. 7), update of h[:k] (eq. 4 to 6, 13), head.

The formulas are those of `vcedge.runtime.engine.numpy_cell`, arranged for the fewest operators: in a model for sensors
an operator costs more than its arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.export.network import StoredNetwork
from vcedge.export.tflite.graph import SubgraphBuilder, TensorRef
from vcedge.schema import F32

NEVER = float(np.finfo(np.float32).max)
"""A limit that no logit reaches, for a single level: the operator needs a limit, interpreters need every input used."""


@dataclass(frozen=True)
class Inputs:
    """Holds the inputs of a graph with the complete interface of `vcedge.export.formats`."""

    signals: TensorRef  # (1, S)
    h: TensorRef  # (1, D)
    min_level: TensorRef  # (1,) int32
    logit_bias: TensorRef  # (1,)

    def all(self) -> dict[str, TensorRef]:
        """Return the inputs by name."""
        return dict(vars(self))


def inputs(g: SubgraphBuilder, net: StoredNetwork, signals: int) -> Inputs:
    """Add the inputs; `signals` is S, the number of the scheduler's inputs."""
    return Inputs(
        g.tensor("signals", (1, signals)),
        g.tensor("h", (1, net.cell.spec.hidden)),
        g.tensor("min_level", (1,), np.int32),
        g.tensor("logit_bias", (1,)),
    )


def schedule(g: SubgraphBuilder, net: StoredNetwork, given: Inputs) -> TensorRef:
    """Return the index (1,), 0 to L - 1, of the level that the scheduler picks, or of the floor if that is higher."""
    cell = net.cell
    signals = given.signals.shape[1]
    gate: F32 = np.concatenate((cell.gate_input[:signals], cell.gate_hidden))[None]
    seen = g.concatenation("scheduler/signals_h", [given.signals, given.h])
    sum_ = g.product("scheduler/product", seen, gate, np.array([cell.gate_bias], np.float32))
    logit = g.add("scheduler/logit", g.reshape("scheduler/sum", sum_, (1,)), given.logit_bias)
    chosen = g.bucketize("scheduler/chosen", logit, cell.spec.thresholds().tolist() or [NEVER])
    floor = g.sub("scheduler/floor", given.min_level, _int32(g, "one", 1))
    above = g.maximum("scheduler/at_least_floor", chosen, floor)
    return g.minimum("scheduler/index", above, _int32(g, "top", cell.spec.levels - 1))


def level_of(g: SubgraphBuilder, index: TensorRef) -> TensorRef:
    """Return the output `level` (1,), 1 to L, for an index from 0."""
    return g.add("level", index, _int32(g, "first_level", 1))


def network_inputs(g: SubgraphBuilder, net: StoredNetwork, signals: TensorRef) -> TensorRef:
    """Return x (1, N), the first of the signals."""
    return signals if signals.shape[1] == net.cell.spec.inputs else g.columns("x", signals, 0, net.cell.spec.inputs)


def update(g: SubgraphBuilder, net: StoredNetwork, x: TensorRef, h: TensorRef, k: int, name: str) -> TensorRef:
    """Return h[:k] (1, k) after a step, from x (1, N) and h[:k] (1, k), as a tensor called `name`."""
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


def step_level(g: SubgraphBuilder, net: StoredNetwork, x: TensorRef, h: TensorRef, k: int) -> TensorRef:
    """Return `h_next` (1, D): h after a step that updates its k leading dimensions and copies the others."""
    if k == net.cell.spec.hidden:
        return update(g, net, x, h, k, "h_next")
    awake = g.columns("h_awake", h, 0, k)
    asleep = g.columns("h_asleep", h, k, net.cell.spec.hidden - k)
    return g.concatenation("h_next", [update(g, net, x, awake, k, "h_awake_next"), asleep])


def head(g: SubgraphBuilder, net: StoredNetwork, h: TensorRef) -> TensorRef:
    """Return the output `correction` (1, C); the shrinkage is folded into the weights."""
    return g.product("correction", h, *net.head.shrunk)


def _sum(
    g: SubgraphBuilder,
    net: StoredNetwork,
    name: str,
    outer: tuple[TensorRef, F32],
    inner: tuple[TensorRef, F32],
    bias: F32,
) -> TensorRef:
    """Return V x + U h + b: one product of x and h side by side, or with int8 two: a large x would round h away."""
    (x, V), (h, U) = outer, inner
    if not net.int8:
        joined = g.concatenation(name + "/x_h", [x, h])
        return g.product(name, joined, np.concatenate((V, U), axis=1), bias)
    recurrent = _recurrent(g, net, name + "/recurrent", h, U, np.zeros_like(bias))
    return g.add(name, g.product(name + "/input", x, V, bias), recurrent)


def _recurrent(g: SubgraphBuilder, net: StoredNetwork, name: str, h: TensorRef, U: F32, bias: F32) -> TensorRef:
    """Return U h + bias. With int8 each row of U has its own scale, applied by a second product.

    The format can hold a scale for each row, but tflite-runtime 2.14 silently applies the first one to all rows.
    """
    if not net.int8:
        return g.product(name, h, U, bias)
    scale = np.abs(U).max(axis=1)
    scale[scale == 0] = 1
    rounded = g.rounded_product(name + "/rounded", h, U / scale[:, None], bias / scale)
    return g.mul(name, rounded, g.constant(name + "/scale", scale[None]))


def _int32(g: SubgraphBuilder, name: str, value: int) -> TensorRef:
    return g.constant(name, np.array([value], np.int32))
