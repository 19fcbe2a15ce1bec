"""Compares treatments of the state while a machine stands: step it, freeze it, or reset it at the next start.

    scripts/bench standstill MODEL [--stops N] [--seed S] [--serviced]

The simulated rig is stopped for 3 to 40 minutes at random times, and each treatment of the state scores the same rows.
Printed for each: false events in the half hour after a start, and the statistic's median and 95% quantile, in nats
above the calibrated threshold, in spans of rows after the start. With --serviced the sensors read random values while
the rig stands, as if they were removed. MODEL is trained on the healthy rig, which stands only once.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from vcedge.model_file import load
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.events import EventTracker
from vcedge.schema import F64
from vcedge.simulate import rig
from vcedge.simulate.sensors import NAMES, measure
from vcedge.simulate.set_points import SetPoints, operate
from vcedge.simulate.simulation import START_NS

RUNNING_RPM = 50.0
WATCHED_ROWS = 1800
SPANS = ((0, 30), (30, 60), (60, 120), (120, 300), (300, 900), (900, 1800))
TREATMENTS = ("stepped", "frozen", "reset")


def stopped_rig(hours: float, stops: int, seed: int) -> tuple[F64, list[tuple[int, int]]]:
    """Simulate values (N, C) of the rig, and return them with the rows [from, to) of its standstills."""
    rng = np.random.default_rng(seed)
    rows = round(hours * 3600)
    operation = operate(rows, 1.0, np.random.default_rng(seed + 1))
    speed = operation.speed_rpm.copy()
    stands = []
    for start in np.sort(rng.choice(np.arange(1, rows // 6000), stops, replace=False)) * 6000:
        end = int(start + rng.integers(180, 2400))
        speed[start:end] = 0.0
        stands.append((int(start), end))
    halted = SetPoints(speed, operation.valve_percent, operation.changes)
    disturbances = rig.disturb(rows, 1.0, START_NS, np.random.default_rng(seed + 2))
    truth = rig.run(halted, disturbances, rig.Condition.healthy(rows), 1.0)
    return measure(truth.table(), np.random.default_rng(seed + 3)), stands


def statistics(engine: Engine, values: F64, treatment: str) -> tuple[F64, F64]:
    """Return the statistic (N,), 0 in standstill, and the rows since the machine began to run (N,)."""
    state, speed = engine.new_state(), NAMES.index("Speed")
    raw, since, running = np.zeros(len(values)), np.zeros(len(values), np.int64), 0
    for row, now in enumerate(values):
        runs = now[speed] > RUNNING_RPM
        if runs and running == 0 and treatment == "reset":
            state.reset()
        running = running + 1 if runs else 0
        since[row] = running
        if runs or treatment == "stepped":
            raw[row] = engine.step(now, state)[0]
    return np.where(since > 0, raw, 0.0), since


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench standstill", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--stops", type=int, default=12)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--serviced", action="store_true")
    arguments = parser.parse_args()
    engine = load_engine(load(arguments.model))
    limits = engine.detector.calibration
    values, stands = stopped_rig(2.0 * (arguments.stops + 1), arguments.stops, arguments.seed)
    if arguments.serviced:
        rng, speed = np.random.default_rng(arguments.seed), NAMES.index("Speed")
        for start, end in stands:
            nonsense = rng.uniform(np.nanmin(values, axis=0), np.nanmax(values, axis=0), (end - start, values.shape[1]))
            values[start:end] = np.where(np.arange(values.shape[1]) == speed, values[start:end], nonsense)
    starts = [end for _, end in stands]
    print(
        f"{len(values)} rows, {len(stands)} stops, warm-up {limits.warmup_rows} rows, threshold {limits.threshold:.2f}"
    )
    for treatment in TREATMENTS:
        raw, since = statistics(engine, values, treatment)
        for settle in (0, limits.warmup_rows, 2 * limits.warmup_rows):
            tracker, opened = EventTracker("anomaly", limits.events), []
            for row, value in enumerate(raw):
                if since[row] == 0:
                    tracker.close(row)
                    continue
                event = tracker.push(row, value, limits.threshold, allowed=since[row] > settle)
                if event is not None and event.type == "new":
                    opened.append(row)
            early = sum(any(0 <= row - start < WATCHED_ROWS for start in starts) for row in opened)
            print(
                f"{treatment:8} settle {settle:3} rows: {early:3} false events within 30 min of a start, "
                f"{len(opened)} in all"
            )
        cells = []
        for a, b in SPANS:
            part = np.concatenate([raw[start + a : start + b] for start in starts]) - limits.threshold
            cells.append(f"{a}-{b}: {np.median(part):.2f} {np.quantile(part, 0.95):.2f}")
        print(f"{treatment:8} raw - threshold (median, 95%) " + "; ".join(cells))


if __name__ == "__main__":
    main()
