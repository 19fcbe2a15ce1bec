"""Checks the graphs in a .tflite file: sizes of constants, numbers of tensors, operators and branches.

Only what `vcedge.export.tflite` writes is accepted: a few operators, fixed shapes, every value computed before it is
used, control flow in the first graph only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from vcedge.runtime.exported.flatbuffer import FlatTable, Malformed, root

IF, CASE = 118, 209
OPERATORS = {0, 2, 9, 14, 18, 22, 28, 36, 41, 55, 57, 65, 71, IF, 123, 147, CASE}
"""Builtin operators that a file may use."""
ITEMSIZE = {0: 4, 2: 4, 6: 1, 9: 1}
"""Size of an element, in bytes, of the types that a file may use: float32, int32, bool, int8."""
NAMES = {0: "float32", 2: "int32", 6: "bool", 9: "int8"}
MAX_SIZE = 2**30
MODEL_CODES, MODEL_GRAPHS, MODEL_BUFFERS = 1, 2, 4
CODE_OLD, CODE_CUSTOM, CODE_NEW = 0, 1, 3
GRAPH_TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, GRAPH_OPERATORS = 0, 1, 2, 3
TENSOR_SHAPE, TENSOR_TYPE, TENSOR_BUFFER, TENSOR_NAME, TENSOR_VARIABLE = 0, 1, 2, 3, 5
OPERATOR_CODE, OPERATOR_INPUTS, OPERATOR_OUTPUTS, OPERATOR_OPTIONS, OPERATOR_OPTIONS_2 = 0, 1, 2, 4, 12
"""Numbers of fields of the schema's tables."""


@dataclass(frozen=True)
class TensorInfo:
    """Describes a tensor of a graph."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool


@dataclass(frozen=True)
class Interface:
    """Describes the inputs and outputs of the first graph of a file, in order."""

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def interface_of(data: bytes) -> Interface:
    """Check the graphs of a file whose digest is right and return the interface. Raises Malformed."""
    model = root(data)
    sizes = [buffer.span(0)[1] for buffer in model.tables(MODEL_BUFFERS)]
    codes = [_builtin(code) for code in model.tables(MODEL_CODES)]
    graphs = list(model.tables(MODEL_GRAPHS))
    if not graphs:
        raise Malformed("no graph in it")
    interfaces = [_graph(graph, f"graph {i}", sizes, codes) for i, graph in enumerate(graphs)]
    for i, graph in enumerate(graphs):
        _check_branches(graph, i, codes, interfaces)
    return interfaces[0]


def _builtin(code: FlatTable) -> int:
    builtin = max(code.integer(CODE_OLD, "b"), code.integer(CODE_NEW, "i"))
    if builtin not in OPERATORS or code.table(CODE_CUSTOM) is not None:
        raise Malformed(f"operator {builtin}, expected one that vcedge writes")
    return builtin


def _graph(graph: FlatTable, name: str, sizes: list[int], codes: list[int]) -> Interface:
    tensors = [_tensor(tensor, f"{name}: tensor {i}", sizes) for i, tensor in enumerate(graph.tables(GRAPH_TENSORS))]
    inputs = graph.integers(GRAPH_INPUTS)
    _check_known(inputs, range(len(tensors)), f"{name}: input")
    known = {i for i, tensor in enumerate(tensors) if tensor.constant}
    _check_new(inputs, known, f"{name}: input")
    known.update(inputs)
    for i, operator in enumerate(graph.tables(GRAPH_OPERATORS)):
        what = f"{name}: operator {i}"
        if operator.integer(OPERATOR_CODE, "I") >= len(codes):
            raise Malformed(f"{what}: code {operator.integer(OPERATOR_CODE, 'I')} of {len(codes)}")
        _check_known(operator.integers(OPERATOR_INPUTS), known, f"{what}: input")
        results = operator.integers(OPERATOR_OUTPUTS)
        _check_known(results, range(len(tensors)), f"{what}: output")
        _check_new(results, known, f"{what}: output")
        known.update(results)
    outputs = graph.integers(GRAPH_OUTPUTS)
    _check_known(outputs, known, f"{name}: output")
    return Interface(tuple(tensors[i] for i in inputs), tuple(tensors[i] for i in outputs))


def _tensor(tensor: FlatTable, what: str, sizes: list[int]) -> TensorInfo:
    shape, kind, buffer = (
        tuple(tensor.integers(TENSOR_SHAPE)),
        tensor.integer(TENSOR_TYPE, "b"),
        tensor.integer(TENSOR_BUFFER, "I"),
    )
    if kind not in ITEMSIZE or tensor.integer(TENSOR_VARIABLE, "b"):
        raise Malformed(f"{what}: type {kind}, expected one of {', '.join(NAMES.values())}")
    size = prod(shape) * ITEMSIZE[kind]
    if any(length < 1 for length in shape) or size > MAX_SIZE:
        raise Malformed(f"{what}: shape {list(shape)}")
    if buffer >= len(sizes):
        raise Malformed(f"{what}: buffer {buffer} of {len(sizes)}")
    if sizes[buffer] not in (0, size):
        raise Malformed(f"{what}: {sizes[buffer]} bytes for the shape {list(shape)} of {NAMES[kind]}, expected {size}")
    return TensorInfo(tensor.text(TENSOR_NAME), shape, NAMES[kind], sizes[buffer] > 0)


def _check_branches(graph: FlatTable, number: int, codes: list[int], interfaces: list[Interface]) -> None:
    """Check that branches are later graphs with their operator's inputs and outputs, and have no branches."""
    for i, operator in enumerate(graph.tables(GRAPH_OPERATORS)):
        builtin = codes[operator.integer(OPERATOR_CODE, "I")]
        if builtin not in (IF, CASE):
            continue
        what = f"graph {number}: operator {i}"
        if number > 0:
            raise Malformed(f"{what}: control flow in a branch")
        options = operator.table(OPERATOR_OPTIONS if builtin == IF else OPERATOR_OPTIONS_2)
        if options is None:
            raise Malformed(f"{what}: no branches")
        branches = [options.integer(0), options.integer(1)] if builtin == IF else options.integers(0)
        _check_known(branches, range(1, len(interfaces)), f"{what}: branch")
        given, results = operator.integers(OPERATOR_INPUTS)[1:], operator.integers(OPERATOR_OUTPUTS)
        shapes = [tuple(tensor.integers(TENSOR_SHAPE)) for tensor in graph.tables(GRAPH_TENSORS)]
        for branch in branches:
            taken, made = interfaces[branch].inputs, interfaces[branch].outputs
            if [t.shape for t in taken] != [shapes[j] for j in given] or [t.shape for t in made] != [
                shapes[j] for j in results
            ]:
                raise Malformed(f"{what}: branch {branch} has other inputs or outputs than the operator")


def _check_known(numbers: Iterable[int], known: Iterable[int], what: str) -> None:
    wrong = set(numbers).difference(known)
    if wrong:
        raise Malformed(f"{what} {min(wrong)} does not exist, or is not computed yet")


def _check_new(numbers: list[int], known: set[int], what: str) -> None:
    if known.intersection(numbers) or len(set(numbers)) < len(numbers):
        raise Malformed(f"{what} of {numbers} is computed twice")
