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
from vcedge.calibration.calibrate import assemble, calibrate_limits, fit_linear, stuck_limits, wants_flags
from vcedge.calibration.choose import POWER, choose_weights, weights_of
from vcedge.calibration.highway import cross_fit
from vcedge.calibration.scorer import AHEAD, COMPONENTS, DEFAULT_SPAN, FAST, REACH, SLOW
from vcedge.calibration.split import split_by_time
from vcedge.calibration.trace import run_engine
from vcedge.detector import LEAST_PART, Detector, Scorer, ScorerPart
from vcedge.evaluation.metrics import dominant_period, vus_pr
from vcedge.runtime.engine import load_engine
from vcedge.schema import F64

FASTS, SLOWS, COMPONENT_SPANS = (0.25, 0.5), (3.0, 5.0, 8.0), (0.5, 0.75, 1.0)
POWERS, AHEADS = (0.0, 1.0, 2.0), (3, 5, 10)
FILE = "loso.jsonl"


@dataclass(frozen=True)
class Cell:
    """One choice of everything that was tuned: spans in units of `score.span`."""

    fast: float = FAST
    slow: float = SLOW
    components: float = COMPONENTS
    power: float = POWER
    ahead: int = AHEAD

    @property
    def name(self) -> str:
        """As the table and the results call it."""
        return (
            f"fast {self.fast:g}, slow {self.slow:g}, components {self.components:g}, power {self.power:g}, "
            f"ahead {self.ahead}"
        )


GRID = tuple(Cell(*values) for values in product(FASTS, SLOWS, COMPONENT_SPANS, POWERS, AHEADS))


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
    for ahead in AHEADS:
        detector, found = _fit(group[0], ahead)
        names = [part.name for part in detector.scorer.parts]
        usual = np.array([part.usual for part in detector.scorer.parts])
        for series in group:
            trace = run_engine(load_engine(detector), series.test, ((0, len(series.test)),))
            logs = np.log(np.maximum(trace.parts / usual, LEAST_PART))
            window = dominant_period(series.test[:, 0])
            for cell in GRID:
                if cell.ahead != ahead:
                    continue
                chosen = [names.index(name) for name in _parts_of(cell)]
                weights = weights_of(found[chosen], cell.power)
                raw = np.exp(logs[:, chosen] @ weights)
                score = vus_pr(raw, series.labels, window)
                yield {"set": series.set, "series": series.name, "method": cell.name, "seed": 0, "vus_pr": score}


def _fit(series: Series, ahead: int) -> tuple[Detector, F64]:
    """A detector with every part that is tried, and the area of each by itself on injected faults."""
    recording, values = series.recording, series.train
    split = split_by_time(recording.sequences, REACH)
    linear = fit_linear(values, split, wants_flags(values, split.fitted))
    order, ridge = linear.cross.highway.order, linear.cross.highway.ridge
    horizon = cross_fit(values, linear.features, split, order, ridge, ahead).highway
    scorer = replace(linear.scorer, parts=_all_parts(linear.scorer), horizon=horizon)
    detector = assemble("loso", recording.schema, replace(linear, scorer=scorer), None, {}, {})
    _, choice = choose_weights(detector, values, split, linear.cross.residual.astype(np.float64))
    found = np.ones(len(scorer.parts)) if choice is None else np.array(choice.found)
    stuck = stuck_limits(values, recording.sequences)
    return calibrate_limits(detector, values, split, stuck, 1.0), found


def _all_parts(scorer: Scorer) -> tuple[ScorerPart, ...]:
    """Those of the scorer whose spans are not tried, and one for each span that is."""
    kept = tuple(part for part in scorer.parts if part.name in ("medium", "horizon"))
    tried = [(f"fast {span:g}", "error", span) for span in FASTS]
    tried += [(f"slow {span:g}", "error", span) for span in SLOWS]
    tried += [(f"components {span:g}", "reconstruction", span) for span in COMPONENT_SPANS]
    parts = (ScorerPart(name, kind, max(span * DEFAULT_SPAN, 1.0), 0.1) for name, kind, span in tried)  # type: ignore[arg-type]
    return (*kept, *parts)


def _parts_of(cell: Cell) -> tuple[str, ...]:
    return ("medium", "horizon", f"fast {cell.fast:g}", f"slow {cell.slow:g}", f"components {cell.components:g}")
