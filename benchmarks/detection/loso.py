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
from vcedge.limits import LEAST_ROWS

MARGINS, ROWS, MEMORIES = (None, 0.1, 0.25, 0.5, 1.0, 2.0), (1, LEAST_ROWS, 3), (0.5, 1.0, 2.0)
FILE = "loso.jsonl"


@dataclass(frozen=True)
class Setting:
    """Holds constants of the decision rule."""

    margin: float | None = None
    """Nats from the reference to the threshold; None for the margin that keeps the promise."""
    rows: int = LEAST_ROWS
    """Rows in a row above the threshold that open an event."""
    memory: float = 1.0
    """Factor of the rows over which the level of normal operation is averaged."""

    @property
    def name(self) -> str:
        """Name in the table and the results."""
        margin = "margin as promised" if self.margin is None else f"margin {self.margin:g}"
        return f"{margin}, {self.rows} rows, memory × {self.memory:g}"

    def applied(self, detector: Detector) -> Detector:
        """Return the detector with this decision rule."""
        limits = detector.calibration
        threshold = limits.threshold if self.margin is None else limits.promise.reference + self.margin
        rule = replace(limits.events, min_rows=self.rows)
        memory = self.memory * limits.memory
        return replace(detector, calibration=replace(limits, threshold=threshold, events=rule, memory=memory))


DEFAULT = Setting()
GRID = tuple(Setting(*values) for values in product(MARGINS, ROWS, MEMORIES))


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
