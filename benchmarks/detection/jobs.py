"""Runs the measurements, the first seed of everything first."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType

from benchmarks.detection.fitting import SEEDED, fit_method
from benchmarks.detection.results import ResultRow, Results
from benchmarks.detection.scoring import measures_of
from benchmarks.detection.sets import SLOW_SETS, Series, SeriesSource, groups

ORDER = ("TEP", "CMAPSS", "HYDSYS", "AHU", "BATADAL", "SKAB", "ASD", "MSL", "SMAP", "GECCO", "SMD")
"""Fast sets first."""


@dataclass(frozen=True)
class Job:
    """Names one seed of one set."""

    set: str
    seed: int

    @property
    def place(self) -> tuple[bool, bool, int, int]:
        """Sort key: the first seed of all sets, then the others, fast sets before slow ones."""
        later = self.seed > 0
        return later, later and self.set in SLOW_SETS, self.seed, ORDER.index(self.set)


def jobs(sets: Sequence[str], seeds: int) -> list[Job]:
    """Return all seeds of all sets in their order."""
    return sorted((Job(name, seed) for name in sets for seed in range(seeds)), key=lambda job: job.place)


def methods_of(methods: Sequence[str], seed: int) -> list[str]:
    """Return the methods that depend on the seed; for the first seed all."""
    return [method for method in methods if seed == 0 or method in SEEDED]


def run(wanted: Sequence[Job], methods: Sequence[str], results: Results, source: SeriesSource) -> int:
    """Add the missing measurements and return the number of lines added."""
    loaded: dict[str, list[Series]] = {}
    added = 0
    for job in wanted:
        if job.set not in loaded:
            loaded[job.set] = source.load(job.set)
        for row in run_job(job, methods_of(methods, job.seed), loaded[job.set], results, source.reference):
            results.add(row)
            added += 1
    return added


def run_job(
    job: Job, methods: Sequence[str], series: list[Series], results: Results, reference: ModuleType | None
) -> Iterator[ResultRow]:
    """Yield a line for each missing series and method; methods that share training rows are fitted once."""
    for method in methods:
        for group in groups(series):
            keys = {one.name: {"set": job.set, "series": one.name, "method": method, "seed": job.seed} for one in group}
            missing = [one for one in group if not results.has(**keys[one.name])]
            if not missing:
                continue
            began = time.perf_counter()
            fit = fit_method(method, group[0], job.seed, reference)
            for one in missing:
                yield {**keys[one.name], **measures_of(fit, one.case, one.period_ns)}
            spent = time.perf_counter() - began
            print(f"{job.set} {group[0].name} {method} seed {job.seed}: {spent:.1f} s", file=sys.stderr, flush=True)
