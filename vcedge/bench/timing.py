"""Times calls in interleaved rounds, so that noise of the machine affects all alike and ratios stay reliable."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vcedge.schema import F64

ROUND_S = 2e-4
"""Approximate time of one call's turn."""


@dataclass(frozen=True)
class TimedCall:
    """Describes a call to time, which does `steps` steps; `row` is reported beside its time."""

    row: dict[str, Any]
    call: Callable[[], Any]
    steps: int = 1


def interleaved(runs: list[TimedCall], rounds: int) -> list[F64]:
    """Return for each call the microseconds a step in each round; in a round the calls take turns."""
    calls = [_calls_of(run) for run in runs]
    times = np.empty((len(runs), rounds))
    for round_ in range(rounds):
        for i, run in enumerate(runs):
            run.call()  # refills the caches, which held the previous call's data
            times[i, round_] = _time(run.call, calls[i]) / (calls[i] * run.steps)
    return list(1e6 * times)


def _calls_of(run: TimedCall) -> int:
    """Return the number of calls that last about ROUND_S, by the fastest of five trials, which also warm up."""
    calls = 1
    while (seconds := min(_time(run.call, calls) for _ in range(5))) < ROUND_S / 2:
        calls *= 2
    return max(1, round(calls * ROUND_S / seconds))


def _time(call: Callable[[], Any], calls: int) -> float:
    turns = range(calls)
    began = time.perf_counter()
    for _ in turns:
        call()
    return time.perf_counter() - began


def machine() -> dict[str, Any]:
    """Return the origin of the numbers: machine, CPU, cores, versions."""
    return {
        "machine": platform.machine(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.lower().startswith("model name")]
    except OSError:
        lines = []
    return lines[0].split(":", 1)[1].strip() if lines else platform.processor()
