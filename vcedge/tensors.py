"""The arrays of a detector that a model file stores as tensors: their names, shapes and ranges of values.

Writer and reader (`model_file`) and the packing of the native kernel go by this table. docs/model-format.md has the
same table with what each tensor means.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Literal, NamedTuple

from vcedge.detector import Detector
from vcedge.schema import F32

Values = Literal["finite", "positive", "share"]
"""What the values of a tensor may be: any finite number, one greater than 0, one from 0 to 1."""


class Tensor(NamedTuple):
    """A tensor's shape, in the sizes of docs/model-format.md, and what its values may be."""

    shape: tuple[str, ...]
    values: Values = "finite"


TENSORS: Mapping[str, Tensor] = {
    "highway.weights": Tensor(("1 + P C", "C")),
    "highway.bias": Tensor(("C",)),
    "highway.spread": Tensor(("C",), "positive"),
    "cell.recurrent": Tensor(("G", "D", "D")),
    "cell.input": Tensor(("G", "D", "N")),
    "cell.bias": Tensor(("G", "D")),
    "cell.reset_bias": Tensor(("R",)),
    "cell.gate_hidden": Tensor(("D",)),
    "cell.gate_input": Tensor(("N + 3 C",)),
    "head.weights": Tensor(("C", "D")),
    "head.bias": Tensor(("C",)),
    "head.shrink": Tensor(("C",), "share"),
    "head.error_scale": Tensor(("C",), "positive"),
    "scorer.whiten": Tensor(("C", "C")),
    "scorer.horizon.weights": Tensor(("1 + O C", "C")),
    "scorer.horizon.bias": Tensor(("C",)),
    "scorer.horizon.spread": Tensor(("C",), "positive"),
    "scorer.reconstruction.mean": Tensor(("K C",)),
    "scorer.reconstruction.components": Tensor(("M", "K C")),
    "resemblance.mean": Tensor(("F",)),
    "resemblance.whitening": Tensor(("F", "F")),
    "resemblance.centroids": Tensor(("E", "F")),
}
"""By the name in the file, which is also the way to the array from a `Detector`."""


def part_of(name: str) -> str:
    """Return the part of a detector that a tensor belongs to: the first word of its name."""
    return name.partition(".")[0]


def tensors_of(detector: Detector) -> dict[str, F32]:
    """Return the arrays of a detector that are stored as tensors, by name; a part that is None has none."""
    return {name: attrgetter(name)(detector) for name in TENSORS if getattr(detector, part_of(name)) is not None}
