"""Formats the two tables of methods: detection and cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vcedge.train.compare.comparison import Comparison, MethodResult
from vcedge.train.compare.methods import MAIN, OFF
from vcedge.train.compare.summary_text import DASH, measure_text, microseconds_text
from vcedge.train.compare.verdict import TRIVIAL
from vcedge.wording import duration, number, percent

COSTS = ("Hidden", "Updated", "Multiply-adds", "µs a row", "Memory")
SHARES = ("VUS-PR", "AUC-PR", "F1", "False rows (FAR)", "Missed rows (MAR)", "Events found")
DETECTION = (*SHARES, "Delay", "False alarms a day")
"""Headings of `detection_rows`."""


@dataclass(frozen=True)
class TableCell:
    """Holds a formatted cell; `bar` is the width of a bar under it, 0 to 100."""

    text: str
    bar: float | None = None


@dataclass(frozen=True)
class MethodRow:
    """Holds the row of one method; `role` is a class of the style sheet."""

    name: str
    role: str
    cells: tuple[TableCell, ...]


def cost_titles(*, energy: bool) -> tuple[str, ...]:
    """Return the headings of `cost_rows`, with or without energy."""
    return (*COSTS, "µJ a row") if energy else COSTS


def detection_rows(comparison: Comparison) -> list[MethodRow]:
    """Return the detection measures of each method."""
    return [MethodRow(one.method.name, _role(one, comparison), _detection(one)) for one in comparison.results]


def cost_rows(comparison: Comparison) -> list[MethodRow]:
    """Return the cost of each method but the trivial ones, which cost nothing."""
    wanted = [one for one in comparison.results if one.method.name not in TRIVIAL]
    return [MethodRow(one.method.name, _role(one, comparison), _costs(one)) for one in wanted]


def _detection(one: MethodResult) -> tuple[TableCell, ...]:
    mean = one.mean
    bar = None if math.isnan(mean["vus_pr"]) else round(100 * mean["vus_pr"], 1)
    return (
        TableCell(measure_text(mean["vus_pr"]), bar),
        TableCell(measure_text(mean["auc_pr"])),
        TableCell(measure_text(mean["f1"])),
        TableCell(_percent(mean["far"])),
        TableCell(_percent(mean["mar"])),
        TableCell(_percent(mean["event_recall"])),
        TableCell(_delay(mean["delay_s"])),
        TableCell(DASH if math.isnan(mean["false_alarms_per_day"]) else number(mean["false_alarms_per_day"])),
    )


def _costs(one: MethodResult) -> tuple[TableCell, ...]:
    hidden = one.method.hidden
    cells = (
        TableCell(str(hidden) if hidden else DASH),
        TableCell(_percent(one.mean["updated_normal"])),
        TableCell(number(round(one.macs))),
        TableCell(microseconds_text(one.us)),
        TableCell(_size(one.method.bytes)),
    )
    return cells if one.energy_uj is None else (*cells, TableCell(f"{one.energy_uj:.3g}"))


def _role(one: MethodResult, comparison: Comparison) -> str:
    name = one.method.name
    if name == MAIN:
        return "ours"
    if name in TRIVIAL:
        return "trivial first" if name == TRIVIAL[0] else "trivial"
    baseline = next(other for other in comparison.results if not other.method.hidden and other.method.name != OFF)
    return "first" if one is baseline else ""


def _percent(value: float) -> str:
    return DASH if math.isnan(value) else percent(value)


def _delay(seconds: float) -> str:
    return DASH if math.isnan(seconds) else duration(seconds) if seconds else "0 s"


def _size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.3g} kB"
