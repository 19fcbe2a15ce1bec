"""Lists the arrays of a detector that a model file stores as tensors: their names, shapes and ranges of values.

Writer and reader (`model_file`) and the packing of the native kernel use this table. docs/model-format.md has the same
table with the meaning of each tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Literal, NamedTuple

from vcedge.detector import Detector
from vcedge.schema import F32

Values = Literal["finite", "positive", "share"]
"""Allowed values of a tensor: any finite number, one greater than 0, one from 0 to 1."""


class TensorSpec(NamedTuple):
    """Describes a tensor by its shape, in the sizes of docs/model-format.md, and its allowed values."""

    shape: tuple[str, ...]
    values: Values = "finite"


TENSORS: Mapping[str, TensorSpec] = {
    "highway.weights": TensorSpec(("1 + P C", "C")),
    "highway.bias": TensorSpec(("C",)),
    "highway.spread": TensorSpec(("C",), "positive"),
    "cell.recurrent": TensorSpec(("G", "D", "D")),
    "cell.input": TensorSpec(("G", "D", "N")),
    "cell.bias": TensorSpec(("G", "D")),
    "cell.reset_bias": TensorSpec(("R",)),
    "cell.gate_hidden": TensorSpec(("D",)),
    "cell.gate_input": TensorSpec(("N + 3 C",)),
    "head.weights": TensorSpec(("C", "D")),
    "head.bias": TensorSpec(("C",)),
    "head.shrink": TensorSpec(("C",), "share"),
    "head.error_scale": TensorSpec(("C",), "positive"),
    "scorer.whiten": TensorSpec(("C", "C")),
    "scorer.horizon.weights": TensorSpec(("1 + O C", "C")),
    "scorer.horizon.bias": TensorSpec(("C",)),
    "scorer.horizon.spread": TensorSpec(("C",), "positive"),
    "scorer.reconstruction.mean": TensorSpec(("K C",)),
    "scorer.reconstruction.components": TensorSpec(("M", "K C")),
    "scorer.initial": TensorSpec(("KINDS", "C")),
    "scorer.intercept": TensorSpec(("TRACKS", "C")),
    "scorer.slope": TensorSpec(("TRACKS", "C")),
    "scorer.distance.scale": TensorSpec(("C",)),
    "scorer.distance.centroids": TensorSpec(("Z", "C")),
    "scorer.cycle.mean": TensorSpec(("2", "C")),
    "scorer.cycle.scale": TensorSpec(("2", "C")),
    "resemblance.mean": TensorSpec(("F",)),
    "resemblance.whitening": TensorSpec(("F", "F")),
    "resemblance.centroids": TensorSpec(("E", "F")),
}
"""Tensors by the name in the file, which is also the attribute path from a `Detector` to the array."""


def part_of(name: str) -> str:
    """Return the part of a detector that a tensor belongs to: its name without the last word."""
    return name.rpartition(".")[0]


def tensors_of(detector: Detector) -> dict[str, F32]:
    """Return the arrays of a detector that are stored as tensors, by name; a part that is None has none."""
    return {name: attrgetter(name)(detector) for name in TENSORS if attrgetter(part_of(name))(detector) is not None}
