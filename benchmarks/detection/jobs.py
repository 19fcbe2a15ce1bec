"""What is to be measured, in an order in which the first seed of everything comes first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from benchmarks.detection.fitting import SEEDED, fit_method
from benchmarks.detection.results import Results, Row
from benchmarks.detection.scoring import measures_of
from benchmarks.detection.sets import SLOW_SETS, Series, groups, load_set

ORDER = ("TEP", "BATADAL", "SKAB", "GECCO", "SMD")
"""Fast sets first."""


@dataclass(frozen=True)
class Job:
    """One seed of one set."""

    set: str
    seed: int

    @property
    def place(self) -> tuple[bool, bool, int, int]:
        """The first seed of all sets, then the others: fast sets before slow ones."""
        later = self.seed > 0
        return later, later and self.set in SLOW_SETS, self.seed, ORDER.index(self.set)


def jobs(sets: Sequence[str], seeds: int) -> list[Job]:
    """All seeds of all sets in their order."""
    return sorted((Job(name, seed) for name in sets for seed in range(seeds)), key=lambda job: job.place)


def methods_of(methods: Sequence[str], seed: int) -> list[str]:
    """Those of the methods that a seed matters to; for the first seed all."""
    return [method for method in methods if seed == 0 or method in SEEDED]


def run(
    wanted: Sequence[Job],
    methods: Sequence[str],
    results: Results,
    mark: Row,
    data: Path,
    yardstick: ModuleType,
    most: int | None = None,
) -> int:
    """Measure what is not there yet; the number of lines that were added. `most`: only so many series of a set."""
    loaded: dict[str, list[Series]] = {}
    added = 0
    for job in wanted:
        if job.set not in loaded:
            loaded[job.set] = load_set(job.set, data, yardstick, most)
        for row in run_job(job, methods_of(methods, job.seed), loaded[job.set], results, mark, yardstick):
            results.add(row)
            added += 1
    return added


def run_job(
    job: Job, methods: Sequence[str], series: list[Series], results: Results, mark: Row, yardstick: ModuleType | None
) -> Iterator[Row]:
    """One line for each series and method that is missing; methods that share a training are fitted once."""
    for method in methods:
        for group in groups(series):
            missing = [
                one
                for one in group
                if not results.has(set=job.set, series=one.name, method=method, seed=job.seed, version=mark["version"])
            ]
            if not missing:
                continue
            began = time.perf_counter()
            fit = fit_method(method, group[0], job.seed, yardstick)
            for one in missing:
                found = measures_of(fit, one.case, one.period_ns)
                yield {"set": job.set, "series": one.name, "method": method, "seed": job.seed, **mark, **found}
            spent = time.perf_counter() - began
            print(f"{job.set} {group[0].name} {method} seed {job.seed}: {spent:.1f} s", file=sys.stderr, flush=True)
