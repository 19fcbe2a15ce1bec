"""Runs experiments, each a model of a size on a set with a seed, and stores each result in its own file."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.detection.results import commit
from benchmarks.paper.ablation import ABLATIONS
from benchmarks.paper.data import Dataset, make_lanes
from benchmarks.paper.exported import measure_exported
from benchmarks.paper.models import MODELS, MatchedCost, Model
from benchmarks.paper.training import HARD, TrainedModel, TrainingPlan, evaluate, mask_of, train, unrolled_windows
from vcedge import __version__
from vcedge.errors import DataError
from vcedge.files import write_atomic

ResultRow = dict[str, Any]
ALL: Mapping[str, Model] = {**MODELS, **ABLATIONS}


@dataclass(frozen=True)
class Experiment:
    """Identifies one experiment."""

    set: str
    model: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.set}-{self.model}-{self.size}-{self.seed}.json"

    @property
    def budget(self) -> Experiment | None:
        """The experiment whose operations it must match."""
        of = ALL[self.model].of
        return None if of is None else Experiment(self.set, of, self.size, self.seed)


class ResultStore:
    """Stores results in a folder. A file is complete or absent, so that a killed run resumes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "cells"

    def get(self, experiment: Experiment) -> ResultRow | None:
        """Return the result, None if there is none yet; DataError for a file that is not a result."""
        path = self._folder / experiment.name
        return _read(path) if path.is_file() else None

    def put(self, experiment: Experiment, row: ResultRow) -> None:
        """Write a result."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(row, allow_nan=False) + "\n"
        write_atomic(self._folder / experiment.name, text.encode())

    def rows(self) -> list[ResultRow]:
        """Return all results."""
        return [_read(path) for path in sorted(self._folder.glob("*.json"))]


def _read(path: Path) -> ResultRow:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        row = None
    if not isinstance(row, dict) or "test" not in row:
        raise DataError(f"{path}: not a result of scripts/bench paper: remove the file and run the command again")
    return row


def experiments_of(sets: Iterable[str], models: Sequence[str], sizes: Sequence[int], seeds: int) -> list[Experiment]:
    """Return all experiments, set by set and model by model, each after the one whose budget it needs."""
    wanted: dict[Experiment, None] = {}
    for name in sets:
        for model in models:
            for size in sizes:
                for seed in range(seeds):
                    experiment = Experiment(name, model, size, seed)
                    if experiment.budget is not None:
                        wanted[experiment.budget] = None
                    wanted[experiment] = None
    return list(wanted)


def run_experiment(experiment: Experiment, dataset: Dataset, plan: TrainingPlan, store: ResultStore) -> ResultRow:
    """Train and measure; the budget is that of an earlier result."""
    torch.manual_seed(experiment.seed)
    torch.set_num_threads(1)
    recipe = ALL[experiment.model].make(dataset.inputs, experiment.size, _budget(store, experiment))

    def progress(epoch: int, loss: float, cost: float) -> None:
        name = f"{experiment.set} {experiment.model} {experiment.size} seed {experiment.seed}"
        words = f"{name}: epoch {epoch + 1} of {plan.epochs}"
        print(f"\r{words}, validation {loss:.3f}, cost {cost:.3f} ", end="", file=sys.stderr, flush=True)

    outcome = train(recipe, dataset, plan, experiment.seed, progress)
    print(f"in {outcome.seconds:.0f} s", file=sys.stderr, flush=True)
    network, body = outcome.network, outcome.network.body
    measured = {
        part: vars(evaluate(network, dataset, make_lanes(pieces, 64), plan.window))
        for part, pieces in (("valid", dataset.valid), ("test", dataset.test))
    }
    exported = None
    if body.exports:
        exported = measure_exported(network, dataset, mask_of(recipe, outcome.best, 1.0, plan))
    return {
        **vars(experiment),
        "hidden": body.hidden,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **measured,
        "exported": exported,
        "histogram": _histogram(outcome, dataset, plan),
        "trace": _trace(outcome, dataset),
        **_training(outcome, plan),
        **_origin(),
    }


def _budget(store: ResultStore, experiment: Experiment) -> MatchedCost | None:
    if experiment.budget is None:
        return None
    row = store.get(experiment.budget)
    assert row is not None, "experiments_of puts the experiment whose budget is needed first"
    return MatchedCost(row["test"]["macs"]["all"], row["test"]["square"])


def _training(outcome: TrainedModel, plan: TrainingPlan) -> ResultRow:
    return {
        "plan": vars(plan),
        "epochs": outcome.epochs,
        "best": outcome.best,
        "seconds": round(outcome.seconds, 1),
        "history": [[round(value, 5) for value in epoch] for epoch in outcome.history],
    }


def _origin() -> ResultRow:
    return {
        "versions": {
            "vcedge": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "commit": commit(),
        "date": datetime.now(timezone.utc).date().isoformat(),
    }


def _histogram(outcome: TrainedModel, dataset: Dataset, plan: TrainingPlan) -> dict[str, int]:
    """Count how often each number of dimensions was updated on the test pieces."""
    counts: dict[str, int] = {}
    outcome.network.eval()
    with torch.no_grad():
        for window, result in unrolled_windows(outcome.network, make_lanes(dataset.test, 64), plan.window, HARD):
            values, numbers = result.updated[window.weight > 0].round().unique(return_counts=True)
            for k, number in zip(values.int().tolist(), numbers.tolist(), strict=True):
                counts[str(k)] = counts.get(str(k), 0) + number
    return dict(sorted(counts.items(), key=lambda item: int(item[0])))


def _trace(outcome: TrainedModel, dataset: Dataset) -> list[int]:
    """Return the dimensions updated at each step of the first test piece."""
    outcome.network.eval()
    lanes = make_lanes(dataset.test[:1], 1)
    with torch.no_grad():
        windows = [result for _, result in unrolled_windows(outcome.network, lanes, 1000, HARD)]
    return [round(k) for result in windows for k in result.updated[:, 0].tolist()]
