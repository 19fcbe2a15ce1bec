"""Leave one set out: what was tuned by hand, tuned on four sets and reported on the fifth; the network is off.

Each part of the scorer is independent of the others, so one pass over a series with all parts that are tried gives
every combination of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import ModuleType

import numpy as np

from benchmarks.detection.results import Results, Row
from benchmarks.detection.sets import Series, groups, load_set
from vcedge.calibration.calibrate import (
    DetectorSpec,
    LinearPart,
    assemble,
    calibrate_limits,
    fit_linear,
    stuck_limits,
    wants_flags,
)
from vcedge.calibration.choose import POWER, choose_weights, weights_of
from vcedge.calibration.highway import cross_fit
from vcedge.calibration.order import NEARLY, best_order
from vcedge.calibration.scorer import AHEAD, COMPONENTS, DEFAULT_SPAN, LAGS, REACH, SLOW, components
from vcedge.calibration.split import Split, merge_ranges, split_by_time
from vcedge.calibration.trace import run_engine
from vcedge.detector import LEAST_PART, Detector, Scorer, ScorerPart
from vcedge.evaluation.metrics import dominant_period, vus_pr
from vcedge.runtime.engine.registry import load_engine
from vcedge.schema import F64

NEARLIES, LAG_SETS, AHEADS = (0.05, 0.1), ((0, 1, 2, 4), (0, 1, 2, 4, 8)), (3, 5)
SLOWS, COMPONENT_SPANS, POWERS = (5.0, 8.0), (0.5, 1.0), (0.0, 2.0)
FILE = "loso.jsonl"


@dataclass(frozen=True)
class Cell:
    """One choice of everything that was tuned: spans in units of `score.span`."""

    nearly: float = NEARLY
    lags: tuple[int, ...] = LAGS
    ahead: int = AHEAD
    slow: float = SLOW
    components: float = COMPONENTS
    power: float = POWER

    @property
    def name(self) -> str:
        """As the table and the results call it."""
        return (
            f"nearly {self.nearly:g}, {len(self.lags)} rows in components, ahead {self.ahead}, slow {self.slow:g}, "
            f"components {self.components:g}, power {self.power:g}"
        )


GRID = tuple(Cell(*values) for values in product(NEARLIES, LAG_SETS, AHEADS, SLOWS, COMPONENT_SPANS, POWERS))


def run_loso(
    sets: Sequence[str], out: Path, mark: Row, data: Path, yardstick: ModuleType, most: int | None = None
) -> int:
    """Measure every cell on every series that is missing; the number of lines that were added."""
    results, added = Results(out / FILE), 0
    for name in sets:
        for group in groups(load_set(name, data, yardstick, most)):
            missing = [one for one in group if not _done(results, one, mark)]
            if not missing:
                continue
            began = time.perf_counter()
            for row in _rows(missing):
                results.add({**row, **mark})
                added += 1
            print(f"{name} {missing[0].name}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    return added


def _done(results: Results, series: Series, mark: Row) -> bool:
    key = {"set": series.set, "series": series.name, "seed": 0, "version": mark["version"]}
    return all(results.has(method=cell.name, **key) for cell in GRID)


def _rows(group: Sequence[Series]) -> Iterator[Row]:
    """One line for each series and cell."""
    values = group[0].train
    split = split_by_time(group[0].recording.sequences, REACH)
    flags = wants_flags(values, split.fitted)
    losses = fit_linear(values, split, flags=flags).order.losses
    orders: dict[tuple[int, float], list[float]] = {}
    for nearly in NEARLIES:
        orders.setdefault(best_order(losses, nearly), []).append(nearly)
    for (order, ridge), lags, ahead in product(orders, LAG_SETS, AHEADS):
        detector, found = _fit(group[0], split, flags, Tried(order, ridge, lags, ahead))
        nearlies = orders[order, ridge]
        cells = [cell for cell in GRID if cell.nearly in nearlies and (cell.lags, cell.ahead) == (lags, ahead)]
        for series in group:
            yield from _scored(series, detector, found, cells)


@dataclass(frozen=True)
class Tried:
    """What has to be fitted anew for each choice."""

    order: int
    ridge: float
    lags: tuple[int, ...]
    ahead: int


def _scored(series: Series, detector: Detector, found: F64, cells: Sequence[Cell]) -> Iterator[Row]:
    """VUS-PR of every cell whose parts the detector has; `found` (parts,) is the area of each on injected faults."""
    names = [part.name for part in detector.scorer.parts]
    usual = np.array([part.usual for part in detector.scorer.parts])
    trace = run_engine(load_engine(detector), series.test, ((0, len(series.test)),))
    logs = np.log(np.maximum(trace.parts / usual, LEAST_PART))
    window = dominant_period(series.test[:, 0])
    for cell in cells:
        chosen = [names.index(name) for name in _parts_of(cell)]
        raw = np.exp(logs[:, chosen] @ weights_of(found[chosen], cell.power))
        score = vus_pr(raw, series.labels, window)
        yield {"set": series.set, "series": series.name, "method": cell.name, "seed": 0, "vus_pr": score}


def _fit(series: Series, split: Split, flags: bool, tried: Tried) -> tuple[Detector, F64]:
    """A detector with every part that is tried, fitted again on all rows, and the area of each part by itself on
    injected faults."""
    recording, values = series.recording, series.train
    linear = _linear(values, split, flags, tried)
    detector = assemble(DetectorSpec("loso", recording.schema), linear)
    _, choice = choose_weights(detector, values, split, linear.cross.residual.astype(np.float64))
    found = np.ones(len(linear.scorer.parts)) if choice is None else np.array(choice.found)
    measured = calibrate_limits(detector, values, split, stuck_limits(values, recording.sequences), 1.0)
    everything = Split(merge_ranges(split.all, split.starts), (), (), split.starts)
    whole = _linear(values, everything, flags, tried)
    scorer = replace(whole.scorer, parts=measured.scorer.parts)
    return replace(measured, features=whole.features, highway=whole.cross.highway, scorer=scorer), found


def _linear(values: F64, split: Split, flags: bool, tried: Tried) -> LinearPart:
    """What `fit_linear` fits, with the order, the window and the second forecast that are tried."""
    linear = fit_linear(values, split, flags=flags, order=tried.order, ridge=tried.ridge)
    horizon = cross_fit(values, linear.features, split, tried.order, tried.ridge, tried.ahead).highway
    window = components(values, linear.features, split, tried.lags)
    parts = _all_parts(linear.scorer)
    return replace(linear, scorer=replace(linear.scorer, parts=parts, horizon=horizon, reconstruction=window))


def _all_parts(scorer: Scorer) -> tuple[ScorerPart, ...]:
    """Those of the scorer whose spans are not tried, and one for each span that is."""
    kept = tuple(part for part in scorer.parts if part.name in ("fast", "medium", "horizon"))
    tried = [(f"slow {span:g}", "error", span) for span in SLOWS]
    tried += [(f"components {span:g}", "reconstruction", span) for span in COMPONENT_SPANS]
    parts = (ScorerPart(name, kind, max(span * DEFAULT_SPAN, 1.0), 0.1) for name, kind, span in tried)  # type: ignore[arg-type]
    return (*kept, *parts)


def _parts_of(cell: Cell) -> tuple[str, ...]:
    return ("fast", "medium", "horizon", f"slow {cell.slow:g}", f"components {cell.components:g}")
