"""Shows the cost of generality: for each set, what the decision rule that the other sets choose reaches on it."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.detection.loso import DEFAULT, GRID
from benchmarks.detection.markdown import table
from benchmarks.detection.results import ResultRow
from benchmarks.detection.sets import SETS
from benchmarks.detection.simple import RIDGE
from benchmarks.detection.summary import Summary

MEASURES = ("f1", "far", "found", "false_10k")
FAR_ALLOWED, FALSE_ALLOWED = 0.02, 3.0
Means = dict[str, float]


def loso_table(rows: list[ResultRow], simple: list[ResultRow]) -> list[str]:
    """Return a sentence and a table of the settings that were measured on all sets; one set alone gives no line."""
    summary, bars = Summary(rows), Summary(simple)
    sets = [name for name in SETS if name in summary.sets and bars.seeds(name, RIDGE)]
    # A run that was stopped within a set lacks some of its settings.
    settings = [one.name for one in GRID if all(summary.seeds(name, one.name) for name in sets)]
    if not settings or not sets:
        return ["Not measured on all sets yet."]
    found = {(name, one): _means(summary, name, one) for name in sets for one in settings}
    ridge = {name: _means(bars, name, RIDGE) for name in sets}
    lines = []
    for left_out in sets:
        others = [name for name in sets if name != left_out]
        if not others:
            continue
        chosen = min(settings, key=lambda one: sum(loss(found[name, one], ridge[name]) for name in others))
        lines.append([left_out, chosen, *_beside(found[left_out, chosen], found.get((left_out, DEFAULT.name)))])
    words = (
        f"Network off. Of {len(settings)} settings of the decision rule the one that misses the ridge-VAR's decisions "
        "least on the other sets, and what it reaches on the set that was left out; in brackets the default."
    )
    return [words, table(["left out", "chosen on the others", "F1", "FAR", "events found", "false events"], lines)]


def loss(found: Means, bar: Means) -> float:
    """Return how much decisions miss the F1, FAR and false events of the ridge-VAR, and .85 of the events."""
    missed = max(0.0, bar["f1"] - found["f1"]) + 2 * max(0.0, found["far"] - bar["far"] - FAR_ALLOWED)
    false = max(0.0, found["false_10k"] - max(bar["false_10k"], FALSE_ALLOWED))
    return missed + 0.25 * max(0.0, 0.85 - found["found"]) + 0.004 * false


def _means(summary: Summary, name: str, method: str) -> Means:
    return {measure: summary.value(name, method, measure).mean for measure in MEASURES}


def _beside(chosen: Means, default: Means | None) -> Sequence[str]:
    return [
        f"{chosen[measure]:.3g}" + ("" if default is None else f" ({default[measure]:.3g})") for measure in MEASURES
    ]
