"""Runs the measurements that the results lack, cheap methods and the first seed first, in one or more processes."""

from __future__ import annotations

import multiprocessing
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from benchmarks.datasets import load_reference
from benchmarks.detection.decisions import measure_simple
from benchmarks.detection.fitting import DETECTORS, MAIN, OFF, REMOVED, SEEDED, TWIN, fit_detector
from benchmarks.detection.product import measure_detector, refused
from benchmarks.detection.results import ResultRow, Results, code_version, stamp
from benchmarks.detection.sets import Series, SeriesSource, groups
from benchmarks.detection.simple import SIMPLE, TRIVIAL, applies, score_simple
from vcedge.errors import DataError

ORDER = ("TEP", "CMAPSS", "HYDSYS", "AHU", "BATADAL", "SKAB", "ASD", "MSL", "SMAP", "GECCO", "SMD")
"""Fast sets first."""
METHODS = (MAIN, OFF, TWIN, *SIMPLE, *TRIVIAL)
"""Methods to ask for; MAIN measures REMOVED as well, which needs no training of its own."""
SIMPLE_CODE = ("simple.py", "decisions.py")
RESULTS, SIMPLE_RESULTS = "results.jsonl", "simple.jsonl"


@dataclass(frozen=True)
class Job:
    """Names one method on one set with one seed."""

    set: str
    method: str
    seed: int

    @property
    def place(self) -> tuple[int, bool, int, int]:
        """Sort key: seeds in order, what needs no training of a network first, fast sets first."""
        trains = self.method in SEEDED
        return self.seed, trains, ORDER.index(self.set), METHODS.index(self.method)


def jobs(sets: Sequence[str], methods: Sequence[str], seeds: int) -> list[Job]:
    """Return the jobs in their order; only methods with random weights have more than one seed."""
    found = (
        Job(name, method, seed)
        for name in sets
        for method in methods
        if applies(method, name)
        for seed in range(seeds if method in SEEDED else 1)
    )
    return sorted(found, key=lambda job: job.place)


class Store:
    """Keeps the lines of the detectors, and those of simple detectors, which no change of the product outdates."""

    def __init__(self, out: Path, reference: ModuleType) -> None:
        path = Path(str(reference.__file__))
        version = code_version(path.parent, [path.name]) + code_version(Path(__file__).parent, SIMPLE_CODE)
        self._detectors = Results(out / RESULTS, stamp())
        self._simple = Results(out / SIMPLE_RESULTS, {**stamp(), "version": version})

    def of(self, method: str) -> Results:
        """Return the lines that those of a method belong to."""
        return self._detectors if method in DETECTORS else self._simple


class Task(NamedTuple):
    """Holds the missing series of a job that share their training rows."""

    job: Job
    series: list[Series]


def run(wanted: Sequence[Job], store: Store, source: SeriesSource, workers: int = 1) -> int:
    """Add the missing measurements and return the number of lines added."""
    loaded: dict[str, list[Series]] = {}
    measure = partial(measure_task, data=source.data)
    added = 0
    with _Pool(workers) as pool:
        for job in wanted:
            if job.set not in loaded:
                loaded[job.set] = source.load(job.set)
            results = store.of(job.method)
            for rows in pool.map(measure, missing(job, loaded[job.set], results)):
                for row in rows:
                    results.add(row)
                added += len(rows)
    return added


def missing(job: Job, series: Sequence[Series], results: Results) -> list[Task]:
    """Return what the results lack of a job; series that share training rows are one task."""
    lacking = [one for one in series if not results.has(**key(job, one))]
    return [Task(job, group) for group in groups(lacking)]


def key(job: Job, series: Series) -> ResultRow:
    """Return the key of a line, without its version."""
    return {"set": job.set, "series": series.name, "method": job.method, "seed": job.seed}


def measure_task(task: Task, data: Path) -> list[ResultRow]:
    """Fit once and return a line for each series; a refused training part gives lines without any alarm."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference divides by zero where a channel stands still
        rows = list(_measured(task, _reference(data)))
    first, spent = task.series[0], time.perf_counter() - began
    print(f"{first.name} {task.job.method} seed {task.job.seed}: {spent:.1f} s", file=sys.stderr, flush=True)
    return rows


def _measured(task: Task, reference: ModuleType) -> Iterator[ResultRow]:
    job = task.job
    if job.method in DETECTORS:
        yield from _of_detector(task, reference)
        return
    for series in task.series:
        yield {**key(job, series), **measure_simple(score_simple(job.method, series, reference), series, reference)}


def _of_detector(task: Task, reference: ModuleType) -> Iterator[ResultRow]:
    job, error, fit = task.job, "", None
    try:
        fit = fit_detector(job.method, task.series[0], job.seed)
    except DataError as refusal:
        error = str(refusal)
    for series, method in product(task.series, (MAIN, REMOVED) if job.method == MAIN else (job.method,)):
        line = key(replace(job, method=method), series)
        if fit is None:
            yield {**line, **refused(series), "error": error}
            continue
        detector = fit.detector.without_network() if method == REMOVED else fit.detector
        yield {**line, **measure_detector(detector, series.case, reference), "fit_s": fit.seconds, **fit.notes}


@cache
def _reference(data: Path) -> ModuleType:
    return load_reference(data)


class _Pool:
    """Maps tasks in order, in this process or in several."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = None if workers == 1 else ProcessPoolExecutor(workers, mp_context=context)

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: partial[list[ResultRow]], tasks: list[Task]) -> Iterator[list[ResultRow]]:
        """Yield the result of each task as soon as those before it are there."""
        yield from map(function, tasks) if self._pool is None else self._pool.map(function, tasks)
