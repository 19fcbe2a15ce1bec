"""Shows how VUS-PR and false alarms change when the rows are corrupted."""

from __future__ import annotations

from benchmarks.detection.markdown import table
from benchmarks.detection.results import ResultRow
from benchmarks.detection.summary import Summary

CLEAN = "clean"


def robustness_table(rows: list[ResultRow]) -> list[str]:
    """Return a sentence, and a table with a line for each corruption and method; clean rows are absolute."""
    summary = Summary(rows)
    kinds = list(dict.fromkeys(method.split(" | ")[1] for method in summary.methods))
    methods = list(dict.fromkeys(method.split(" | ")[0] for method in summary.methods))
    lines = []
    for kind in kinds:
        for method in methods:
            cells = []
            for name in summary.sets:
                cells += _cells(summary, name, method, kind)
            lines.append([kind, method, *cells])
    header = ["", ""]
    for name in summary.sets:
        header += [f"{name} VUS-PR", f"{name} false alarms", f"{name} FAR"]
    counts = ", ".join(f"{name} {len(summary.series(name))}" for name in summary.sets)
    words = (
        f"Series: {counts}; one seed. Clean is absolute, the others are changes against it; false alarms are events of "
        "the adapting threshold, in all series together, FAR the share of normal rows in alarm."
    )
    return [words, table(header, lines)]


def _cells(summary: Summary, name: str, method: str, kind: str) -> list[str]:
    cells = []
    for measure, form in (("vus_pr", ".3f"), ("adapting.false_alarms", ".0f"), ("adapting.far", ".3f")):
        value = summary.value(name, f"{method} | {kind}", measure).mean
        if kind == CLEAN:
            cells.append(format(value, form))
        else:
            before = summary.value(name, f"{method} | {CLEAN}", measure).mean
            cells.append(format(value - before, f"+{form}"))
    return cells
