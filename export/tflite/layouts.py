"""The layouts: how the levels of one network lie in a file. docs/export.md says which is for whom."""

from __future__ import annotations

import numpy as np

from vcedge.export.tflite.graph import CASE, IF, File, Graph, Tensor
from vcedge.export.tflite.parts import (
    Inputs,
    Network,
    head,
    inputs,
    level_of,
    network_inputs,
    schedule,
    step_level,
    update,
)

SIGNATURE = "step"
"""Key that hosts find the step by."""
IF4 = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""Levels of the layout `if4`, as shares of the hidden dimensions: all of them together weigh 1.33 times the largest."""


def fits_if4(boundaries: tuple[int, ...]) -> bool:
    """Whether a model was trained with the levels of `if4`. Others, rounded up to these, would be another model."""
    return tuple(8 * k for k in boundaries) == tuple(int(8 * share) * boundaries[-1] for share in IF4)


def case(net: Network, signals: int) -> File:
    """Scheduler and one branch for each level: STABLEHLO_CASE runs the chosen one only.

    The file may hold no other subgraph: LiteRT takes each for a branch.
    """
    file, g, given = _begin(net, signals)
    index = schedule(g, net, given)
    x = network_inputs(g, net, given.signals)
    after = g.tensor("h_next", (1, net.hidden))
    branches = list(range(1, 1 + len(net.boundaries)))
    g.operator(CASE, [index, x, given.h], [after], "StablehloCaseOptions", branchSubgraphIndices=branches)
    _end(file, g, net, given, level_of(g, index), after)
    for number, k in enumerate(net.boundaries, 1):
        _branch(file, f"level_{number}", net, k)
    return file


def if4(net: Network, signals: int) -> File:
    """A flat chain of IF, one for each level, for interpreters without STABLEHLO_CASE.

    Exactly one of them updates h; the others hand it on. Flat because an IF inside an IF is prepared anew whenever the
    other side is taken, which costs up to a millisecond.
    """
    file, g, given = _begin(net, signals)
    index = schedule(g, net, given)
    x = network_inputs(g, net, given.signals)
    keep, h = 1 + len(net.boundaries), given.h
    for number in range(1, keep):
        wanted = g.constant(f"index_{number}", np.array([number - 1], np.int32))
        after = g.tensor("h_next" if number == keep - 1 else f"h_after_{number}", (1, net.hidden))
        chosen = g.equal(f"is_level_{number}", index, wanted)
        g.operator(IF, [chosen, x, h], [after], "IfOptions", thenSubgraphIndex=number, elseSubgraphIndex=keep)
        h = after
    _end(file, g, net, given, level_of(g, index), h)
    for number, k in enumerate(net.boundaries, 1):
        _branch(file, f"level_{number}", net, k)
    kept = file.graph("keep")
    x, h = kept.tensor("x", (1, net.inputs)), kept.tensor("h", (1, net.hidden))
    kept.interface([x, h], [h])
    return file


def dense(net: Network, signals: int) -> File:
    """Everything is computed at every step and a mask says what of it counts: for reference; nothing is saved."""
    file, g, given = _begin(net, signals)
    index = schedule(g, net, given)
    x, h = network_inputs(g, net, given.signals), given.h
    if len(net.boundaries) == 1:
        after = update(g, net, x, h, net.hidden, "h_next")
    else:
        awake = np.arange(net.hidden) < np.array(net.boundaries)[:, None]  # (L, D)
        mask = g.gather("mask", g.constant("masks", awake), index)
        zeros = g.constant("zeros", np.zeros((1, net.hidden), np.float32))
        new = update(g, net, x, g.select("h_awake", mask, h, zeros), net.hidden, "h_candidate")
        after = g.select("h_next", mask, new, h)
    _end(file, g, net, given, level_of(g, index), after)
    return file


def scheduler_alone(net: Network, signals: int) -> File:
    """The first of a family: which of its step models is next."""
    file, g, given = _begin(net, signals)
    level = level_of(g, schedule(g, net, given))
    _interface(file, g, given.all(), {"level": level})
    return file


def step_alone(net: Network, level: int) -> File:
    """A step model of a family: x (1, N) and h in, correction and h_next out, for one level."""
    file = File()
    g = file.graph(f"level_{level}")
    x, h = g.tensor("x", (1, net.inputs)), g.tensor("h", (1, net.hidden))
    after = step_level(g, net, x, h, net.boundaries[level - 1])
    _interface(file, g, {"x": x, "h": h}, {"correction": head(g, net, after), "h_next": after})
    return file


def _begin(net: Network, signals: int) -> tuple[File, Graph, Inputs]:
    file = File()
    g = file.graph("step")
    return file, g, inputs(g, net, signals)


def _end(file: File, g: Graph, net: Network, given: Inputs, level: Tensor, after: Tensor) -> None:
    outputs = {"correction": head(g, net, after), "level": level, "h_next": after}
    _interface(file, g, given.all(), outputs)


def _interface(file: File, g: Graph, given: dict[str, Tensor], outputs: dict[str, Tensor]) -> None:
    g.interface(given.values(), outputs.values())
    file.signature(g, SIGNATURE, given, outputs)


def _branch(file: File, name: str, net: Network, k: int) -> None:
    g = file.graph(name)
    x, h = g.tensor("x", (1, net.inputs)), g.tensor("h", (1, net.hidden))
    g.interface([x, h], [step_level(g, net, x, h, k)])
