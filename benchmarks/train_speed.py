"""Measures the VCGRU's forward and backward time over torch.nn.GRU's, at equal sizes, with one thread.

The time includes unrolling over the window, mask, scheduler and all gradients, but not optimizer and data.
"""

from __future__ import annotations

import torch

from benchmarks.timing import interleaved, machine, pin_to_one_core, show, wants_json
from vcedge.detector import CellSpec, boundaries_of
from vcedge.train.cells import VCGRU
from vcedge.train.scheduler import MaskMode

BATCH, STEPS, HIDDEN, CHANNELS = 32, 128, 128, 16


def main() -> None:
    as_json = wants_json("train", __doc__)
    pin_to_one_core()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    spec = CellSpec("vcgru", CHANNELS, HIDDEN, boundaries_of(8, HIDDEN))
    cell = VCGRU(spec, 4 * CHANNELS, CHANNELS)
    rival = torch.nn.GRU(CHANNELS, HIDDEN)
    x = torch.randn(STEPS, BATCH, CHANNELS)
    signals = torch.randn(STEPS, BATCH, 4 * CHANNELS)
    keep, h = torch.ones(STEPS, BATCH, 1), torch.zeros(BATCH, HIDDEN)

    def run_cell() -> None:
        hidden, shares = cell(x, signals, keep, h, MaskMode(32.0, hard=True))
        (hidden.square().mean() + shares.mean()).backward()

    def run_rival() -> None:
        rival(x)[0].square().mean().backward()

    times = interleaved({"vcgru": run_cell, "nn.GRU": run_rival}, rounds=7, calls=1)
    ratio = times["vcgru"]["us"] / times["nn.GRU"]["us"]
    result = {
        "ratio_to_nn_gru": ratio,
        "batch": BATCH,
        "steps": STEPS,
        "hidden": HIDDEN,
        "times": times,
        "machine": machine(),
    }
    lines = [
        f"{name}: {t['us'] / 1000:.0f} ms forward and backward ({BATCH} x {STEPS} x {HIDDEN})"
        for name, t in times.items()
    ]
    show(result, [*lines, f"ratio {ratio:.1f}"], as_json=as_json)


if __name__ == "__main__":
    main()
