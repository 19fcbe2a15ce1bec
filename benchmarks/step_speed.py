"""Measures one step of the detector in the numpy engine at each level, beside torch's dense GRUCell in the same run.

The engine's step includes features, highway, scheduler, cell, head and scorer; the GRUCell is the bare cell, called
from Python. With few channels numpy's call overhead dominates; the native engine shows what skipping saves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.timing import interleaved, machine, pin_to_one_core, show, wants_json
from tests.support.detectors import recording, tiny_detector
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.numpy_engine import NumpyEngine

CHANNELS, LEVELS = 16, 8


def main() -> None:
    as_json = wants_json("step", __doc__)
    pin_to_one_core()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for hidden in (64, 128, 256):
        times = interleaved(_runs(hidden), rounds=41, calls=50)
        rows += [{"run": name, "hidden": hidden, "inputs": CHANNELS, **t} for name, t in times.items()]
    lines = [f"D={row['hidden']:<4} {row['run']:<22} {row['us']:7.1f} us  p99 {row['p99_us']:7.1f} us" for row in rows]
    show({"machine": machine(), "rows": rows}, lines, as_json=as_json)


def _runs(hidden: int) -> dict[str, Callable[[], Any]]:
    detector = tiny_detector(channels=CHANNELS, hidden=hidden, levels=LEVELS, order=5)
    engine = NumpyEngine(detector)
    values = recording(0, 100, CHANNELS)
    state = engine.new_state()
    for row in values:
        engine.step(row, state)
    row = values[-1]
    runs: dict[str, Callable[[], Any]] = {
        f"numpy level {level}/{LEVELS}": partial(engine.step, row, state, ComputePolicy(level, -1e6))
        for level in (1, 2, 4, 8)
    }
    linear = NumpyEngine(detector.without_network())
    plain = linear.new_state()
    runs["numpy, network off"] = lambda: linear.step(row, plain)
    cell, x = torch.nn.GRUCell(CHANNELS, hidden), torch.tensor(np.zeros((1, CHANNELS), np.float32))
    h = torch.zeros(1, hidden)

    def dense() -> None:
        with torch.no_grad():
            cell(x, h)

    runs["torch GRUCell (bare)"] = dense
    return runs


if __name__ == "__main__":
    main()
