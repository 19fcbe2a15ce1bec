"""Checks the results against aims, bounds that they must meet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.detection.fitting import MAIN, OFF, TWIN
from benchmarks.detection.sets import SERIES, SETS
from benchmarks.detection.simple import RIDGE, SIMPLE
from benchmarks.detection.summary import SeedValue, Summary

VUS_PR = {
    "SKAB": 0.90,
    "BATADAL": 0.93,
    "GECCO": 0.86,
    "SMD": 0.60,
    "TEP": 0.975,
    "HYDSYS": 0.80,
    "AHU": 0.75,
    "CMAPSS": 0.93,
    "ASD": 0.61,
    "MSL": 0.37,
    "SMAP": 0.38,
}
MOST_SETS, BEST_SETS = 10, 7
"""Sets on which the decisions are at least the ridge-VAR's, and on which the best simple detector is reached."""
FOUND = 0.80
FAR_ALLOWED, PROMISE_FACTOR = 0.02, 3.0
SLACK, MOST_UPDATED = 0.005, 0.25
SEEDS = 3


@dataclass(frozen=True)
class AimResult:
    """Holds one aim and the value found."""

    aim: str
    found: str
    reached: bool | None
    """None if not all of it was measured."""

    @property
    def row(self) -> tuple[str, str, str]:
        """Cells of a table row."""
        return self.aim, self.found, {True: "reached", False: "**missed**", None: "not measured"}[self.reached]


def aim_results(summary: Summary, series: Mapping[str, int] = SERIES, method: str = MAIN) -> Iterator[AimResult]:
    """Yield the results of all aims; a set that was measured on fewer than its `series` does not count.

    The number of seeds is stated if there are fewer than SEEDS.
    """
    sets = [name for name in SETS if len(summary.series(name)) >= series.get(name, 1) and summary.seeds(name, method)]
    look = _Look(summary, sets, method)
    for name, least in VUS_PR.items():
        value = summary.value(name, method, "vus_pr") if name in sets else SeedValue(math.nan, math.nan, ())
        yield AimResult(f"{name}: VUS-PR at least {least:g}", _with_seeds(value), _at_least(value, least))
    yield look.count("VUS-PR above the ridge-VAR's", len(SETS), lambda name: look.gain(name, "vus_pr", RIDGE) > 0)
    yield look.best("VUS-PR", "vus_pr")
    yield look.count("F1 at least the ridge-VAR's", MOST_SETS, lambda name: look.gain(name, "f1", RIDGE) >= 0)
    yield look.best("F1", "f1")
    yield look.found()
    yield look.silent()
    bound = f"rows in false alarm at most the ridge-VAR's + {FAR_ALLOWED:g}"
    yield look.count(bound, len(SETS), lambda name: look.gain(name, "far", RIDGE) <= FAR_ALLOWED)
    bound = f"events opened falsely at most {PROMISE_FACTOR:g} times as many as promised"
    yield look.count(bound, len(SETS), look.keeps_promise)
    bound = f"VUS-PR at most {SLACK:g} below the dense twin's, at no more than {MOST_UPDATED:g} updated on normal rows"
    yield look.count(bound, len(SETS), look.as_good_as_twin, of=TWIN)
    yield look.count("VUS-PR above network off by more than the spread of the seeds", 2, look.network_helps, of=OFF)


@dataclass(frozen=True)
class _Look:
    """Compares one method with others on the sets that are complete."""

    summary: Summary
    sets: Sequence[str]
    method: str

    def count(self, words: str, least: int, holds: Callable[[str], bool], of: str = RIDGE) -> AimResult:
        """Count the sets on which something holds, and name the others; `of` must be measured too."""
        known = [name for name in self.sets if self.summary.seeds(name, of)]
        missed = [name for name in known if not holds(name)]
        aim = f"{words} on {least} of {len(SETS)} sets" if least < len(SETS) else f"{words} on all sets"
        found = f"on {len(known) - len(missed)} of {len(known)}" + (f"; not {', '.join(missed)}" if missed else "")
        return AimResult(aim, found, len(known) - len(missed) >= least if len(known) == len(SETS) else None)

    def gain(self, name: str, measure: str, other: str) -> float:
        """Return the mean difference to another method; NaN, with which no comparison holds, without any."""
        return self.summary.difference(name, self.method, other, measure).mean

    def best(self, words: str, measure: str) -> AimResult:
        """Count the sets on which no simple detector is better, and name the best one of the others."""
        above = {name: self._above(name, measure) for name in self.sets}
        result = self.count(f"{words} at least the best simple detector's", BEST_SETS, lambda name: not above[name])
        found = result.found
        for name, best in above.items():
            found = found.replace(name, f"{name} ({best})") if best else found
        return replace(result, found=found)

    def _above(self, name: str, measure: str) -> str:
        """Return the best simple detector of a set with its value, or nothing if it is not better."""
        values = {other: self.summary.value(name, other, measure) for other in SIMPLE}
        known = {other: value for other, value in values.items() if math.isfinite(value.mean)}
        if not known:
            return ""
        best = max(known, key=lambda other: known[other].mean)
        mine = self.summary.value(name, self.method, measure).mean
        return f"{best} {known[best].text()}" if known[best].mean > mine else ""

    def keeps_promise(self, name: str) -> bool:
        """Return whether there are few enough false events."""
        seen = self.summary.value(name, self.method, "false_events_10k").mean
        return seen <= PROMISE_FACTOR * self.summary.value(name, self.method, "promised_10k").mean

    def as_good_as_twin(self, name: str) -> bool:
        """Return whether VUS-PR is near that of the twin, at a small share of updates."""
        updated = self.summary.value(name, self.method, "updated_normal").mean
        return self.gain(name, "vus_pr", TWIN) >= -SLACK and updated <= MOST_UPDATED

    def network_helps(self, name: str) -> bool:
        """Return whether the gain exceeds its spread over the seeds; a single seed has no spread."""
        value = self.summary.difference(name, self.method, OFF, "vus_pr")
        return len(value.seeds) > 1 and value.mean > max(value.spread, 0.0)

    def found(self) -> AimResult:
        """Return the share of events found, averaged over the sets."""
        shares = [self.summary.value(name, self.method, "found").mean for name in self.sets]
        mean = sum(shares) / len(shares) if shares else math.nan
        known = len(shares) == len(SETS)
        return AimResult(
            f"mean share of events found at least {FOUND:g}", f"{mean:.3f}", mean >= FOUND if known else None
        )

    def silent(self) -> AimResult:
        """Return the number of series that are ranked well and have no alarm, in the worst seed of each set."""
        by_set = {name: max(self.summary.per_seed(name, self.method, "silent").values()) for name in self.sets}
        where = ", ".join(f"{name} {count:.0f}" for name, count in by_set.items() if count)
        known = len(by_set) == len(SETS)
        reached = not where if known else None
        return AimResult("no series with VUS-PR above .8 without an alarm", where or "none", reached)


def _at_least(value: SeedValue, least: float) -> bool | None:
    return None if math.isnan(value.mean) else value.mean >= least


def _with_seeds(value: SeedValue) -> str:
    """Format four digits, which show also an aim that is missed by little, and the number of seeds if it is low."""
    few = f" ({len(value.seeds)} of {SEEDS} seeds)" if 0 < len(value.seeds) < SEEDS else ""
    return value.text(4) + few
