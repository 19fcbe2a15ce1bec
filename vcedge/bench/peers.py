"""Times one step of the same dense GRU in other runtimes: onnxruntime, LiteRT (float32, int8), torch and numpy.

A step is complete: pass x, feed the state back, step, read the prediction. Each peer is called in the fastest way of
its public interface; a peer that is not installed is reported as missing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from vcedge.bench import litert_gru, onnx_gru
from vcedge.bench.cells import CellUnderTest
from vcedge.bench.timing import TimedCall
from vcedge.runtime.engine.numpy_cell import GatedCell

PACKAGES = {
    "onnxruntime-gru": "onnxruntime",
    "litert-f32": "ai_edge_litert",
    "litert-int8": "ai_edge_litert",
    "torch-grucell": "torch",
}


def missing() -> list[str]:
    """Return the peers that are not installed."""
    return [peer for peer, package in PACKAGES.items() if find_spec(package) is None]


def dense_runs(subject: CellUnderTest, streams: int = 1) -> list[TimedCall]:
    """Return the installed dense peers, for one stream or, if they support batches, for several in one call."""
    absent = missing()
    makers: dict[str, Callable[[], Callable[[], Any]]] = {
        "onnxruntime-gru": lambda: onnxruntime_step(subject, streams),
        "torch-grucell": lambda: torch_step(subject, streams),
    }
    if streams == 1:
        makers["litert-f32"] = lambda: litert_step(subject, int8=False)
        makers["litert-int8"] = lambda: litert_step(subject, int8=True)
    if subject.cell.spec.gates != 3:
        makers = {}
    return [TimedCall(_row(name, streams), make(), streams) for name, make in makers.items() if name not in absent]


def numpy_runs(subject: CellUnderTest) -> list[TimedCall]:
    """Return the numpy engine's cell with the head, at each level."""
    return [TimedCall(_row("numpy", 1, share), numpy_step(subject, level)) for level, share in subject.levels]


def _row(engine: str, streams: int, level: float = 1.0) -> dict[str, Any]:
    return {"engine": engine, "level": level, "streams": streams, "where": "python"}


def _samples(subject: CellUnderTest, streams: int) -> np.ndarray[Any, Any]:
    inputs = subject.cell.spec.inputs
    return np.ascontiguousarray(np.resize(subject.x[:, :inputs], (streams, inputs)), np.float32)


def onnxruntime_step(subject: CellUnderTest, streams: int) -> Callable[[], Any]:
    """Return a step of the GRU operator of onnxruntime; the array that it returns is fed back without a copy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    file = onnx_gru.dense_gru(subject.dense(), subject.head, subject.head_bias)
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = ["y", "h_new"]
    fed = {"x": _samples(subject, streams)[None], "h": np.zeros((1, streams, subject.cell.spec.hidden), np.float32)}

    def step() -> Any:
        y, fed["h"] = session.run(names, fed)
        return y

    return step


def litert_step(subject: CellUnderTest, *, int8: bool) -> Callable[[], Any]:
    """Return a step of the LiteRT interpreter with XNNPACK, in one thread."""
    from ai_edge_litert.interpreter import Interpreter

    file = litert_gru.dense_gru(subject.dense(), subject.head, subject.head_bias, int8=int8)
    interpreter = Interpreter(model_content=file, num_threads=1)
    interpreter.allocate_tensors()
    x_at, h_at = (detail["index"] for detail in interpreter.get_input_details())
    y_at, new_at = (detail["index"] for detail in interpreter.get_output_details())
    x, h = _samples(subject, 1), np.zeros((1, subject.cell.spec.hidden), np.float32)
    set_tensor, get_tensor, invoke = interpreter.set_tensor, interpreter.get_tensor, interpreter.invoke

    def step() -> Any:
        nonlocal h
        set_tensor(x_at, x)
        set_tensor(h_at, h)
        invoke()
        h = get_tensor(new_at)
        return get_tensor(y_at)

    return step


def torch_step(subject: CellUnderTest, streams: int) -> Callable[[], Any]:
    """Return a step of torch.nn.GRUCell and a linear layer, without gradients."""
    import torch

    torch.set_num_threads(1)
    spec = subject.cell.spec
    cell = torch.nn.GRUCell(spec.inputs, spec.hidden).eval()
    head = torch.nn.Linear(spec.hidden, len(subject.head_bias)).eval()
    x, h = torch.tensor(_samples(subject, streams)), torch.zeros(streams, spec.hidden)

    def step() -> Any:
        nonlocal h
        with torch.inference_mode():
            h = cell(x, h)
            return head(h)

    return step


def numpy_step(subject: CellUnderTest, level: int) -> Callable[[], Any]:
    """Return a step of the numpy engine's cell at a forced level; its scheduler runs too."""
    oracle, spec = GatedCell(subject.cell), subject.cell.spec
    h, signals = np.zeros(spec.hidden, np.float32), subject.x[0]
    x = np.ascontiguousarray(signals[: spec.inputs])

    def step() -> Any:
        if oracle.levels > 1:
            oracle.schedule(h, signals, 0.0)
        oracle.update(h, x, level)
        return subject.head @ h + subject.head_bias

    return step
