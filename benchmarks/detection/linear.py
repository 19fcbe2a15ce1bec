"""`scripts/bench detection --linear`: prints a line for each set, network off beside the linear forecaster."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.datasets import load_reference
from benchmarks.detection.decisions import Line, finished, measure_detector, measure_simple
from benchmarks.detection.fitting import OFF, linear_detector
from benchmarks.detection.results import ROOT, Results, code_version, stamp
from benchmarks.detection.sets import Series, SeriesSource
from benchmarks.detection.simple import RIDGE, score_simple
from vcedge.calibration.recalibrate import refit
from vcedge.errors import DataError

FILE, SIMPLE_FILE = "linear.jsonl", "simple.jsonl"
COLUMNS = ("vus_pr", "f1", "far", "found", "false_10k")
FAR_ALLOWED = 0.02


def run_linear(sets: Sequence[str], out: Path, source: SeriesSource, workers: int) -> None:
    """Print a line for each set, then counts over all; only what the results lack is measured."""
    own = Results(out / FILE, stamp())
    ridge = Results(out / SIMPLE_FILE, {**stamp(), "version": simple_version(source)})
    means = []
    for name in sets:
        series = source.load(name)
        _measure(series, OFF, own, source.data, workers)
        _measure(series, RIDGE, ridge, source.data, workers)
        lines = [list(_lines(results, series, method)) for results, method in ((own, OFF), (ridge, RIDGE))]
        means.append(_print_set(name, *lines))
    print(_counts(means), flush=True)


def simple_version(source: SeriesSource) -> str:
    """Return a digest of the code that the numbers of the simple detectors depend on."""
    path = Path(str(source.reference.__file__))
    return code_version(path.parent, [path.name]) + code_version(ROOT, ["benchmarks/detection/simple.py"])


def _measure(series: Sequence[Series], method: str, results: Results, data: Path, workers: int) -> None:
    missing = [one for one in series if not results.has(set=one.set, series=one.name, method=method, seed=0)]
    measure = partial(_measured, method=method, data=data)
    if workers == 1:
        for one in missing:
            results.add(measure(one))
    elif missing:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for row in pool.map(measure, missing):
                results.add(row)


def _measured(series: Series, method: str, data: Path) -> Line:
    """Return the line of one series."""
    reference = load_reference(data)
    key = {"set": series.set, "series": series.name, "method": method, "seed": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == RIDGE:
            return {**key, **measure_simple(score_simple(RIDGE, series, reference), series, reference)}
        try:
            detector, split = linear_detector(series)
            found = measure_detector(refit(detector, series.train, split), series, reference)
            return {**key, **found, "refused": None}
        except DataError as error:
            return {**key, **refused(series), "refused": str(error)}


def refused(series: Series) -> Line:
    """Return the measures of a series whose training part the product refuses: equal scores and no alarm."""
    share = float(series.labels.mean())
    nothing = {"vus_pr": share, "f1": 0.0, "far": 0.0, "mar": 1.0, "found": 0.0, "false_10k": 0.0, "alarm_rows": 0.0}
    return finished(nothing)


def _lines(results: Results, series: Sequence[Series], method: str) -> Iterator[Line]:
    """Yield the lines of the current version, in the order of the series."""
    found = {row["series"]: row for row in results.rows if row["method"] == method and results.is_current(row)}
    yield from (found[one.name] for one in series)


def _print_set(name: str, own: Sequence[Line], ridge: Sequence[Line]) -> tuple[list[float], list[float], float]:
    """Print the line of a set; return the means of COLUMNS, those of the ridge-VAR, and the number of silent series."""
    mean = [float(np.mean([line[column] for line in own])) for column in COLUMNS]
    bar = [float(np.mean([line[column] for line in ridge])) for column in COLUMNS]
    known = [line["promised_10k"] for line in own if line["refused"] is None]
    promise = float(np.mean(known)) if known else 0.0
    silent, out = sum(line["silent"] for line in own), len(own) - len(known)
    print(
        f"{name:8s} VUS-PR {mean[0]:.3f} ({bar[0]:.3f}) | F1 {mean[1]:.3f} ({bar[1]:.3f}) "
        f"FAR {mean[2]:.3f} ({bar[2]:.3f}) found {mean[3]:.2f} ({bar[3]:.2f}) "
        f"false/10k {mean[4]:.1f} ({bar[4]:.1f}) promised/10k {promise:.2g} silent {silent:.0f}"
        + (f" refused {out}" if out else ""),
        flush=True,
    )
    return mean, bar, silent


def _counts(means: Sequence[tuple[list[float], list[float], float]]) -> str:
    own, bar = np.array([mean for mean, _, _ in means]), np.array([ridge for _, ridge, _ in means])
    return (
        f"of {len(means)} sets: VUS-PR above the ridge-VAR on {(own[:, 0] > bar[:, 0]).sum()}, F1 at or above on "
        f"{(own[:, 1] >= bar[:, 1]).sum()}, FAR within + {FAR_ALLOWED:g} on "
        f"{(own[:, 2] <= bar[:, 2] + FAR_ALLOWED).sum()}; found {own[:, 3].mean():.2f}, "
        f"silent {sum(silent for _, _, silent in means):.0f}"
    )
