"""Builds a .tflite file: subgraphs, tensors by name, operators in execution order, metadata.

It uses the schema's own classes and no converter. The numbers of operators and their versions are those of TensorFlow
Lite's schema; tflite-runtime 2.14 knows all but CASE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vcedge.schema import F32

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
ALIGN = 16
"""Alignment of constants in bytes, as the schema asks."""


class Code(NamedTuple):
    """Names an operator of the schema and its version."""

    builtin: int
    version: int = 1


ADD, CONCATENATION, LOGISTIC, MUL, RESHAPE, TANH = Code(0), Code(2), Code(14), Code(18), Code(22), Code(28)
GATHER, SUB, MAXIMUM, MINIMUM, SLICE, EQUAL = Code(36, 3), Code(41), Code(55), Code(57), Code(65), Code(71)
IF, SELECT, BUCKETIZE, CASE = Code(118), Code(123), Code(147), Code(209)
FULLY_CONNECTED = Code(9, 9)
"""With int8 weights, version 9 quantizes its input asymmetrically."""
INT8_MAX = 127
KINDS: Mapping[Any, int] = {np.dtype(np.float32): 0, np.dtype(np.int32): 2, np.dtype(np.bool_): 6, np.dtype(np.int8): 9}
"""The schema's number of each tensor type."""


@dataclass(frozen=True)
class Tensor:
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
        self._model.version = SCHEMA_VERSION
        self._model.subgraphs, self._model.operatorCodes = [], []
        self._model.buffers = [schema.BufferT()]  # number 0 is that of all tensors without content
        self._model.metadata, self._model.signatureDefs = [], []
        self._codes: list[Code] = []

    def graph(self, name: str) -> SubgraphBuilder:
        """Add a subgraph."""
        subgraph = self.schema.SubGraphT()
        subgraph.name, subgraph.tensors, subgraph.operators = name, [], []
        self._model.subgraphs.append(subgraph)
        return SubgraphBuilder(self, subgraph, len(self._model.subgraphs) - 1)

    def code(self, code: Code) -> int:
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
        self._model.buffers.append(_aligned_buffer(self.schema, data))
        return len(self._model.buffers) - 1

    def signature(
        self, graph: SubgraphBuilder, key: str, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
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
        builder.Finish(self._model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())

    def _tensor_map(self, tensors: Mapping[str, Tensor]) -> list[Any]:
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

    def tensor(self, name: str, shape: Sequence[int], dtype: Any = np.float32, buffer: int = 0) -> Tensor:
        """Add a tensor, a constant if `buffer` is the number of its content."""
        tensor, kind = self.file.schema.TensorT(), np.dtype(dtype)
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), KINDS[kind], buffer
        self._subgraph.tensors.append(tensor)
        return Tensor(len(self._subgraph.tensors) - 1, tuple(shape), kind)

    def constant(self, name: str, array: NDArray[Any]) -> Tensor:
        """Add a constant tensor."""
        return self.tensor(name, array.shape, array.dtype, self.file.buffer(np.ascontiguousarray(array).tobytes()))

    def interface(self, inputs: Iterable[Tensor], outputs: Iterable[Tensor]) -> None:
        """Set the inputs and outputs, in this order."""
        self._subgraph.inputs = [tensor.index for tensor in inputs]
        self._subgraph.outputs = [tensor.index for tensor in outputs]

    def operator(
        self, code: Code, inputs: Sequence[Tensor], outputs: Sequence[Tensor], options: str = "", **fields: Any
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

    def product(self, name: str, x: Tensor, weights: F32, bias: F32) -> Tensor:
        """Return W x + b."""
        return self._product(name, x, self.constant(name + "/weights", weights), bias)

    def rounded_product(self, name: str, x: Tensor, weights: F32, bias: F32) -> Tensor:
        """Return W x + b for weights from -1 to 1, stored in 8 bits; x is rounded to 8 bits at run time."""
        w = self._int8_constant(name + "/weights", weights * INT8_MAX, np.array([1 / INT8_MAX], np.float32))
        return self._product(name, x, w, bias, quantize_inputs=True)

    def int8_product(self, name: str, x: Tensor, weights: F32, bias: F32) -> Tensor:
        """Add W x + b with int8 weights, one scale a row; x is rounded to 8 bits at run time."""
        scale = np.maximum(np.abs(weights).max(axis=1), np.float32(1e-12)) / np.float32(INT8_MAX)
        w = self._int8_constant(name + "/weights", weights / scale[:, None], scale)
        return self._product(name, x, w, bias, quantize_inputs=True)

    def _int8_constant(self, name: str, values: F32, scale: F32) -> Tensor:
        """Add int8 weights: `values` are rounded, and `scale` is what one step is worth, for all or for each row."""
        w = self.constant(name, np.clip(np.rint(values), -INT8_MAX, INT8_MAX).astype(np.int8))
        quantization = self.file.schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = scale, np.zeros(len(scale), np.int64)
        self._subgraph.tensors[w.index].quantization = quantization
        return w

    def _product(self, name: str, x: Tensor, w: Tensor, bias: F32, *, quantize_inputs: bool = False) -> Tensor:
        b = self.constant(name + "/bias", np.asarray(bias, np.float32))
        y = self.tensor(name, (1, w.shape[0]))
        self.operator(
            FULLY_CONNECTED, [x, w, b], [y], "FullyConnectedOptions", asymmetricQuantizeInputs=quantize_inputs
        )
        return y

    def logistic(self, name: str, x: Tensor) -> Tensor:
        """Return 1 / (1 + exp(-x))."""
        return self._like(LOGISTIC, name, [x])

    def tanh(self, name: str, x: Tensor) -> Tensor:
        """Return the hyperbolic tangent of x."""
        return self._like(TANH, name, [x])

    def add(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return a + b."""
        return self._like(ADD, name, [a, b], "AddOptions")

    def sub(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return a - b."""
        return self._like(SUB, name, [a, b], "SubOptions")

    def mul(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return a b, element by element."""
        return self._like(MUL, name, [a, b], "MulOptions")

    def maximum(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return the larger of each two elements."""
        return self._like(MAXIMUM, name, [a, b], "MaximumMinimumOptions")

    def minimum(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return the smaller of each two elements."""
        return self._like(MINIMUM, name, [a, b], "MaximumMinimumOptions")

    def equal(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return where elements are equal."""
        out = self.tensor(name, a.shape, np.bool_)
        self.operator(EQUAL, [a, b], [out], "EqualOptions")
        return out

    def select(self, name: str, condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
        """Return the elements of `yes` where the condition holds, else those of `no`."""
        out = self.tensor(name, yes.shape)
        self.operator(SELECT, [condition, yes, no], [out], "SelectV2Options")
        return out

    def bucketize(self, name: str, x: Tensor, boundaries: Sequence[float]) -> Tensor:
        """Return how many of the increasing boundaries are at most x, int32."""
        out = self.tensor(name, x.shape, np.int32)
        self.operator(BUCKETIZE, [x], [out], "BucketizeOptions", boundaries=list(boundaries))
        return out

    def gather(self, name: str, table: Tensor, row: Tensor) -> Tensor:
        """Return rows of a table by number."""
        out = self.tensor(name, (*row.shape, *table.shape[1:]), table.dtype)
        self.operator(GATHER, [table, row], [out], "GatherOptions", axis=0)
        return out

    def concatenation(self, name: str, parts: Sequence[Tensor]) -> Tensor:
        """Return rows (1, n) side by side."""
        out = self.tensor(name, (1, sum(part.shape[1] for part in parts)))
        self.operator(CONCATENATION, parts, [out], "ConcatenationOptions", axis=1)
        return out

    def columns(self, name: str, x: Tensor, begin: int, size: int) -> Tensor:
        """Return x[:, begin:begin + size]."""
        out = self.tensor(name, (1, size))
        first = self.constant(name + "/begin", np.array([0, begin], np.int32))
        count = self.constant(name + "/size", np.array([1, size], np.int32))
        self.operator(SLICE, [x, first, count], [out], "SliceOptions")
        return out

    def reshape(self, name: str, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return the same elements in another shape."""
        out = self.tensor(name, shape, x.dtype)
        wanted = self.constant(name + "/shape", np.array(shape, np.int32))
        self.operator(RESHAPE, [x, wanted], [out], "ReshapeOptions", newShape=list(shape))
        return out

    def _like(self, code: Code, name: str, inputs: Sequence[Tensor], options: str = "") -> Tensor:
        """Add an operator whose output has the shape of its widest input."""
        widest = max(inputs, key=lambda tensor: int(np.prod(tensor.shape)))
        out = self.tensor(name, widest.shape, widest.dtype)
        self.operator(code, inputs, [out], options)
        return out


def _aligned_buffer(schema: Any, data: bytes) -> Any:
    """Return a buffer whose content is aligned, which the schema's own class does not do."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - the schema's name
            builder.StartVector(1, len(data), ALIGN)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    return Aligned()
