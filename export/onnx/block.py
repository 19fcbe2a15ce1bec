"""Builds ONNX graphs and the branches in them from named operators and constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOAT, INT32, BOOL, DOUBLE = 1, 6, 9, 11
"""Type numbers of TensorProto, for `Cast`."""
OPSET, IR_VERSION = 17, 8
"""The oldest versions with all operators used, so that onnxruntime 1.16 and many other hosts load the file."""


class GraphBlock:
    """Builds a main graph, or with a `scope` a branch of one, all of whose names begin with the scope.

    A branch can use the values of the graph around it. Values have descriptive names: a viewer then shows the formulas.
    """

    def __init__(self, scope: str = "") -> None:
        from onnx import helper, numpy_helper

        self._helper: Any = helper
        self._from_array: Any = numpy_helper.from_array
        self._scope = scope
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a named constant, or return it if it is there. Raises ValueError if that one has another content."""
        full = self._scope + name
        tensor = self._from_array(np.ascontiguousarray(value), full)
        if self._constants.setdefault(full, tensor).SerializeToString() != tensor.SerializeToString():
            raise ValueError(f"constant {full} has two different values")
        return full

    def floats(self, name: str, value: ArrayLike) -> str:
        """Add a float32 constant."""
        return self.constant(name, np.asarray(value, np.float32))

    def doubles(self, name: str, value: ArrayLike) -> str:
        """Add a float64 constant."""
        return self.constant(name, np.asarray(value, np.float64))

    def int32(self, name: str, value: int) -> str:
        """Add an int32 constant (1,)."""
        return self.constant(name, np.array([value], np.int32))

    def op(self, kind: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Add an operator with one output called `name`."""
        return self.ops(kind, inputs, [name], **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], names: Sequence[str], **attributes: Any) -> list[str]:
        """Add an operator with several outputs; its own name is that of the first."""
        outputs = [self._scope + name for name in names]
        self._nodes.append(self._helper.make_node(kind, inputs, outputs, name=outputs[0], **attributes))
        return outputs

    def product(self, x: str, weights: NDArray[Any], bias: str | NDArray[Any], name: str) -> str:
        """Return x W + b for x (B, n), W (n, m) and b (m,), or a value (B, m)."""
        w = self.constant(f"{name}/W", weights)
        b = bias if isinstance(bias, str) else self.constant(f"{name}/b", bias)
        return self.op("Gemm", [x, w, b], name)

    def rows(self, x: str, first: int, last: int, name: str) -> str:
        """Return x[first:last] of x (n, m)."""
        borders = [self.constant(f"row_{row}", np.array([row], np.int64)) for row in (first, last)]
        return self.op("Slice", [x, *borders, self.constant("axis_0", np.zeros(1, np.int64))], name)

    def split(self, x: str, sizes: Sequence[int], names: Sequence[str]) -> list[str]:
        """Split x (B, sum of sizes) into groups of neighbouring columns."""
        where = self.constant("sizes/" + "_".join(map(str, sizes)), np.array(sizes, np.int64))
        return self.ops("Split", [x, where], names, axis=1)

    def branch(
        self, condition: str, then: GraphBlock, otherwise: GraphBlock, output: str, width: int, name: str
    ) -> str:
        """Add an `If` that returns the value `output` (1, width) of one of two blocks; the other is not run."""
        ends = [value(block.named(output), np.float32, (1, width)) for block in (then, otherwise)]
        graphs = {
            "then_branch": then.graph([], ends[:1], f"{self.named(name)}/then"),
            "else_branch": otherwise.graph([], ends[1:], f"{self.named(name)}/else"),
        }
        return self.op("If", [condition], name, **graphs)

    def named(self, name: str) -> str:
        """Return the full name of a value in the block's scope."""
        return self._scope + name

    def graph(self, inputs: Sequence[Any], outputs: Sequence[Any], name: str) -> Any:
        """Return the finished graph."""
        return self._helper.make_graph(self._nodes, name, inputs, outputs, initializer=list(self._constants.values()))


def value(name: str, kind: type[np.generic], shape: Sequence[int | str]) -> Any:
    """Return an input or output of the main graph; a text in `shape` is a free size."""
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
