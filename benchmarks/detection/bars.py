"""Checks the results against bars, bounds that they must meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.detection.fitting import MAIN, OFF, TWIN
from benchmarks.detection.sets import SERIES
from benchmarks.detection.summary import SeedValue, Summary

BEST_BASELINE = "ridge-VAR, EWMA 20 (reference)"
VUS_PR = {"SKAB": 0.905, "BATADAL": 0.90, "GECCO": 0.83, "SMD": 0.585, "TEP": 0.97}
SLACK = 0.005
MOST_UPDATED = 0.25
BETTER_SETS = 2
SEEDS = 3
SKAB_QUANTILE = {"f1": 0.80, "far": 0.20, "mar": 0.22}


@dataclass(frozen=True)
class BarResult:
    """Holds one bar and the value found."""

    bar: str
    found: str
    reached: bool | None
    """None if nothing was measured."""

    @property
    def row(self) -> tuple[str, str, str]:
        """Cells of a table row."""
        return self.bar, self.found, {True: "reached", False: "**missed**", None: "not measured"}[self.reached]


def bar_results(summary: Summary, series: Mapping[str, int] = SERIES) -> Iterator[BarResult]:
    """Yield the results of all bars, with the number of seeds if there are fewer than SEEDS.

    A set that was measured on fewer than its `series` counts as not measured.
    """
    summary = summary.only([name for name in VUS_PR if len(summary.series(name)) >= series.get(name, 1)])
    for name, least in VUS_PR.items():
        value = summary.value(name, MAIN, "vus_pr")
        yield BarResult(f"{name}: VUS-PR at least {least:g}", _with_seeds(value), _at_least(value, least))
    for name in VUS_PR:
        value = summary.difference(name, MAIN, BEST_BASELINE, "vus_pr")
        bar = f"{name}: at most {SLACK:g} below {BEST_BASELINE}"
        yield BarResult(bar, _with_seeds(value), _at_least(value, -SLACK))
    for name in VUS_PR:
        value = summary.difference(name, MAIN, TWIN, "vus_pr")
        updated = summary.value(name, MAIN, "updated_normal")
        reached = _at_least(value, -SLACK)
        within = None if reached is None else reached and updated.mean <= MOST_UPDATED
        bar = f"{name}: at most {SLACK:g} below its dense twin, at no more than {MOST_UPDATED:g} updated on normal rows"
        yield BarResult(bar, f"{_with_seeds(value)}, updated {updated.text()}", within)
    yield _over_network_off(summary)
    yield from _skab(summary)


def _over_network_off(summary: Summary) -> BarResult:
    """Count the sets whose mean gain exceeds its spread over the seeds; a single seed has no spread."""
    better, known = [], 0
    for name in VUS_PR:
        value = summary.difference(name, MAIN, OFF, "vus_pr")
        if len(value.seeds) > 1:
            known += 1
            if value.mean > max(value.spread, 0.0):
                better.append(name)
    found = f"on {len(better)} of {known} with several seeds" + (f": {', '.join(better)}" if better else "")
    bar = f"above network off by more than the spread of the seeds on at least {BETTER_SETS} sets"
    return BarResult(bar, found, len(better) >= BETTER_SETS if known else None)


def _skab(summary: Summary) -> Iterator[BarResult]:
    """Yield the bars of SKAB at a quantile, and at thresholds for events as a user would set them.

    They hold for the rows of all files together, as in the published results that the bars are from.
    """
    words = {"f1": "F1 at least", "far": "FAR at most", "mar": "MAR at most"}
    places = {
        "quantile": "the 0.999 quantile of the held-out tail",
        "quantile adapting": "the same, adapting",
        "thousand adapting": "1 event in 1,000 rows, adapting",
    }
    for threshold, place in places.items():
        for measure, limit in SKAB_QUANTILE.items():
            value = summary.pooled("SKAB", MAIN, threshold)[measure]
            reached = _at_least(value, limit) if measure == "f1" else _at_most(value, limit)
            bar = f"SKAB, rows of all files, at {place}: {words[measure]} {limit:g}"
            yield BarResult(bar, _with_seeds(value), reached)


def _at_least(value: SeedValue, least: float) -> bool | None:
    return None if math.isnan(value.mean) else value.mean >= least


def _at_most(value: SeedValue, most: float) -> bool | None:
    return None if math.isnan(value.mean) else value.mean <= most


def _with_seeds(value: SeedValue) -> str:
    """Format five digits, which show also a bar that is missed by little, and the number of seeds if it is low."""
    few = f" ({len(value.seeds)} of {SEEDS} seeds)" if 0 < len(value.seeds) < SEEDS else ""
    return value.text(5) + few
