"""Measures the cost of one row: time in interleaved rounds on one core, and energy if the machine counts it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vcedge.pinning import one_core

ROUNDS, CALLS, SLOW_S = 41, 10, 1e-3
"""Rounds, and calls in each; a method whose call takes longer than SLOW_S is called once a round."""
COUNTER = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
ENERGY_S = 0.5
"""Seconds of one energy measurement: the counter is updated about every millisecond, so the error is below 1%."""
Tick = Callable[[], None]
"""Scores the next row."""


def time_ticks(tickers: dict[str, Tick]) -> dict[str, float]:
    """Return microseconds a call: the median over rounds in which all take turns, so that noise affects all alike."""
    times: dict[str, list[float]] = {name: [] for name in tickers}
    with one_core():
        calls = {name: 1 if _seconds(tick, 2) > SLOW_S else CALLS for name, tick in tickers.items()}
        for _ in range(ROUNDS):
            for name, tick in tickers.items():
                times[name].append(1e6 * _seconds(tick, calls[name]))
    return {name: float(np.median(rounds)) for name, rounds in times.items()}


def _seconds(tick: Tick, calls: int) -> float:
    """Return the mean seconds of `calls` calls."""
    began = time.perf_counter()
    for _ in range(calls):
        tick()
    return (time.perf_counter() - began) / calls


def energy_of_ticks(tickers: dict[str, Tick], counter: Path = COUNTER) -> dict[str, float] | None:
    """Return microjoules a call by the processor's own counter; None if no counter can be read.

    The counter is that of the processor package, so it includes other programs that run at the same time.
    """
    if _read(counter) is None:
        return None
    with one_core():
        return {name: _energy(tick, counter) for name, tick in tickers.items()}


def _energy(tick: Tick, counter: Path) -> float:
    before, began, calls = _read(counter) or 0, time.perf_counter(), 0
    while time.perf_counter() - began < ENERGY_S:
        for _ in range(CALLS):
            tick()
        calls += CALLS
    spent = (_read(counter) or 0) - before
    if spent < 0:  # the counter wrapped around
        spent += _read(counter.with_name("max_energy_range_uj")) or 0
    return spent / calls


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
