"""Prints the results of the statistic and the decision rule on the development sets: scripts/bench statistic-study."""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets import data_folder, load_reference
from benchmarks.statistic_study.decision import Reference, Rule, decide
from benchmarks.statistic_study.forecast import Array
from benchmarks.statistic_study.statistic import Statistic

SETS = ("SKAB", "BATADAL", "GECCO", "SMD", "TEP", "HYDSYS", "AHU", "CMAPSS", "ASD", "MSL", "SMAP")
MEMORIES = ((100, 500), (150, 500), (200, 1000))
Labels = NDArray[np.int_]


class Series(NamedTuple):
    """Holds the rows of one series; labels mark the anomalous test rows."""

    train: Array
    test: Array
    labels: Labels
    period: int


class Outcome(NamedTuple):
    """Keeps what the choice of the decision's constants needs of one series."""

    statistic: Array
    cross_fitted: Array
    reference: Reference
    labels: Labels
    ridge: tuple[float, ...]


class Study:
    """Measures sets with the reference scoring."""

    def __init__(self, data: Path, missing: float) -> None:
        self.data, self.missing = data, missing
        self.scoring: ModuleType = load_reference(data)
        self.outcomes: dict[str, list[Outcome]] = {}

    def series(self, name: str) -> Iterator[Series]:
        """Yield the series of a set that have both kinds of rows; of TEP the first ten faults."""
        for case in self.scoring.LOADERS[name](str(self.data)):
            later_fault = name == "TEP" and int(case["name"][-2:]) > 10
            if later_fault or not 0 < case["y"].sum() < len(case["y"]):
                continue
            train, test = case["train"].astype(float), case["test"].astype(float)
            yield Series(train, test, case["y"].astype(int), self.scoring.dominant_period(case["test"][:, 0]))

    def measure(self, events: Labels, labels: Labels) -> tuple[float, ...]:
        """Return F1, FAR, the share of events found and false events in 10,000 rows."""
        by_row = self.scoring.binary_metrics(events, labels)
        by_event = self.scoring.event_metrics(events, labels, 10)
        return by_row["F1"], by_row["FAR"], by_event["ev_recall"], by_event["fa_per_10k"]

    def ridge(self, series: Series) -> tuple[Array, Labels]:
        """Return statistic and alarms of the reference's ridge-VAR; a quarter of training sets its threshold."""
        fit = self.scoring.b_ridge
        cut = 3 * len(series.train) // 4
        held_out = np.nan_to_num(fit(series.train[:cut], span=20)(series.train)[cut:])
        scores = np.nan_to_num(fit(series.train, span=20)(series.test))
        return scores, (scores > np.quantile(held_out, 0.999)).astype(int)

    def run(self, name: str) -> Array:
        """Print the line of a set and return its means: VUS-PR, F1, FAR, found, false events; then the ridge-VAR's."""
        rows = [self._run_series(name, i, series) for i, series in enumerate(self.series(name))]
        a = np.mean(rows, 0)
        silent, cyclic = sum(row[10] > 0 for row in rows), sum(row[12] > 0 for row in rows)
        print(
            f"{name:8s} VUS {a[0]:.3f} ({a[5]:.3f}) | F1 {a[1]:.3f} ({a[6]:.3f}) FAR {a[2]:.3f} ({a[7]:.3f}) "
            f"found {a[3]:.2f} ({a[8]:.2f}) false/10k {a[4]:.0f} ({a[9]:.0f}) silent {silent} "
            f"order {a[11]:.1f} cycle {cyclic}/{len(rows)}",
            flush=True,
        )
        return a

    def _run_series(self, name: str, seed: int, series: Series) -> tuple[float, ...]:
        rows = series.test.copy()
        if self.missing:
            rows[np.random.default_rng(seed).random(rows.shape) < self.missing] = np.nan
        detector = Statistic(series.train)
        reference = Reference(detector.threshold, detector.median, detector.rows)
        scores = detector.score(rows)
        events = decide(scores, reference, Rule())
        vus = self.scoring.vus_pr(scores, series.labels, series.period)
        ridge_scores, ridge_events = self.ridge(series)
        ridge = self.measure(ridge_events, series.labels)
        outcome = Outcome(scores, detector.cross_fitted, reference, series.labels, ridge)
        self.outcomes.setdefault(name, []).append(outcome)
        ridge_vus = self.scoring.vus_pr(ridge_scores, series.labels, series.period)
        silent = vus > 0.8 and not events.any()
        own = self.measure(events, series.labels)
        return vus, *own, ridge_vus, *ridge, silent, detector.full.order, detector.period

    def leave_one_out(self) -> None:
        """Print the decision's constants that the other sets choose, and their result on the set left out.

        Print also the default's false events on each set's own cross-fitted rows, in 10,000.
        """
        bars = {name: np.mean([o.ridge for o in kept], 0) for name, kept in self.outcomes.items()}
        grid = itertools.product((0.0, 0.1, 0.25, 0.5, 1.0), (6.0, 8.0), MEMORIES, (1, 2))
        rules = [Rule(margin, rise, *memory, rows) for margin, rise, memory, rows in grid]
        found = {rule: {name: self._mean(name, rule) for name in bars} for rule in rules}
        for name, bar in bars.items():
            others = [other for other in bars if other != name]
            losses = [sum(loss(found[rule][other], bars[other]) for other in others) for rule in rules]
            rule = rules[losses.index(min(losses))]
            a = found[rule][name]
            print(
                f"without {name:8s} m {rule.margin} up {rule.rise} mem {rule.shortest}..{rule.longest} "
                f"rows {rule.rows} -> F1 {a[0]:.3f} ({bar[0]:.3f}) FAR {a[1]:.3f} ({bar[1]:.3f}) "
                f"found {a[2]:.2f} ({bar[2]:.2f}) false/10k {a[3]:.0f} ({bar[3]:.0f}) "
                f"| default on its cross-fitted rows {self._expected(name):.0f}",
                flush=True,
            )

    def _mean(self, name: str, rule: Rule) -> Array:
        kept = self.outcomes[name]
        return np.mean([self.measure(decide(o.statistic, o.reference, rule), o.labels) for o in kept], 0)

    def _expected(self, name: str) -> float:
        rates = []
        for o in self.outcomes[name]:
            events = self.scoring.segments(decide(o.cross_fitted, o.reference, Rule()))
            rates.append(1e4 * len(events) / o.reference.rows)
        return float(np.mean(rates))


def loss(found: Array, bar: Array) -> float:
    """Return how much a result misses the ridge-VAR's F1 and FAR, .85 of the events, and its false events."""
    missed = max(0, bar[0] + 0.005 - found[0]) + 2 * max(0, found[1] - bar[1] - 0.02)
    return float(missed + 0.25 * max(0, 0.85 - found[2]) + 0.004 * max(0, found[3] - max(bar[3], 3)))


def main() -> None:
    """Print a line for each set, then the counts; with --leave-one-out the choice of the constants as well."""
    parser = argparse.ArgumentParser(prog="scripts/bench statistic-study", description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"sets to measure, default all: {', '.join(SETS)}")
    parser.add_argument("--missing", type=float, default=0.0, help="share of test values to remove, for example .05")
    parser.add_argument("--leave-one-out", action="store_true", help="choose the decision's constants without each set")
    options = parser.parse_args()
    unknown = sorted(set(options.sets) - set(SETS))
    if unknown:
        parser.error(f"unknown set {', '.join(unknown)}, expected some of {', '.join(SETS)}")
    warnings.simplefilter("ignore")
    study = Study(data_folder(), options.missing)
    a = np.array([study.run(name) for name in options.sets or SETS])
    print(
        f"F1 at or above the ridge on {(a[:, 1] >= a[:, 6]).sum()} of {len(a)}, "
        f"FAR within + .02 on {(a[:, 2] <= a[:, 7] + 0.02).sum()}, found {a[:, 3].mean():.2f}, "
        f"VUS above on {(a[:, 0] > a[:, 5]).sum()}"
    )
    if options.leave_one_out:
        study.leave_one_out()


if __name__ == "__main__":
    main()
