"""Measures times in interleaved rounds on one core, and reports medians: ratios are reliable, absolute times noisy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def pin_to_one_core() -> None:
    """Keep this process on one core, if the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def interleaved(runs: dict[str, Callable[[], Any]], rounds: int, calls: int) -> dict[str, dict[str, float]]:
    """Return microseconds a call of each run: median and 99th percentile of its rounds, taken in turn."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            for _ in range(calls):
                run()
            times[name].append(1e6 * (time.perf_counter() - began) / calls)
    return {name: {"us": float(np.median(t)), "p99_us": float(np.quantile(t, 0.99))} for name, t in times.items()}


def machine() -> dict[str, Any]:
    """Describe the machine that the numbers were measured on."""
    return {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}


def wants_json(name: str, description: str | None) -> bool:
    """Parse the command line of `scripts/bench NAME [--json]` and return whether it has --json."""
    parser = argparse.ArgumentParser(prog=f"scripts/bench {name}", description=description)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON on stdout")
    return bool(parser.parse_args().json)


def show(result: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    """Print a result for scripts or for people."""
    print(json.dumps(result, indent=2) if as_json else "\n".join(lines))
