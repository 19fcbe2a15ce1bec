"""Encodes a dense GRU with head as an .onnx file of three operators, a peer of `vcedge bench`.

ONNX's GRU multiplies the old state by z, the paper the new one, so the weights of z have the opposite sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Cell
from vcedge.schema import F32

FLOAT, ATTRIBUTE_INT = 1, 2
IR_VERSION, OPSET = 8, 17


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _field(number: int, value: int | bytes | str) -> bytes:
    """Encode one protobuf field: an integer, or bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _tensor(name: str, array: F32) -> bytes:
    dims = b"".join(_field(1, size) for size in array.shape)
    return _field(
        5, dims + _field(2, FLOAT) + _field(8, name) + _field(9, np.ascontiguousarray(array, "<f4").tobytes())
    )


def _value(number: int, name: str, *shape: int | str) -> bytes:
    dims = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return _field(number, _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, dims))))


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: int) -> bytes:
    data = b"".join(_field(1, name) for name in inputs) + b"".join(_field(2, name) for name in outputs)
    data += _field(4, kind)
    for name, value in attributes.items():
        data += _field(5, _field(1, name) + _field(3, value) + _field(20, ATTRIBUTE_INT))
    return _field(1, data)


def dense_gru(cell: Cell, head: F32, head_bias: F32) -> bytes:
    """Return the file; its inputs are x (1, batch, N) and h (1, batch, D), its outputs y (1, batch, C) and h' as h."""
    hidden, inputs = cell.spec.hidden, cell.spec.inputs
    sign: NDArray[np.float32] = np.array([-1, 1, 1], np.float32)[:, None]
    zeros = np.zeros(2 * hidden, np.float32)
    biases = np.concatenate(((cell.bias * sign).ravel(), zeros, cell.reset_bias))
    graph = _node("GRU", ["x", "W", "R", "B", "", "h"], ["", "h_new"], hidden_size=hidden, linear_before_reset=1)
    graph += _node("MatMul", ["h_new", "H"], ["product"]) + _node("Add", ["product", "b"], ["y"])
    graph += _field(2, "gru")
    graph += _tensor("W", (cell.input * sign[..., None]).reshape(1, 3 * hidden, inputs))
    graph += _tensor("R", (cell.recurrent * sign[..., None]).reshape(1, 3 * hidden, hidden))
    graph += _tensor("B", biases.reshape(1, 6 * hidden)) + _tensor("H", head.T) + _tensor("b", head_bias)
    graph += _value(11, "x", 1, "batch", inputs) + _value(11, "h", 1, "batch", hidden)
    graph += _value(12, "y", 1, "batch", len(head_bias)) + _value(12, "h_new", 1, "batch", hidden)
    return _field(1, IR_VERSION) + _field(7, graph) + _field(8, _field(1, "") + _field(2, OPSET))
