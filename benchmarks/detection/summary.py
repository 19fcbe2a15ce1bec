"""Summarises lines of results by mean and spread: over series first, then over seeds."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.results import ResultRow

TOTALS = ("rows", "anomalous_rows", "silent", "refused")
"""Measures that are summed over series, not averaged."""


@dataclass(frozen=True)
class SeedValue:
    """Holds the mean over seeds of the mean over series, and the standard deviation over the seeds."""

    mean: float
    spread: float
    seeds: tuple[int, ...]

    def text(self, digits: int = 3) -> str:
        """Format as ".901 ± .002", without a spread for a single seed."""
        if not math.isfinite(self.mean):
            return "–"
        mean = _short(self.mean, digits)
        return f"{mean} ± {_short(self.spread, digits)}" if len(self.seeds) > 1 else mean


class Summary:
    """Looks up values in all lines of one version of the code."""

    def __init__(self, rows: Iterable[ResultRow]) -> None:
        self._by: dict[tuple[str, str], dict[int, dict[str, ResultRow]]] = defaultdict(lambda: defaultdict(dict))
        for row in rows:
            self._by[row["set"], row["method"]][row["seed"]][row["series"]] = row

    @property
    def sets(self) -> list[str]:
        """Sets in the order of their first lines."""
        return list(dict.fromkeys(name for name, _ in self._by))

    @property
    def methods(self) -> list[str]:
        """Methods in the order of their first lines."""
        return list(dict.fromkeys(method for _, method in self._by))

    def series(self, name: str) -> list[str]:
        """Return all series of a set that any method was measured on."""
        found = (
            series for (of, _), seeds in self._by.items() if of == name for rows in seeds.values() for series in rows
        )
        return sorted(set(found))

    def seeds(self, name: str, method: str) -> tuple[int, ...]:
        """Return the seeds that were measured on every series of the set."""
        complete = len(self.series(name))
        return tuple(sorted(seed for seed, rows in self._by.get((name, method), {}).items() if len(rows) == complete))

    def per_seed(self, name: str, method: str, measure: str) -> dict[int, float]:
        """Return the mean over series (or the sum, see TOTALS) for each seed; NaN if no series has the measure."""
        add = measure.rpartition(".")[2] in TOTALS
        found = {}
        for seed in self.seeds(name, method):
            values = [row.get(measure) for row in self._by[name, method][seed].values()]
            kept = np.array([value for value in values if value is not None], np.float64)
            found[seed] = math.nan if not len(kept) else float(kept.sum() if add else kept.mean())
        return found

    def value(self, name: str, method: str, measure: str) -> SeedValue:
        """Return mean and spread over the seeds."""
        return value_of(self.per_seed(name, method, measure))

    def difference(self, name: str, method: str, other: str, measure: str) -> SeedValue:
        """Compare two methods seed by seed; one without seeds is compared with every seed of the other."""
        mine, theirs = self.per_seed(name, method, measure), self.per_seed(name, other, measure)
        if len(theirs) == 1 and 0 in theirs and len(mine) > 1:
            theirs = dict.fromkeys(mine, theirs[0])
        return value_of({seed: mine[seed] - theirs[seed] for seed in mine if seed in theirs})

    def pooled(self, name: str, method: str) -> dict[str, SeedValue]:
        """Return F1, FAR and MAR of the rows of all series together, as in published results of SKAB."""
        by_seed: dict[str, dict[int, float]] = {"f1": {}, "far": {}, "mar": {}}
        for seed in self.seeds(name, method):
            rows = list(self._by[name, method][seed].values())
            for measure, value in _pooled(rows).items():
                by_seed[measure][seed] = value
        return {measure: value_of(values) for measure, values in by_seed.items()}


def value_of(by_seed: Mapping[int, float]) -> SeedValue:
    """Return mean and spread of one number for each seed."""
    if not by_seed:
        return SeedValue(math.nan, math.nan, ())
    values = np.array(list(by_seed.values()))
    spread = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return SeedValue(float(values.mean()), spread, tuple(sorted(by_seed)))


def newest_version(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the lines of the version that was measured last: a table never mixes versions."""
    return [row for row in rows if row["version"] == rows[-1]["version"]] if rows else []


def _pooled(rows: Sequence[ResultRow]) -> dict[str, float]:
    positive = np.array([row["anomalous_rows"] for row in rows])
    negative = np.array([row["rows"] for row in rows]) - positive
    false = float((negative * [row["far"] or 0.0 for row in rows]).sum())
    missed = float((positive * [row["mar"] or 0.0 for row in rows]).sum())
    hit = float(positive.sum()) - missed
    return {
        "f1": 2 * hit / max(2 * hit + false + missed, 1.0),
        "far": false / max(float(negative.sum()), 1.0),
        "mar": missed / max(float(positive.sum()), 1.0),
    }


def _short(value: float, digits: int) -> str:
    """Format without the leading zero, as tables of shares do."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if digits and text.lstrip("-").startswith("0.") else text
