"""`scripts/bench robustness`: measures detection with missing values, a dead channel, noise, another rate, a gap.

A detector is trained on clean rows and scores a corrupted test part; the tables show the change of VUS-PR and of false
alarms against the clean one. Normal and anomalous rows are corrupted alike, and the labels stay.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.fitting import MAIN, OFF, FittedDetector, fit_detector
from benchmarks.detection.jobs import ORDER
from benchmarks.detection.page import write_page
from benchmarks.detection.product import measure_detector
from benchmarks.detection.results import Results, stamp
from benchmarks.detection.robustness_table import CLEAN, HOLES
from benchmarks.detection.sets import Series, SeriesSource, groups
from vcedge.errors import DataError
from vcedge.evaluation.vus import dominant_period
from vcedge.schema import F64
from vcedge.train.compare.cases import Case

FILE = "robustness.jsonl"
METHODS = (MAIN, OFF)
NOISE = 0.5
"""Added noise, as a share of each channel's standard deviation on the training rows."""
GAP_SHARE = 0.05
"""Share of the rows that are missing in the middle."""
Corruption = Callable[[Series], Case]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench robustness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(ORDER), choices=ORDER)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--corruptions", nargs="+", default=list(CORRUPTIONS), choices=CORRUPTIONS)
    parser.add_argument("--files", type=int, help="number of series of each set, the first ones; default: all")
    parser.add_argument("--out", type=Path, default=Path("build/detection"))
    parser.add_argument("--tables", action="store_true", help="measure nothing: print tables and write them into docs")
    options = parser.parse_args()
    if options.tables:
        print(write_page(options.out))
        return
    warnings.simplefilter("ignore")  # the reference divides by zero where a channel stands still
    data = data_folder()
    source = SeriesSource(data, load_reference(data), options.files)
    kinds = {CLEAN: CORRUPTIONS[CLEAN]} | {name: CORRUPTIONS[name] for name in options.corruptions}
    results = Results(options.out / FILE, stamp())
    for name in options.sets:
        for group in groups(source.load(name)):
            for method in options.methods:
                run_group(Subject(group, method, source.reference), kinds, results)


class Subject(NamedTuple):
    """Names series that share their training rows, and the method to train on them."""

    series: list[Series]
    method: str
    reference: ModuleType


def run_group(subject: Subject, kinds: Mapping[str, Corruption], results: Results) -> None:
    """Add the missing measurements; one training is used for all corruptions. A refused series is left out."""
    fit: FittedDetector | None = None
    (first, *_), method = subject.series, subject.method
    for series in subject.series:
        for name, corrupt in kinds.items():
            key = {"set": series.set, "series": series.name, "method": f"{method} | {name}", "seed": 0}
            if results.has(**key):
                continue
            try:
                fit = fit or fit_detector(method, first, 0)
            except DataError as refusal:
                print(f"{first.name} {method}: {refusal}", file=sys.stderr, flush=True)
                return
            case = corrupt(series)
            window = dominant_period(series.test[:, 0]) // _step(case, series)
            results.add({**key, **measure_detector(fit.detector, case, subject.reference, window)})
    if fit is not None:
        print(f"{first.name} {method}: trained {fit.seconds:.1f} s", file=sys.stderr, flush=True)


def missing(share: float) -> Corruption:
    """Return a corruption in which each value is missing with some probability."""

    def corrupt(series: Series) -> Case:
        gone = np.random.default_rng(0).random(series.test.shape) < share
        return _with(series, np.where(gone, np.nan, series.test))

    return corrupt


def dead(series: Series) -> Case:
    """Remove all values of one channel, the first that is not a switch."""
    values = series.test.copy()
    values[:, _channel(series)] = np.nan
    return _with(series, values)


def frozen(series: Series) -> Case:
    """Hold the same channel at the last training value, as a sensor with a stuck converter does."""
    values = series.test.copy()
    values[:, _channel(series)] = series.train[-1, _channel(series)]
    return _with(series, values)


def noisy(series: Series) -> Case:
    """Add independent noise to every channel."""
    spread = NOISE * series.train.std(axis=0)
    return _with(series, series.test + spread * np.random.default_rng(0).standard_normal(series.test.shape))


def halved(series: Series) -> Case:
    """Keep every second row with its time: the plant is the same, the rows are twice as far apart."""
    case = series.case
    values = case.values[::2]
    return Case(case.name, values, case.time_ns[::2], ((0, len(values)),), case.labels[::2])


def gap(series: Series) -> Case:
    """Remove some rows in the middle."""
    case, count = series.case, len(series.test)
    kept = np.ones(count, bool)
    start = count // 2
    stop = start + max(round(GAP_SHARE * count), 10)
    kept[start:stop] = False
    ranges = ((0, start), (start, int(kept.sum())))
    return Case(case.name, case.values[kept], case.time_ns[kept], ranges, case.labels[kept])


CORRUPTIONS: dict[str, Corruption] = {
    CLEAN: lambda series: series.case,
    HOLES: missing(0.05),
    "20% of the values missing": missing(0.2),
    "50% of the values missing": missing(0.5),
    "one channel dead (no values)": dead,
    "one channel frozen (one value)": frozen,
    f"noise of {NOISE:g} standard deviations": noisy,
    "every second row": halved,
    f"a gap of {GAP_SHARE:.0%} of the rows": gap,
}


def _step(case: Case, series: Series) -> int:
    """Return the rows of the clean series from one row to the next."""
    return int(case.time_ns[1] - case.time_ns[0]) // series.period_ns


def _with(series: Series, values: F64) -> Case:
    return replace(series.case, values=values)


def _channel(series: Series) -> int:
    """Return the first channel with many values in the training part: neither a switch nor a constant."""
    kinds = [len(np.unique(series.train[:, i])) for i in range(series.train.shape[1])]
    return int(np.argmax(np.array(kinds) > len(series.train) / 20))


if __name__ == "__main__":
    main()
