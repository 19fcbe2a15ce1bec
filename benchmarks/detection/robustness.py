"""What reality does to detection: values missing, a channel dead, noise, another sampling rate, a gap.

`scripts/bench robustness`: a detector is trained on clean rows and scores a spoilt test part; printed is the change of
VUS-PR and of false alarms against the same detector on the clean one. Normal and anomalous rows are spoilt alike, and
the truth stays what it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.detection.fitting import MAIN, OFF, FittedMethod, fit_method
from benchmarks.detection.page import write_page
from benchmarks.detection.results import Results, Row, stamp
from benchmarks.detection.scoring import measures_of
from benchmarks.detection.sets import Series, groups, load_set
from benchmarks.skab import load_yardstick
from vcedge.evaluation.metrics import dominant_period
from vcedge.schema import F64
from vcedge.train.compare.cases import Case

FILE = "robustness.jsonl"
SETS = ("TEP", "BATADAL", "SKAB")
METHODS = (MAIN, OFF)
NOISE = 0.5
"""Added noise, as part of each channel's standard deviation on the training rows."""
GAP_SHARE = 0.05
"""Rows that are missing in one go, in the middle."""
CLEAN = "clean"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench robustness", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--files", type=int, default=10, help="only the first so many series of each set")
    parser.add_argument("--out", type=Path, default=Path("build/detection"))
    parser.add_argument("--tables", action="store_true", help="run nothing: print tables, put them into docs")
    options = parser.parse_args()
    if options.tables:
        print(write_page(options.out))
        return
    data = Path(os.environ.get("VCEDGE_DATA", "../shared/data"))
    results = Results(options.out / FILE)
    run(options.sets, options.methods, results, stamp(), data, load_yardstick(data), options.files)


def run(
    sets: Sequence[str],
    methods: Sequence[str],
    results: Results,
    mark: Row,
    data: Path,
    yardstick: ModuleType,
    most: int | None,
) -> None:
    """Measure what is missing; each training serves every way of spoiling."""
    for name in sets:
        loaded = groups(load_set(name, data, yardstick, most))
        for method in methods:
            for group in loaded:
                _run_group(group, method, results, mark)


def _run_group(group: list[Series], method: str, results: Results, mark: Row) -> None:
    fit: FittedMethod | None = None
    for series in group:
        for name, spoil in SPOILT.items():
            key = {"set": series.set, "series": series.name, "method": f"{method} | {name}", "seed": 0}
            if results.has(**key, version=mark["version"]):
                continue
            fit = fit or fit_method(method, group[0], 0)
            case = spoil(series)
            window = dominant_period(series.test[:, 0]) // _step(case, series)
            results.add({**key, **mark, **measures_of(fit, case, series.period_ns, window)})
    if fit is not None:
        print(f"{group[0].name} {method}: trained {fit.seconds:.1f} s", file=sys.stderr, flush=True)


def missing(share: float) -> Callable[[Series], Case]:
    """Each value missing by itself with some chance."""

    def spoil(series: Series) -> Case:
        gone = np.random.default_rng(0).random(series.test.shape) < share
        return _with(series, np.where(gone, np.nan, series.test))

    return spoil


def dead(series: Series) -> Case:
    """One channel, the first that is no switch, is missing throughout."""
    values = series.test.copy()
    values[:, _channel(series)] = np.nan
    return _with(series, values)


def frozen(series: Series) -> Case:
    """The same channel stands at the last training value, as a sensor does whose converter hangs."""
    values = series.test.copy()
    values[:, _channel(series)] = series.train[-1, _channel(series)]
    return _with(series, values)


def noisy(series: Series) -> Case:
    """Independent noise on every channel."""
    spread = NOISE * series.train.std(axis=0)
    return _with(series, series.test + spread * np.random.default_rng(0).standard_normal(series.test.shape))


def halved(series: Series) -> Case:
    """Every second row, with its time: the plant is the same, the rows are twice as far apart."""
    case = series.case
    values = case.values[::2]
    return Case(case.name, values, case.time_ns[::2], ((0, len(values)),), case.labels[::2])


def gap(series: Series) -> Case:
    """Some rows in the middle never came."""
    case, count = series.case, len(series.test)
    kept = np.ones(count, bool)
    start = count // 2
    stop = start + max(round(GAP_SHARE * count), 10)
    kept[start:stop] = False
    ranges = ((0, start), (start, int(kept.sum())))
    return Case(case.name, case.values[kept], case.time_ns[kept], ranges, case.labels[kept])


SPOILT: dict[str, Callable[[Series], Case]] = {
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
    """Rows of the clean series from one row to the next."""
    return int(case.time_ns[1] - case.time_ns[0]) // series.period_ns


def _with(series: Series, values: F64) -> Case:
    return replace(series.case, values=values)


def _channel(series: Series) -> int:
    """The first channel that takes many values in the training part: no switch and no constant."""
    kinds = [len(np.unique(series.train[:, i])) for i in range(series.train.shape[1])]
    return int(np.argmax(np.array(kinds) > len(series.train) / 20))


if __name__ == "__main__":
    main()
