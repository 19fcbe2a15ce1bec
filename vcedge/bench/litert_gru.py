"""Writes a dense GRU with head as a .tflite file, a peer of `vcedge bench`, with the classes of the schema.

It uses as few operators as possible: x and h are concatenated for the gates, the candidate's two products are separate
(the reset gate is applied after the product), and h' = h + z (c - h). With `int8` the weights of the products are
dynamic-range int8 with one scale a row, as LiteRT's own converter makes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from vcedge.detector import Cell
from vcedge.schema import F32

FLOAT32, INT8 = 0, 9
FULLY_CONNECTED, CONCATENATION, LOGISTIC, TANH, ADD, SUB, MUL = 9, 2, 14, 28, 0, 41, 18
VERSIONS = {FULLY_CONNECTED: 9}


class _GraphBuilder:
    """Builds one subgraph: numbered tensors, and operators in the order of execution."""

    def __init__(self, *, int8: bool) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.int8 = int8
        self.buffers: list[Any] = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[int] = []

    def tensor(self, name: str, shape: tuple[int, ...], data: bytes | None = None, kind: int = FLOAT32) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, code: int, inputs: list[int], name: str, width: int, options: Any, kind: int) -> int:
        if code not in self.codes:
            self.codes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs = inputs
        operator.outputs = [self.tensor(name, (1, width))]
        operator.builtinOptions, operator.builtinOptionsType = options, kind
        self.operators.append(operator)
        return int(operator.outputs[0])

    def product(self, x: int, weights: F32, bias: F32, name: str) -> int:
        """Add y = W x + b and return the number of y."""
        rows, columns = weights.shape
        if self.int8:
            scale = np.maximum(np.abs(weights).max(axis=1), 1e-12) / 127
            quantised = np.clip(np.rint(weights / scale[:, None]), -127, 127).astype(np.int8)
            w = self.tensor(name + "/W", (rows, columns), quantised.tobytes(), INT8)
            quantization = self.schema.QuantizationParametersT()
            quantization.scale, quantization.zeroPoint = scale.astype(np.float32), np.zeros(rows, np.int64)
            quantization.quantizedDimension = 0
            self.tensors[w].quantization = quantization
        else:
            w = self.tensor(name + "/W", (rows, columns), np.ascontiguousarray(weights, np.float32).tobytes())
        b = self.tensor(name + "/b", (rows,), np.ascontiguousarray(bias, np.float32).tobytes())
        options = self.schema.FullyConnectedOptionsT()
        options.asymmetricQuantizeInputs = self.int8
        kind = self.schema.BuiltinOptions.FullyConnectedOptions
        return self.operator(FULLY_CONNECTED, [x, w, b], name, rows, options, kind)

    def elementwise(self, code: int, inputs: list[int], name: str, width: int) -> int:
        s, kinds = self.schema, self.schema.BuiltinOptions
        options, kind = {
            ADD: (s.AddOptionsT, kinds.AddOptions),
            SUB: (s.SubOptionsT, kinds.SubOptions),
            MUL: (s.MulOptionsT, kinds.MulOptions),
            CONCATENATION: (s.ConcatenationOptionsT, kinds.ConcatenationOptions),
        }.get(code, (lambda: None, kinds.NONE))
        filled = options()
        if code == CONCATENATION:
            filled.axis = 1
        return self.operator(code, inputs, name, width, filled, kind)

    def file(self, inputs: list[int], outputs: list[int]) -> bytes:
        import flatbuffers

        s = self.schema
        graph = s.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, inputs, outputs
        model = s.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for code in self.codes:
            operator_code = s.OperatorCodeT()
            operator_code.builtinCode = operator_code.deprecatedBuiltinCode = code
            operator_code.version = VERSIONS.get(code, 1)
            model.operatorCodes.append(operator_code)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def dense_gru(cell: Cell, head: F32, head_bias: F32, *, int8: bool) -> bytes:
    """Return the file; its inputs are x (1, N) and h (1, D), its outputs y (1, C) and h' (1, D)."""
    g = _GraphBuilder(int8=int8)
    hidden, inputs = cell.spec.hidden, cell.spec.inputs
    x, h = g.tensor("x", (1, inputs)), g.tensor("h", (1, hidden))
    joined = g.elementwise(CONCATENATION, [x, h], "xh", inputs + hidden)
    both = np.concatenate((cell.input, cell.recurrent), axis=2)  # (3, D, N + D)
    z = g.elementwise(LOGISTIC, [g.product(joined, both[0], cell.bias[0], "z/in")], "z", hidden)
    r = g.elementwise(LOGISTIC, [g.product(joined, both[1], cell.bias[1], "r/in")], "r", hidden)
    outside = g.product(x, cell.input[2], cell.bias[2], "n/x")
    inside = g.product(h, cell.recurrent[2], cell.reset_bias, "n/h")
    kept = g.elementwise(MUL, [r, inside], "n/rh", hidden)
    c = g.elementwise(TANH, [g.elementwise(ADD, [outside, kept], "n/in", hidden)], "n", hidden)
    change = g.elementwise(MUL, [z, g.elementwise(SUB, [c, h], "c-h", hidden)], "change", hidden)
    new = g.elementwise(ADD, [h, change], "h'", hidden)
    y = g.product(new, head, head_bias, "y")
    return g.file([x, h], [y, new])
