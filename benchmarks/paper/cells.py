"""One cell of the table: a model of a size on a set from a seed, measured and kept in a file of its own."""

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
from benchmarks.paper.models import MODELS, Budget, Model
from benchmarks.paper.training import HARD, Outcome, Plan, evaluate, mask_of, train, unrolled_windows
from vcedge import __version__
from vcedge.errors import DataError
from vcedge.files import write_atomic

Row = dict[str, Any]
ALL: Mapping[str, Model] = {**MODELS, **ABLATIONS}


@dataclass(frozen=True)
class Cell:
    """A place in the table."""

    set: str
    model: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.set}-{self.model}-{self.size}-{self.seed}.json"

    @property
    def budget(self) -> Cell | None:
        """The cell whose operations it is to match."""
        of = ALL[self.model].of
        return None if of is None else Cell(self.set, of, self.size, self.seed)


class Table:
    """A folder of results. A file is complete or not there, so that a run which was killed goes on where it was."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "cells"

    def get(self, cell: Cell) -> Row | None:
        """What was measured, None where nothing was yet. Raises DataError for a file that is no result."""
        path = self._folder / cell.name
        return _read(path) if path.is_file() else None

    def put(self, cell: Cell, row: Row) -> None:
        """Keep a result."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(row, allow_nan=False) + "\n"
        write_atomic(self._folder / cell.name, text.encode())

    def rows(self) -> list[Row]:
        """All there are."""
        return [_read(path) for path in sorted(self._folder.glob("*.json"))]


def _read(path: Path) -> Row:
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        row = None
    if not isinstance(row, dict) or "test" not in row:
        raise DataError(f"{path}: is no result of scripts/bench paper; remove it and run again")
    return row


def cells_of(sets: Iterable[str], models: Sequence[str], sizes: Sequence[int], seeds: int) -> list[Cell]:
    """All cells, set by set and model by model, each after the one whose budget it needs."""
    wanted: dict[Cell, None] = {}
    for name in sets:
        for model in models:
            for size in sizes:
                for seed in range(seeds):
                    cell = Cell(name, model, size, seed)
                    if cell.budget is not None:
                        wanted[cell.budget] = None
                    wanted[cell] = None
    return list(wanted)


def run_cell(cell: Cell, dataset: Dataset, plan: Plan, table: Table) -> Row:
    """Train and measure; the budget comes from the table."""
    torch.manual_seed(cell.seed)
    torch.set_num_threads(1)
    recipe = ALL[cell.model].make(dataset.inputs, cell.size, _budget(table, cell))

    def progress(epoch: int, loss: float, cost: float) -> None:
        words = f"{cell.set} {cell.model} {cell.size} seed {cell.seed}: epoch {epoch + 1} of {plan.epochs}"
        print(f"\r{words}, validation {loss:.3f}, cost {cost:.3f} ", end="", file=sys.stderr, flush=True)

    outcome = train(recipe, dataset, plan, cell.seed, progress)
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
        **vars(cell),
        "hidden": body.hidden,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        **measured,
        "exported": exported,
        "histogram": _histogram(outcome, dataset, plan),
        "trace": _trace(outcome, dataset),
        **_training(outcome, plan),
        **_origin(),
    }


def _budget(table: Table, cell: Cell) -> Budget | None:
    if cell.budget is None:
        return None
    row = table.get(cell.budget)
    assert row is not None, "cells_of puts the cell whose budget is needed first"
    return Budget(row["test"]["macs"]["all"], row["test"]["square"])


def _training(outcome: Outcome, plan: Plan) -> Row:
    return {
        "plan": vars(plan),
        "epochs": outcome.epochs,
        "best": outcome.best,
        "seconds": round(outcome.seconds, 1),
        "history": [[round(value, 5) for value in epoch] for epoch in outcome.history],
    }


def _origin() -> Row:
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


def _histogram(outcome: Outcome, dataset: Dataset, plan: Plan) -> dict[str, int]:
    """How often each number of dimensions was updated on the test pieces."""
    counts: dict[str, int] = {}
    outcome.network.eval()
    with torch.no_grad():
        for window, result in unrolled_windows(outcome.network, make_lanes(dataset.test, 64), plan.window, HARD):
            values, numbers = result.updated[window.weight > 0].round().unique(return_counts=True)
            for k, number in zip(values.int().tolist(), numbers.tolist(), strict=True):
                counts[str(k)] = counts.get(str(k), 0) + number
    return dict(sorted(counts.items(), key=lambda item: int(item[0])))


def _trace(outcome: Outcome, dataset: Dataset) -> list[int]:
    """Dimensions updated at each step of the first test piece."""
    outcome.network.eval()
    lanes = make_lanes(dataset.test[:1], 1)
    with torch.no_grad():
        windows = [result for _, result in unrolled_windows(outcome.network, lanes, 1000, HARD)]
    return [round(k) for result in windows for k in result.updated[:, 0].tolist()]
