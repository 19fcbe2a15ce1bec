"""Writes the layouts, each an arrangement of a network's levels in a file; docs/export.md compares them."""

from __future__ import annotations

import numpy as np

from vcedge.export.network import StoredNetwork
from vcedge.export.tflite.graph import FileBuilder, SubgraphBuilder, TensorRef
from vcedge.export.tflite.operators import CASE, IF
from vcedge.export.tflite.parts import Inputs, head, inputs, level_of, network_inputs, schedule, step_level, update

SIGNATURE = "step"
"""Signature key by which hosts call the step."""
IF4 = (1 / 8, 1 / 4, 1 / 2, 1.0)
"""Levels of the layout `if4`, as shares of the hidden dimensions; together their weights are 1.33 times the largest."""


def fits_if4(boundaries: tuple[int, ...]) -> bool:
    """Return whether a model has exactly the levels of `if4`: rounding others to them would change the model."""
    return tuple(8 * k for k in boundaries) == tuple(int(8 * share) * boundaries[-1] for share in IF4)


def case(net: StoredNetwork, signals: int) -> FileBuilder:
    """Write the scheduler and a branch for each level, of which STABLEHLO_CASE runs only the chosen one.

    The file may hold no other subgraph: LiteRT treats each as a branch.
    """
    file, g, given = _begin(net, signals)
    index = schedule(g, net, given)
    x = network_inputs(g, net, given.signals)
    after = g.tensor("h_next", (1, net.cell.spec.hidden))
    branches = list(range(1, 1 + len(net.cell.spec.boundaries)))
    g.operator(CASE, [index, x, given.h], [after], "StablehloCaseOptions", branchSubgraphIndices=branches)
    _end(file, g, net, given, level_of(g, index), after)
    for number, k in enumerate(net.cell.spec.boundaries, 1):
        _branch(file, f"level_{number}", net, k)
    return file


def if4(net: StoredNetwork, signals: int) -> FileBuilder:
    """Write a flat chain of IF, one for each level, for interpreters without STABLEHLO_CASE.

    Exactly one of them updates h; the others pass it on. The chain is flat because an IF inside an IF is prepared again
    whenever the branch changes, which costs up to a millisecond.
    """
    file, g, given = _begin(net, signals)
    index = schedule(g, net, given)
    x = network_inputs(g, net, given.signals)
    keep, h = 1 + len(net.cell.spec.boundaries), given.h
    for number in range(1, keep):
        wanted = g.constant(f"index_{number}", np.array([number - 1], np.int32))
        after = g.tensor("h_next" if number == keep - 1 else f"h_after_{number}", (1, net.cell.spec.hidden))
        chosen = g.equal(f"is_level_{number}", index, wanted)
        g.operator(IF, [chosen, x, h], [after], "IfOptions", thenSubgraphIndex=number, elseSubgraphIndex=keep)
        h = after
    _end(file, g, net, given, level_of(g, index), h)
    for number, k in enumerate(net.cell.spec.boundaries, 1):
        _branch(file, f"level_{number}", net, k)
    kept = file.graph("keep")
    x, h = kept.tensor("x", (1, net.cell.spec.inputs)), kept.tensor("h", (1, net.cell.spec.hidden))
    kept.interface([x, h], [h])
    return file


def dense(net: StoredNetwork, signals: int) -> FileBuilder:
    """Write a graph that computes all dimensions at every step and masks the result: a reference that saves nothing."""
    file, g, given = _begin(net, signals)
    index = schedule(g, net, given)
    x, h = network_inputs(g, net, given.signals), given.h
    if len(net.cell.spec.boundaries) == 1:
        after = update(g, net, x, h, net.cell.spec.hidden, "h_next")
    else:
        awake = np.arange(net.cell.spec.hidden) < np.array(net.cell.spec.boundaries)[:, None]  # (L, D)
        mask = g.gather("mask", g.constant("masks", awake), index)
        zeros = g.constant("zeros", np.zeros((1, net.cell.spec.hidden), np.float32))
        new = update(g, net, x, g.select("h_awake", mask, h, zeros), net.cell.spec.hidden, "h_candidate")
        after = g.select("h_next", mask, new, h)
    _end(file, g, net, given, level_of(g, index), after)
    return file


def scheduler_alone(net: StoredNetwork, signals: int) -> FileBuilder:
    """Write the scheduler of a family, which picks the step model."""
    file, g, given = _begin(net, signals)
    level = level_of(g, schedule(g, net, given))
    _interface(file, g, given.all(), {"level": level})
    return file


def step_alone(net: StoredNetwork, level: int) -> FileBuilder:
    """Write the step model of one level of a family: x (1, N) and h in, correction and h_next out."""
    file = FileBuilder()
    g = file.graph(f"level_{level}")
    x, h = g.tensor("x", (1, net.cell.spec.inputs)), g.tensor("h", (1, net.cell.spec.hidden))
    after = step_level(g, net, x, h, net.cell.spec.boundaries[level - 1])
    _interface(file, g, {"x": x, "h": h}, {"correction": head(g, net, after), "h_next": after})
    return file


def _begin(net: StoredNetwork, signals: int) -> tuple[FileBuilder, SubgraphBuilder, Inputs]:
    file = FileBuilder()
    g = file.graph("step")
    return file, g, inputs(g, net, signals)


def _end(
    file: FileBuilder, g: SubgraphBuilder, net: StoredNetwork, given: Inputs, level: TensorRef, after: TensorRef
) -> None:
    outputs = {"correction": head(g, net, after), "level": level, "h_next": after}
    _interface(file, g, given.all(), outputs)


def _interface(
    file: FileBuilder, g: SubgraphBuilder, given: dict[str, TensorRef], outputs: dict[str, TensorRef]
) -> None:
    g.interface(given.values(), outputs.values())
    file.signature(g, SIGNATURE, given, outputs)


def _branch(file: FileBuilder, name: str, net: StoredNetwork, k: int) -> None:
    g = file.graph(name)
    x, h = g.tensor("x", (1, net.cell.spec.inputs)), g.tensor("h", (1, net.cell.spec.hidden))
    g.interface([x, h], [step_level(g, net, x, h, k)])
