"""Shows the decisions: the product beside the linear forecaster, and all methods of one set."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.detection.fitting import DETECTORS, MAIN, OFF
from benchmarks.detection.markdown import table
from benchmarks.detection.product import ALSO
from benchmarks.detection.simple import RIDGE
from benchmarks.detection.summary import SeedValue, Summary

COLUMNS = {"F1": "f1", "FAR": "far", "events found": "found", "false events": "false_10k"}
"""Measures that every method has."""


def beside_table(summary: Summary, sets: Sequence[str], method: str) -> str:
    """Return a table with a line for each set: a detector, and the ridge-VAR in brackets."""
    lines = []
    for name in sets:
        pairs = [_beside(summary, name, method, measure) for measure in COLUMNS.values()]
        promise = rate(summary.value(name, method, "promised_10k"))
        delay = _beside(summary, name, method, "delay_rows")
        silent = summary.value(name, method, "silent").text(0)
        lines.append([name, *pairs, promise, delay, silent])
    return table(["", *COLUMNS, "promised", "median delay, rows", "silent series"], lines)


def set_table(summary: Summary, name: str, methods: Sequence[str]) -> str:
    """Return a table with a line for each method, and for the product further decisions."""
    lines = []
    for method in methods:
        if not summary.seeds(name, method):
            continue
        lines.append([method, *_cells(summary, name, method, ""), *_more(summary, name, method)])
        for prefix, words in ALSO.items() if method in (MAIN, OFF) else ():
            lines.append([f"{method}, {words}", *_cells(summary, name, method, prefix), "", "", ""])
    return table(["", *COLUMNS, "median delay, rows", "promised", "opened falsely", "silent series"], lines)


def pooled_table(summary: Summary, name: str, methods: Sequence[str]) -> str:
    """Return a table of the rows of all series together."""
    lines = []
    for method in methods:
        found = summary.pooled(name, method)
        lines.append([method, *(found[measure].text() for measure in ("f1", "far", "mar"))])
    return table(["", "F1", "FAR", "MAR"], lines)


def rate(value: SeedValue) -> str:
    """Format a number of events in 10,000 rows with two digits: it lies between .1 and 400."""
    return "–" if not value.seeds else value.text(0 if value.mean >= 10 else 2)


def _cells(summary: Summary, name: str, method: str, prefix: str) -> list[str]:
    cells = [_text(summary, name, method, f"{prefix}{measure}") for measure in COLUMNS.values()]
    return [*cells, summary.value(name, method, f"{prefix}delay_rows").text(1)]


def _more(summary: Summary, name: str, method: str) -> list[str]:
    """Return what only a detector has, and the number of silent series."""
    own = [rate(summary.value(name, method, measure)) for measure in ("promised_10k", "false_events_10k")]
    silent = summary.value(name, method, "silent").text(0)
    return [*(own if method in DETECTORS else ("", "")), silent]


def _beside(summary: Summary, name: str, method: str, measure: str) -> str:
    return f"{_text(summary, name, method, measure)} ({_text(summary, name, RIDGE, measure)})"


def _text(summary: Summary, name: str, method: str, measure: str) -> str:
    value = summary.value(name, method, measure)
    return rate(value) if measure.endswith("false_10k") else value.text(1 if measure.endswith("delay_rows") else 3)
