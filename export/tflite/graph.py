"""Builds a .tflite file: subgraphs, tensors by name, operators in execution order, metadata.

It uses the schema's own classes and no converter. `operators.py` has the numbers of operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.export.tflite import operators as ops
from vcedge.schema import F32


@dataclass(frozen=True)
class TensorRef:
    """Refers to a tensor of one subgraph."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class FileBuilder:
    """Builds the file. Subgraphs are numbered in the order of adding; interpreters run number 0."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self._model: Any = schema.ModelT()
        self._model.version = ops.SCHEMA_VERSION
        self._model.subgraphs, self._model.operatorCodes = [], []
        self._model.buffers = [schema.BufferT()]  # number 0 is that of all tensors without content
        self._model.metadata, self._model.signatureDefs = [], []
        self._codes: list[ops.Code] = []

    def graph(self, name: str) -> SubgraphBuilder:
        """Add a subgraph."""
        subgraph = self.schema.SubGraphT()
        subgraph.name, subgraph.tensors, subgraph.operators = name, [], []
        self._model.subgraphs.append(subgraph)
        return SubgraphBuilder(self, subgraph, len(self._model.subgraphs) - 1)

    def code(self, code: ops.Code) -> int:
        """Return the index of an operator in the file's table of operators, adding it if it is new."""
        if code not in self._codes:
            entry = self.schema.OperatorCodeT()
            entry.builtinCode, entry.version = code
            entry.deprecatedBuiltinCode = min(code.builtin, 127)  # one byte; 127 refers to the other field
            self._codes.append(code)
            self._model.operatorCodes.append(entry)
        return self._codes.index(code)

    def buffer(self, data: bytes) -> int:
        """Add a buffer of constant content and return its number."""
        self._model.buffers.append(ops.aligned_buffer(self.schema, data))
        return len(self._model.buffers) - 1

    def signature(
        self, graph: SubgraphBuilder, key: str, inputs: Mapping[str, TensorRef], outputs: Mapping[str, TensorRef]
    ) -> None:
        """Name a subgraph's inputs and outputs for hosts."""
        definition = self.schema.SignatureDefT()
        definition.signatureKey, definition.subgraphIndex = key, graph.number
        definition.inputs, definition.outputs = self._tensor_map(inputs), self._tensor_map(outputs)
        self._model.signatureDefs.append(definition)

    def metadata(self, name: str, data: bytes) -> None:
        """Add a named entry that interpreters ignore."""
        entry = self.schema.MetadataT()
        entry.name, entry.buffer = name, self.buffer(data)
        self._model.metadata.append(entry)

    def build(self, description: str) -> bytes:
        """Return the bytes of the file; the same calls give the same bytes."""
        import flatbuffers

        self._model.description = description
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self._model.Pack(builder), ops.IDENTIFIER)
        return bytes(builder.Output())

    def _tensor_map(self, tensors: Mapping[str, TensorRef]) -> list[Any]:
        entries = []
        for name, tensor in tensors.items():
            entry = self.schema.TensorMapT()
            entry.name, entry.tensorIndex = name, tensor.index
            entries.append(entry)
        return entries


class SubgraphBuilder:
    """Builds one subgraph. The method of an operator adds it and returns its output, called `name`."""

    def __init__(self, file: FileBuilder, subgraph: Any, number: int) -> None:
        self.file, self.number = file, number
        self._subgraph = subgraph

    def tensor(self, name: str, shape: Sequence[int], dtype: Any = np.float32, buffer: int = 0) -> TensorRef:
        """Add a tensor, a constant if `buffer` is the number of its content."""
        tensor, kind = self.file.schema.TensorT(), np.dtype(dtype)
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), ops.KINDS[kind], buffer
        self._subgraph.tensors.append(tensor)
        return TensorRef(len(self._subgraph.tensors) - 1, tuple(shape), kind)

    def constant(self, name: str, array: NDArray[Any]) -> TensorRef:
        """Add a constant tensor."""
        return self.tensor(name, array.shape, array.dtype, self.file.buffer(np.ascontiguousarray(array).tobytes()))

    def interface(self, inputs: Iterable[TensorRef], outputs: Iterable[TensorRef]) -> None:
        """Set the inputs and outputs, in this order."""
        self._subgraph.inputs = [tensor.index for tensor in inputs]
        self._subgraph.outputs = [tensor.index for tensor in outputs]

    def operator(
        self,
        code: ops.Code,
        inputs: Sequence[TensorRef],
        outputs: Sequence[TensorRef],
        options: str = "",
        **fields: Any,
    ) -> None:
        """Add an operator; `options` names its options table in the schema, `fields` are that table's fields."""
        schema, operator = self.file.schema, self.file.schema.OperatorT()
        operator.opcodeIndex = self.file.code(code)
        operator.inputs = [tensor.index for tensor in inputs]
        operator.outputs = [tensor.index for tensor in outputs]
        if options:
            table = getattr(schema, options + "T")()
            for name, value in fields.items():
                setattr(table, name, value)
            second = hasattr(schema.BuiltinOptions2, options)  # the union of newer operators
            union = schema.BuiltinOptions2 if second else schema.BuiltinOptions
            suffix = "2" if second else ""
            setattr(operator, "builtinOptions" + suffix, table)
            setattr(operator, f"builtinOptions{suffix}Type", getattr(union, options))
        self._subgraph.operators.append(operator)

    def product(self, name: str, x: TensorRef, weights: F32, bias: F32) -> TensorRef:
        """Return W x + b."""
        return self._product(name, x, self.constant(name + "/weights", weights), bias)

    def rounded_product(self, name: str, x: TensorRef, weights: F32, bias: F32) -> TensorRef:
        """Return W x + b for weights from -1 to 1, stored in 8 bits; x is rounded to 8 bits at run time."""
        w = self._int8_constant(name + "/weights", weights * ops.INT8_MAX, np.array([1 / ops.INT8_MAX], np.float32))
        return self._product(name, x, w, bias, quantize_inputs=True)

    def int8_product(self, name: str, x: TensorRef, weights: F32, bias: F32) -> TensorRef:
        """Add W x + b with int8 weights, one scale a row; x is rounded to 8 bits at run time."""
        scale = np.maximum(np.abs(weights).max(axis=1), np.float32(1e-12)) / np.float32(ops.INT8_MAX)
        w = self._int8_constant(name + "/weights", weights / scale[:, None], scale)
        return self._product(name, x, w, bias, quantize_inputs=True)

    def _int8_constant(self, name: str, values: F32, scale: F32) -> TensorRef:
        """Add int8 weights: `values` are rounded, and `scale` is what one step is worth, for all or for each row."""
        w = self.constant(name, np.clip(np.rint(values), -ops.INT8_MAX, ops.INT8_MAX).astype(np.int8))
        quantization = self.file.schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = scale, np.zeros(len(scale), np.int64)
        self._subgraph.tensors[w.index].quantization = quantization
        return w

    def _product(self, name: str, x: TensorRef, w: TensorRef, bias: F32, *, quantize_inputs: bool = False) -> TensorRef:
        b = self.constant(name + "/bias", np.asarray(bias, np.float32))
        y = self.tensor(name, (1, w.shape[0]))
        self.operator(
            ops.FULLY_CONNECTED, [x, w, b], [y], "FullyConnectedOptions", asymmetricQuantizeInputs=quantize_inputs
        )
        return y

    def logistic(self, name: str, x: TensorRef) -> TensorRef:
        """Return 1 / (1 + exp(-x))."""
        return self._like(ops.LOGISTIC, name, [x])

    def tanh(self, name: str, x: TensorRef) -> TensorRef:
        """Return the hyperbolic tangent of x."""
        return self._like(ops.TANH, name, [x])

    def add(self, name: str, a: TensorRef, b: TensorRef) -> TensorRef:
        """Return a + b."""
        return self._like(ops.ADD, name, [a, b], "AddOptions")

    def sub(self, name: str, a: TensorRef, b: TensorRef) -> TensorRef:
        """Return a - b."""
        return self._like(ops.SUB, name, [a, b], "SubOptions")

    def mul(self, name: str, a: TensorRef, b: TensorRef) -> TensorRef:
        """Return a b, element by element."""
        return self._like(ops.MUL, name, [a, b], "MulOptions")

    def maximum(self, name: str, a: TensorRef, b: TensorRef) -> TensorRef:
        """Return the larger of each two elements."""
        return self._like(ops.MAXIMUM, name, [a, b], "MaximumMinimumOptions")

    def minimum(self, name: str, a: TensorRef, b: TensorRef) -> TensorRef:
        """Return the smaller of each two elements."""
        return self._like(ops.MINIMUM, name, [a, b], "MaximumMinimumOptions")

    def equal(self, name: str, a: TensorRef, b: TensorRef) -> TensorRef:
        """Return where elements are equal."""
        out = self.tensor(name, a.shape, np.bool_)
        self.operator(ops.EQUAL, [a, b], [out], "EqualOptions")
        return out

    def select(self, name: str, condition: TensorRef, yes: TensorRef, no: TensorRef) -> TensorRef:
        """Return the elements of `yes` where the condition holds, else those of `no`."""
        out = self.tensor(name, yes.shape)
        self.operator(ops.SELECT, [condition, yes, no], [out], "SelectV2Options")
        return out

    def bucketize(self, name: str, x: TensorRef, boundaries: Sequence[float]) -> TensorRef:
        """Return how many of the increasing boundaries are at most x, int32."""
        out = self.tensor(name, x.shape, np.int32)
        self.operator(ops.BUCKETIZE, [x], [out], "BucketizeOptions", boundaries=list(boundaries))
        return out

    def gather(self, name: str, table: TensorRef, row: TensorRef) -> TensorRef:
        """Return rows of a table by number."""
        out = self.tensor(name, (*row.shape, *table.shape[1:]), table.dtype)
        self.operator(ops.GATHER, [table, row], [out], "GatherOptions", axis=0)
        return out

    def concatenation(self, name: str, parts: Sequence[TensorRef]) -> TensorRef:
        """Return rows (1, n) side by side."""
        out = self.tensor(name, (1, sum(part.shape[1] for part in parts)))
        self.operator(ops.CONCATENATION, parts, [out], "ConcatenationOptions", axis=1)
        return out

    def columns(self, name: str, x: TensorRef, begin: int, size: int) -> TensorRef:
        """Return x[:, begin:begin + size]."""
        out = self.tensor(name, (1, size))
        first = self.constant(name + "/begin", np.array([0, begin], np.int32))
        count = self.constant(name + "/size", np.array([1, size], np.int32))
        self.operator(ops.SLICE, [x, first, count], [out], "SliceOptions")
        return out

    def reshape(self, name: str, x: TensorRef, shape: tuple[int, ...]) -> TensorRef:
        """Return the same elements in another shape."""
        out = self.tensor(name, shape, x.dtype)
        wanted = self.constant(name + "/shape", np.array(shape, np.int32))
        self.operator(ops.RESHAPE, [x, wanted], [out], "ReshapeOptions", newShape=list(shape))
        return out

    def _like(self, code: ops.Code, name: str, inputs: Sequence[TensorRef], options: str = "") -> TensorRef:
        """Add an operator whose output has the shape of its widest input."""
        widest = max(inputs, key=lambda tensor: int(np.prod(tensor.shape)))
        out = self.tensor(name, widest.shape, widest.dtype)
        self.operator(code, inputs, [out], options)
        return out
