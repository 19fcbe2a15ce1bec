"""Leaves one set out: tunes the hand-tuned settings on four sets and reports on the fifth, with the network off.

Each part of the scorer is independent of the others, so one pass over a series with all candidate parts gives every
combination of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.detection.results import ResultRow, Results, stamp
from benchmarks.detection.sets import Series, SeriesSource, groups
from vcedge.calibration.calibrate import (
    DetectorSpec,
    LinearPart,
    assemble,
    calibrate_limits,
    fit_linear,
    wants_flags,
)
from vcedge.calibration.choose import POWER, choose_weights, weights_of
from vcedge.calibration.highway import cross_fit
from vcedge.calibration.order import NEARLY, best_order
from vcedge.calibration.scorer import AHEAD, COMPONENTS, DEFAULT_SPAN, LAGS, REACH, SLOW, components
from vcedge.calibration.split import Split, merge_ranges, split_by_time
from vcedge.calibration.stuck import stuck_limits
from vcedge.calibration.trace import run_engine
from vcedge.detector import LEAST_PART, Detector, Scorer, ScorerPart
from vcedge.evaluation.vus import dominant_period, vus_pr
from vcedge.runtime.engine.registry import load_engine
from vcedge.schema import F64

NEARLIES, LAG_SETS, AHEADS = (0.05, 0.1), ((0, 1, 2, 4), (0, 1, 2, 4, 8)), (3, 5)
SLOWS, COMPONENT_SPANS, POWERS = (5.0, 8.0), (0.5, 1.0), (0.0, 2.0)
FILE = "loso.jsonl"


@dataclass(frozen=True)
class Setting:
    """Holds a value of each tuned setting; spans are in units of `score.span`."""

    nearly: float = NEARLY
    lags: tuple[int, ...] = LAGS
    ahead: int = AHEAD
    slow: float = SLOW
    components: float = COMPONENTS
    power: float = POWER

    @property
    def name(self) -> str:
        """Name in the table and the results."""
        return (
            f"nearly {self.nearly:g}, {len(self.lags)} rows in components, ahead {self.ahead}, slow {self.slow:g}, "
            f"components {self.components:g}, power {self.power:g}"
        )


GRID = tuple(Setting(*values) for values in product(NEARLIES, LAG_SETS, AHEADS, SLOWS, COMPONENT_SPANS, POWERS))


def run_loso(sets: Sequence[str], out: Path, source: SeriesSource) -> int:
    """Measure every setting on every missing series and return the number of lines added."""
    results, added = Results(out / FILE, stamp()), 0
    for name in sets:
        for group in groups(source.load(name)):
            missing = [one for one in group if not _done(results, one)]
            if not missing:
                continue
            began = time.perf_counter()
            for row in _rows(missing):
                results.add(row)
                added += 1
            print(f"{name} {missing[0].name}: {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)
    return added


def _done(results: Results, series: Series) -> bool:
    return all(results.has(set=series.set, series=series.name, seed=0, method=setting.name) for setting in GRID)


def _rows(group: Sequence[Series]) -> Iterator[ResultRow]:
    """Yield one line for each series and setting."""
    values = group[0].train
    split = split_by_time(group[0].recording.sequences, REACH)
    flags = wants_flags(values, split.fitted)
    losses = fit_linear(values, split, flags=flags).order.losses
    orders: dict[tuple[int, float], list[float]] = {}
    for nearly in NEARLIES:
        orders.setdefault(best_order(losses, nearly), []).append(nearly)
    for (order, ridge), lags, ahead in product(orders, LAG_SETS, AHEADS):
        detector, areas = _fit(group[0], LinearSetting(split, flags, order, ridge, lags, ahead))
        nearlies = orders[order, ridge]
        settings = [one for one in GRID if one.nearly in nearlies and (one.lags, one.ahead) == (lags, ahead)]
        for series in group:
            yield from _scored(series, detector, areas, settings)


@dataclass(frozen=True)
class LinearSetting:
    """Holds the settings that need a new fit."""

    split: Split
    flags: bool
    order: int
    ridge: float
    lags: tuple[int, ...]
    ahead: int


def _scored(series: Series, detector: Detector, areas: F64, settings: Sequence[Setting]) -> Iterator[ResultRow]:
    """Yield VUS-PR of every setting whose parts the detector has; `areas` (parts,) are those on injected faults."""
    names = [part.name for part in detector.scorer.parts]
    usual = np.array([part.usual for part in detector.scorer.parts])
    trace = run_engine(load_engine(detector), series.test, ((0, len(series.test)),))
    logs = np.log(np.maximum(trace.parts / usual, LEAST_PART))
    window = dominant_period(series.test[:, 0])
    for setting in settings:
        chosen = [names.index(name) for name in _parts_of(setting)]
        raw = np.exp(logs[:, chosen] @ weights_of(areas[chosen], setting.power))
        score = vus_pr(raw, series.labels, window)
        yield {"set": series.set, "series": series.name, "method": setting.name, "seed": 0, "vus_pr": score}


def _fit(series: Series, setting: LinearSetting) -> tuple[Detector, F64]:
    """Fit a detector with every candidate part to all rows, and return the area of each part on injected faults."""
    recording, values, split = series.recording, series.train, setting.split
    linear = _linear(values, setting)
    detector = assemble(DetectorSpec("loso", recording.schema), linear)
    _, choice = choose_weights(detector, values, split, linear.cross.residual.astype(np.float64))
    areas = np.ones(len(linear.scorer.parts)) if choice is None else np.array(choice.found)
    measured = calibrate_limits(detector, values, split, stuck_limits(values, recording.sequences), 1.0)
    everything = Split(merge_ranges(split.all, split.starts), (), (), split.starts)
    final = _linear(values, replace(setting, split=everything))
    scorer = replace(final.scorer, parts=measured.scorer.parts)
    return replace(measured, features=final.features, highway=final.cross.highway, scorer=scorer), areas


def _linear(values: F64, setting: LinearSetting) -> LinearPart:
    """Fit as `fit_linear` does, with the setting's order, window and second forecast."""
    split, order, ridge = setting.split, setting.order, setting.ridge
    linear = fit_linear(values, split, flags=setting.flags, order=order, ridge=ridge)
    horizon = cross_fit(values, linear.features, split, order, ridge, setting.ahead).highway
    window = components(values, linear.features, split, setting.lags)
    parts = _all_parts(linear.scorer)
    return replace(linear, scorer=replace(linear.scorer, parts=parts, horizon=horizon, reconstruction=window))


def _all_parts(scorer: Scorer) -> tuple[ScorerPart, ...]:
    """Return the scorer's parts with a fixed span, and one part for each candidate span."""
    kept = tuple(part for part in scorer.parts if part.name in ("fast", "medium", "horizon"))
    tried = [(f"slow {span:g}", "error", span) for span in SLOWS]
    tried += [(f"components {span:g}", "reconstruction", span) for span in COMPONENT_SPANS]
    parts = (ScorerPart(name, kind, max(span * DEFAULT_SPAN, 1.0), 0.1) for name, kind, span in tried)  # type: ignore[arg-type]
    return (*kept, *parts)


def _parts_of(setting: Setting) -> tuple[str, ...]:
    return ("fast", "medium", "horizon", f"slow {setting.slow:g}", f"components {setting.components:g}")
