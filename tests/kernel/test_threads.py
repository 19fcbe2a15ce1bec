"""Threads share one model: long calls release the GIL and do not disturb each other."""

from __future__ import annotations

import threading

import numpy as np

from tests.kernel.random_cells import random_cell
from vcedge.runtime.engine.native_cell import NativeCell


def test_threads_share_a_model() -> None:
    native = NativeCell(*random_cell("vcgru", 64, 8, 8))
    x = np.random.default_rng(6).standard_normal((4, 50_000, native.signals)).astype(np.float32)
    alone = [native.run(native.new_state(), mine)[0].tobytes() for mine in x]
    together = [b""] * len(x)

    def run(i: int) -> None:
        together[i] = native.run(native.new_state(), x[i])[0].tobytes()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(x))]
    for thread in threads:
        thread.start()
    turns = 0
    while any(thread.is_alive() for thread in threads):
        turns += 1  # with the interpreter held, a few turns between the four calls
    for thread in threads:
        thread.join()
    assert together == alone
    assert turns > 100
