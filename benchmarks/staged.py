"""Reduces compute in stages over recordings with faults, and counts the events that each stage misses.

A VCGRU in charge and a GRU of its size as its shadow are trained on the same hours of a simulated rig, then score hours
with faults through the code of the service (`runtime/assets/companions.py`). The first table has each stage by itself
over all of the recording, the second the stages in the order in which the service enters them by its budget.

The faults of the rig with an operator are visible in single readings; the rig of batches has one that needs memory, so
that the network's compute matters (docs/decisions/0046-a-rig-that-runs-batches.md).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcedge.config.succession import StageConfig
from vcedge.history import open_rows
from vcedge.history.as_trained import reading_config
from vcedge.runtime.assets.companions import Companions
from vcedge.runtime.assets.compute_stages import ComputeStages
from vcedge.runtime.assets.scored_rows import score_rows
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.codecs.reading import Samples
from vcedge.runtime.engine.interface import AS_TRAINED, Engine
from vcedge.runtime.exported.artifact import load
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64
from vcedge.simulate import SimulatedFault, simulate, write_csv

ROWS = 30
"""Rows between two updates of the compute policy."""
Messages = list[tuple[tuple[int, ...], F64]]
"""A recording as times and values (N, C) of messages of ROWS rows each."""


@dataclass(frozen=True)
class RigSettings:
    """Holds the settings for recording and scoring a rig."""

    period_s: float
    batches: bool
    score: dict[str, Any]
    adapt: bool


PLAN = "8:1,4:1,1:1,1:0.1,1:0.01"
RIGS = {
    # The span is that of the README. Adapting thresholds would rise because faults are so frequent here, in both.
    "operator": RigSettings(1.0, batches=False, score={"span": 300}, adapt=False),
    # One event in 1,000 rows, adapting, as in docs/detection.md.
    "batches": RigSettings(10.0, batches=True, score={"false_alarms_per_day": 8.64}, adapt=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench staged", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rig", choices=list(RIGS), default="operator")
    parser.add_argument("--hours", type=float, default=12.0)
    parser.add_argument("--faults", type=int, default=14)
    parser.add_argument("--train-hours", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=2, help="Of the recording with faults; that of training is 1.")
    parser.add_argument(
        "--higher", type=float, default=0.0, help="Nats above the gated model's threshold: a worse one."
    )
    parser.add_argument("--dwell", type=int, default=6000, help="Samples in a stage before the next one.")
    parser.add_argument("--budget", type=int, default=0, help="Alarms that a stage may miss.")
    parser.add_argument("--extra-budget", type=int, help="Alarms that a stage may add; default: any number.")
    parser.add_argument("--plan", default=PLAN, help="Stages as MIN_LEVEL:LOOSENESS with commas between them.")
    parser.add_argument("--models", type=Path, help="Keep the models here, or use those that are there.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rig = RIGS[options.rig]
    with tempfile.TemporaryDirectory() as name:
        models = options.models or Path(name)
        for cell in ("vcgru", "gru"):
            if not (models / cell / "model.vcedge").exists():
                train(models, cell, rig, options.train_hours)
        faulty = simulate(options.hours, options.faults, options.seed, rig.period_s, batches=rig.batches)
        write_csv(faulty, Path(name) / "faults.csv")
        plan = [(int(floor), float(loose)) for floor, _, loose in (x.partition(":") for x in options.plan.split(","))]
        run = StagedRun(models, rig, plan, options.higher, Path(name) / "faults.csv", faulty.faults)
    found = {"each": run.each(), "moving": run.moving(options.dwell, options.budget, options.extra_budget)}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for rows in found.values():
        print(" ".join(f"{name:>11s}" for name in rows[0]))
        for row in rows:
            print(" ".join(f"{value:>11.3g}" if isinstance(value, float) else f"{value:>11}" for value in row.values()))


def train(folder: Path, cell: str, rig: RigSettings, hours: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    recording = folder / "normal.csv"
    write_csv(simulate(hours, 0, 1, rig.period_s, batches=rig.batches), recording)
    config = folder / f"{cell}.yaml"
    content = {
        "asset": "pump",
        "data": {"train": [str(recording)], "exclude": ["anomaly"]},
        "model": {"cell": cell},
        "score": rig.score,
        "report": {"sensitivity": False},
    }
    config.write_text(json.dumps(content))
    command = [sys.executable, "-m", "vcedge", "train", config, "--out", folder / cell]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


class Dense(Shadow):
    """Records for each row whether the shadow has an event open."""

    opened: list[bool]

    def follow(self, *arguments: Any) -> list[bool]:
        self.opened = super().follow(*arguments)
        return self.opened


class StagedRun:
    """Scores one recording with both models."""

    def __init__(
        self,
        models: Path,
        rig: RigSettings,
        plan: list[tuple[int, float]],
        higher: float,
        recording: Path,
        faults: Sequence[SimulatedFault],
    ) -> None:
        self._engines = [load(models / cell / "model.vcedge", "auto") for cell in ("vcgru", "gru")]
        self._rig, self._plan, self._higher, self._faults = rig, plan, higher, faults
        self._rows = _rows(recording, self._engines[0])

    def each(self) -> list[dict[str, Any]]:
        """Return the counts of every stage by itself over all of the recording."""
        found = []
        for number, (floor, loose) in enumerate(self._plan):
            companions = self._companions([StageConfig(min_level=floor, looseness=loose)])
            for _ in self._follow(companions):
                pass
            found.append(self._row(number, (0.0,) * 5, counts(companions)) | self._faults_found())
        return found

    def moving(self, dwell: int, budget: int, extra: int | None) -> list[dict[str, Any]]:
        """Return the counts of each period in a stage, as the budget changes the stage."""
        plan = [
            StageConfig(min_level=floor, looseness=loose, dwell_ticks=dwell, budget=budget, extra_budget=extra)
            for floor, loose in self._plan
        ]
        companions = self._companions(plan)
        stages = companions.stages
        assert stages is not None
        stays, stage, before = [], 0, (0.0,) * 5
        for _ in self._follow(companions):
            if companions.stage_changed:
                now = counts(companions)
                left = "on" if stages.state.stage > stage else "back"
                stays.append(self._row(stage, before, now) | {"left": left})
                stage, before = stages.state.stage, now
        return [*stays, self._row(stage, before, counts(companions)) | {"left": "end"}]

    def _companions(self, plan: list[StageConfig]) -> Companions:
        self._gated, dense = (Stream(engine, adapt=self._rig.adapt) for engine in self._engines)
        if self._higher:  # a threshold set by hand does not adapt
            self._gated.set_threshold(self._gated.threshold + self._higher)
        self._dense = Dense(dense, "dense", 10)
        return Companions(self._dense, ComputeStages(plan))

    def _follow(self, companions: Companions) -> Iterator[None]:
        """Score message by message, and keep whether each model has an event open after each row."""
        self._opened: list[tuple[bool, bool]] = []
        for times, values in self._rows:
            policy = companions.policy(AS_TRAINED, self._gated.detector.levels)
            rows = score_rows(self._gated, Samples(times, values, timed=True, block=True), policy)
            companions.follow(rows)
            self._opened += zip(rows.opened, self._dense.opened, strict=True)
            yield

    def _faults_found(self) -> dict[str, int]:
        """Count the simulated faults during which each model had an event open."""
        spans = [self._opened[fault.start : fault.stop] for fault in self._faults]
        return {
            "faults": len(spans),
            "by_gated": sum(any(gated for gated, _ in span) for span in spans),
            "by_dense": sum(any(dense for _, dense in span) for span in spans),
        }

    def _row(self, stage: int, before: tuple[float, ...], now: tuple[float, ...]) -> dict[str, Any]:
        ticks, updated, both, gated, dense = (b - a for a, b in zip(before, now, strict=True))
        return {
            "stage": stage,
            "min_level": self._plan[stage][0],
            "looseness": self._plan[stage][1],
            "samples": int(ticks),
            "updated": updated / max(1, ticks),
            "both": int(both),
            "only_gated": int(gated),
            "only_dense": int(dense),
        }


def _rows(path: Path, engine: Engine) -> Messages:
    reading = reading_config(engine.detector)
    found: Messages = []
    for block in open_rows([path], engine.detector.schema, reading):
        for start in range(0, len(block.time_ns), ROWS):
            piece = slice(start, start + ROWS)
            found.append((tuple(block.time_ns[piece].tolist()), block.values[piece]))
    return found


def counts(companions: Companions) -> tuple[float, ...]:
    assert companions.shadow is not None
    state = companions.shadow.agreement.state
    return state.ticks, state.first.updated, state.both, state.only_first, state.only_second


if __name__ == "__main__":
    main()
