"""Memory of the gradient does not grow with the length of a recording."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import re, sys, torch
from pathlib import Path
import vcedge.train.training as training
from vcedge.detector import CellSpec, boundaries_of
from vcedge.train.model import ResidualModel
from vcedge.train.streams import ParallelStreams

def peak_mb():
    # VmHWM of this process: getrusage includes the peak of its parent
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

torch.set_num_threads(1)
window, lengths = int(sys.argv[1]), [int(length) for length in sys.argv[2:]]
training.WINDOW = window
model = ResidualModel(CellSpec("vcgru", 2, 128, boundaries_of(8, 128)), 2)
for length in lengths:
    parts = [torch.randn(length, 32, width) for width in (2, 8, 2, 2)]
    streams = ParallelStreams(*parts, torch.ones(length, 32, 1))
    before = peak_mb()
    training.Training(model, streams, 0.25, 1).run_epoch(lambda: False, None)
    print(peak_mb() - before)
"""


def growth_mb(window: int, *lengths: int) -> list[float]:
    """Return the growth of peak memory over epochs with streams of each length, one after the other."""
    command = [sys.executable, "-c", PROGRAM, str(window), *map(str, lengths)]
    return [float(line) for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]


def test_memory_does_not_grow_with_the_recording() -> None:
    truncated = growth_mb(32, 64, 1600)[1]
    full = growth_mb(1600, 64, 1600)[1]
    assert truncated < 20
    assert full > 100, "an epoch in one window must grow, or the measurement is blind"
