"""Shows how VUS-PR and false alarms change when the rows are corrupted."""

from __future__ import annotations

from benchmarks.detection.markdown import table
from benchmarks.detection.results import ResultRow
from benchmarks.detection.summary import Summary

CLEAN = "clean"
HOLES, MOST_COST = "5% of the values missing", 0.02
MEASURES = {
    "VUS-PR": ("vus_pr", ".3f"),
    "F1": ("f1", ".3f"),
    "FAR": ("far", ".3f"),
    "false events in 10,000 rows": ("false_10k", ".1f"),
    "series in false alarm at the end": ("open_at_end", ".2f"),
}


def robustness_table(rows: list[ResultRow]) -> list[str]:
    """Return a sentence, and a table for each measure with a line for each corruption; clean rows are absolute."""
    summary = Summary(rows)
    kinds = list(dict.fromkeys(method.split(" | ")[1] for method in summary.methods))
    methods = list(dict.fromkeys(method.split(" | ")[0] for method in summary.methods))
    counts = ", ".join(f"{name} {len(summary.series(name))}" for name in summary.sets)
    parts = [
        f"Series: {counts}; one seed, default settings. Clean is absolute, the others are changes against it. FAR is "
        "the share of normal rows during which an event is open, the last table the share of series in which one is "
        "open at the end of the test part although that is normal.",
        *(_aim(summary, method) for method in methods if f"{method} | {HOLES}" in summary.methods),
    ]
    for words, (measure, form) in MEASURES.items():
        lines = [
            [kind, method, *(_cell(summary, name, f"{method} | ", (kind, measure, form)) for name in summary.sets)]
            for kind in kinds
            for method in methods
        ]
        parts.append(table([words, "", *summary.sets], lines))
    return parts


def _aim(summary: Summary, method: str) -> str:
    """Return a sentence with the aim for missing values, and the set that loses most."""
    costs = {
        name: -summary.difference(name, f"{method} | {HOLES}", f"{method} | {CLEAN}", "vus_pr").mean
        for name in summary.sets
    }
    worst = max(costs, key=lambda name: costs[name])
    reached = "reached" if costs[worst] <= MOST_COST else "**missed**"
    return (
        f"Aim, {HOLES} cost at most {MOST_COST:g} VUS-PR on any set, {method}: {worst} {costs[worst]:.3f}, {reached}."
    )


def _cell(summary: Summary, name: str, prefix: str, asked: tuple[str, str, str]) -> str:
    kind, measure, form = asked
    value = summary.value(name, prefix + kind, measure).mean
    if kind == CLEAN:
        return format(value, form)
    return format(value - summary.value(name, prefix + CLEAN, measure).mean, f"+{form}")
