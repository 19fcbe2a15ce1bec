"""Computing given up in stages over a recording with faults: what each stage misses against a dense twin.

A VCGRU in charge and a GRU of its size in its shadow, both trained on the same hours of the simulated rig; then hours
with faults, through the same code as in the service (`runtime/companions.py`). Prints a line for each stay in a stage.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from vcedge.config.succession import StageConfig
from vcedge.history import open_rows
from vcedge.history.reading import time_and_table
from vcedge.runtime.artifact import open_engine
from vcedge.runtime.companions import Companions
from vcedge.runtime.rows import push_rows
from vcedge.runtime.stages import Stages
from vcedge.runtime.stream import Stream
from vcedge.runtime.twin import Twin

ROWS = 30
"""Rows between two looks at the policy."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--faults", type=int, default=14)
    parser.add_argument("--train-hours", type=float, default=8.0)
    parser.add_argument("--threshold", type=float, default=1.0, help="Factor on the gated model's: a worse detector.")
    parser.add_argument("--dwell", type=int, default=6000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vcedge("simulate", folder / "normal.csv", "--hours", options.train_hours, "--seed", 1)
        vcedge("simulate", folder / "faults.csv", "--hours", options.hours, "--faults", options.faults, "--seed", 2)
        for cell in ("vcgru", "gru"):
            train(folder, cell)
        stays = run(folder, options.dwell, options.threshold)
    if options.json:
        print(json.dumps(stays, indent=2))
        return
    names = list(stays[0])
    print(" ".join(f"{name:>10s}" for name in names))
    for each in stays:
        print(" ".join(f"{each[name]:>10.3g}" if name == "updated" else f"{each[name]:>10}" for name in names))


def vcedge(*arguments: object) -> None:
    command = [sys.executable, "-m", "vcedge", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True)


def train(folder: Path, cell: str) -> None:
    config = folder / f"{cell}.yaml"
    content = {
        "asset": "pump",
        "data": {"train": [str(folder / "normal.csv")], "exclude": ["anomaly"]},
        "model": {"cell": cell},
        "score": {"span": 300},  # as in the README: the default is too cautious after so short a recording
        "report": {"sensitivity": False},
    }
    config.write_text(json.dumps(content))
    vcedge("train", config, "--out", folder / cell)


def run(folder: Path, dwell: int, factor: float) -> list[dict[str, Any]]:
    """Every stay in a stage: how long, how much was computed, and who saw which alarms."""
    engines = [open_engine(folder / cell / "model.vcedge", "auto") for cell in ("vcgru", "gru")]
    # Thresholds that follow drift would rise by faults that are as frequent as here, in both.
    gated, dense = (Stream(engine, adapt=False) for engine in engines)
    gated.set_threshold(factor * gated.threshold)
    levels = gated.detector.levels
    plan = [(levels, 1.0), (levels // 2, 1.0), (1, 1.0), (1, 0.1), (1, 0.01)]
    stages = Stages([StageConfig(min_level=floor, looseness=loose, dwell_ticks=dwell) for floor, loose in plan])
    companions = Companions(Twin(dense, "dense", 10), stages)
    time_settings, table = time_and_table(gated.detector, [])
    stays, before = [], counts(companions)
    stage = stages.memory.stage
    for block in open_rows([folder / "faults.csv"], gated.detector.schema, time_settings, table):
        for start in range(0, len(block.time_ns), ROWS):
            times = tuple(block.time_ns[start : start + ROWS].tolist())
            policy = companions.policy((1, 0.0), levels)
            values = block.values[start : start + ROWS]
            scores, opened = push_rows(gated, times, values, policy)
            companions.follow(times, values, policy, scores, opened, 0.0)
            if companions.stage_changed:
                now = counts(companions)
                stays.append(stay(plan, stage, before, now, "on" if stages.memory.stage > stage else "back"))
                stage, before = stages.memory.stage, now
    return [*stays, stay(plan, stage, before, counts(companions), "end")]


def counts(companions: Companions) -> tuple[float, ...]:
    assert companions.twin is not None
    memory = companions.twin.agreement.memory
    return memory.ticks, memory.first.updated, memory.both, memory.only_first, memory.only_second


def stay(
    plan: list[tuple[int, float]], stage: int, before: tuple[float, ...], now: tuple[float, ...], left: str
) -> dict[str, Any]:
    ticks, updated, both, gated, dense = (b - a for a, b in zip(before, now, strict=True))
    return {
        "stage": stage,
        "min_level": plan[stage][0],
        "looseness": plan[stage][1],
        "samples": int(ticks),
        "updated": updated / max(1, ticks),
        "both": int(both),
        "only_gated": int(gated),
        "only_dense": int(dense),
        "left": left,
    }


if __name__ == "__main__":
    main()
