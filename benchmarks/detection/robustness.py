"""`scripts/bench robustness`: measures detection with missing values, a dead channel, noise, another rate, a gap.

A detector is trained on clean rows and scores a corrupted test part; the tables show the change of VUS-PR and of false
alarms against the clean one. Normal and anomalous rows are corrupted alike, and the labels stay.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.fitting import MAIN, OFF, FittedMethod, fit_method
from benchmarks.detection.page import write_page
from benchmarks.detection.results import Results, stamp
from benchmarks.detection.scoring import measures_of
from benchmarks.detection.sets import Series, SeriesSource, groups
from vcedge.evaluation.vus import dominant_period
from vcedge.schema import F64
from vcedge.train.compare.cases import Case

FILE = "robustness.jsonl"
SETS = ("TEP", "BATADAL", "SKAB")
METHODS = (MAIN, OFF)
NOISE = 0.5
"""Added noise, as a share of each channel's standard deviation on the training rows."""
GAP_SHARE = 0.05
"""Share of the rows that are missing in the middle."""
CLEAN = "clean"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench robustness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--files", type=int, default=10, help="number of series of each set, the first ones")
    parser.add_argument("--out", type=Path, default=Path("build/detection"))
    parser.add_argument("--tables", action="store_true", help="measure nothing: print tables and write them into docs")
    options = parser.parse_args()
    if options.tables:
        print(write_page(options.out))
        return
    data = data_folder()
    source = SeriesSource(data, load_reference(data), options.files)
    run(options.sets, options.methods, Results(options.out / FILE, stamp()), source)


def run(sets: Sequence[str], methods: Sequence[str], results: Results, source: SeriesSource) -> None:
    """Add the missing measurements; each training is used for all corruptions."""
    for name in sets:
        loaded = groups(source.load(name))
        for method in methods:
            for group in loaded:
                _run_group(group, method, results)


def _run_group(group: list[Series], method: str, results: Results) -> None:
    fit: FittedMethod | None = None
    for series in group:
        for name, corrupt in CORRUPTIONS.items():
            key = {"set": series.set, "series": series.name, "method": f"{method} | {name}", "seed": 0}
            if results.has(**key):
                continue
            fit = fit or fit_method(method, group[0], 0)
            case = corrupt(series)
            window = dominant_period(series.test[:, 0]) // _step(case, series)
            results.add({**key, **measures_of(fit, case, series.period_ns, window)})
    if fit is not None:
        print(f"{group[0].name} {method}: trained {fit.seconds:.1f} s", file=sys.stderr, flush=True)


def missing(share: float) -> Callable[[Series], Case]:
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


CORRUPTIONS: dict[str, Callable[[Series], Case]] = {
    CLEAN: lambda series: series.case,
    "5% of the values missing": missing(0.05),
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
