"""Leaves one set out: chooses constants of the decision rule on the other sets and reports on that one.

The detectors are those without a network; each streams the test part once for each setting.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import ModuleType

from benchmarks.detection.decisions import decision
from benchmarks.detection.fitting import linear_detector
from benchmarks.detection.product import rows_of, stream_case
from benchmarks.detection.results import ResultRow, Results, stamp
from benchmarks.detection.sets import Series, SeriesSource, groups
from vcedge.detector import Detector
from vcedge.errors import DataError

HEIGHTS, ROWS = (0.6, 0.8, 1.0, 1.25, 1.6), (1, 2, 3)
FILE = "loso.jsonl"


@dataclass(frozen=True)
class Setting:
    """Holds a change of the decision rule; `rows` None keeps the default."""

    height: float = 1.0
    """Factor of the threshold's height above the median of normal rows."""
    rows: int | None = None
    """Rows in a row above the threshold that open an event."""

    @property
    def name(self) -> str:
        """Name in the table and the results."""
        return f"threshold {self.height:g} times as high, {'default' if self.rows is None else self.rows} rows"

    def applied(self, detector: Detector) -> Detector:
        """Return the detector with this decision rule."""
        limits = detector.calibration
        median = limits.usual.median
        rule = limits.events if self.rows is None else replace(limits.events, min_rows=self.rows)
        threshold = median + self.height * (limits.threshold - median)
        return replace(detector, calibration=replace(limits, threshold=threshold, events=rule))


DEFAULT = Setting()
GRID = (DEFAULT, *(Setting(height, rows) for height, rows in product(HEIGHTS, ROWS)))


def run_loso(sets: Sequence[str], out: Path, source: SeriesSource) -> int:
    """Measure every setting on every missing series and return the number of lines added."""
    results, added = Results(out / FILE, stamp()), 0
    for name in sets:
        for group in groups(source.load(name)):
            lacking = [one for one in group if not _done(results, one)]
            if not lacking:
                continue
            began = time.perf_counter()
            for row in _rows(lacking, source.reference):
                results.add(row)
                added += 1
            print(f"{name} {lacking[0].name}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    return added


def _done(results: Results, series: Series) -> bool:
    return all(results.has(set=series.set, series=series.name, seed=0, method=setting.name) for setting in GRID)


def _rows(group: Sequence[Series], reference: ModuleType) -> Iterator[ResultRow]:
    """Yield one line for each series and setting; none for a training part that the product refuses."""
    try:
        detector = linear_detector(group[0])
    except DataError:
        return
    for series, setting in product(group, GRID):
        found = stream_case(setting.applied(detector), series.case)
        line = decision(rows_of(found.alarms, len(found.raw)), series.labels, reference)
        measures = {name: float(line[name]) for name in ("f1", "far", "found", "false_10k")}
        yield {"set": series.set, "series": series.name, "method": setting.name, "seed": 0, **measures}
