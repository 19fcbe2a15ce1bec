"""The two tables of methods, ready to print."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vcedge.train.compare.comparison import Comparison, Result
from vcedge.train.compare.methods import MAIN, OFF
from vcedge.train.compare.words import DASH, TRIVIAL, microseconds, three
from vcedge.wording import duration, number, percent

DETECTION = (
    "VUS-PR",
    "AUC-PR",
    "F1",
    "False rows (FAR)",
    "Missed rows (MAR)",
    "Events found",
    "Delay",
    "False alarms a day",
)
COSTS = ("Hidden", "Updated", "Multiply-adds", "µs a row", "Memory")


@dataclass(frozen=True)
class Cell:
    """One cell; `bar` is the width of a bar under it, 0 to 100."""

    text: str
    bar: float | None = None


@dataclass(frozen=True)
class Row:
    """One method. `role` is a class of the style sheet."""

    name: str
    role: str
    cells: tuple[Cell, ...]


def detection_titles() -> tuple[str, ...]:
    """Headings of the columns of `detection_rows`."""
    return DETECTION


def cost_titles(energy: bool) -> tuple[str, ...]:
    """Headings of the columns of `cost_rows`."""
    return (*COSTS, "µJ a row") if energy else COSTS


def detection_rows(comparison: Comparison) -> list[Row]:
    """What each method finds."""
    return [Row(_name(one), _role(one, comparison), _detection(one)) for one in comparison.results]


def cost_rows(comparison: Comparison) -> list[Row]:
    """What each method costs; the trivial ones cost nothing and are left out."""
    wanted = [one for one in comparison.results if one.method.name not in TRIVIAL]
    return [Row(_name(one), _role(one, comparison), _costs(one)) for one in wanted]


def _detection(one: Result) -> tuple[Cell, ...]:
    mean = one.mean
    bar = None if math.isnan(mean["vus_pr"]) else round(100 * mean["vus_pr"], 1)
    return (
        Cell(three(mean["vus_pr"]), bar),
        Cell(three(mean["auc_pr"])),
        Cell(three(mean["f1"])),
        Cell(_percent(mean["far"])),
        Cell(_percent(mean["mar"])),
        Cell(_percent(mean["event_recall"])),
        Cell(_delay(mean["delay_s"])),
        Cell(DASH if math.isnan(mean["false_alarms_per_day"]) else number(mean["false_alarms_per_day"])),
    )


def _costs(one: Result) -> tuple[Cell, ...]:
    hidden = one.method.hidden
    cells = (
        Cell(str(hidden) if hidden else DASH),
        Cell(_percent(one.mean["updated_normal"])),
        Cell(number(round(one.macs))),
        Cell(microseconds(one.us)),
        Cell(_size(one.method.bytes)),
    )
    return cells if one.energy_uj is None else (*cells, Cell(f"{one.energy_uj:.3g}"))


def _name(one: Result) -> str:
    return one.method.name


def _role(one: Result, comparison: Comparison) -> str:
    name = one.method.name
    if name == MAIN:
        return "ours"
    if name in TRIVIAL:
        return "trivial first" if name == TRIVIAL[0] else "trivial"
    simple = next(other for other in comparison.results if not other.method.hidden and other.method.name != OFF)
    return "first" if one is simple else ""


def _percent(value: float) -> str:
    return DASH if math.isnan(value) else percent(value)


def _delay(seconds: float) -> str:
    return DASH if math.isnan(seconds) else duration(seconds) if seconds else "none"


def _size(count: int) -> str:
    """Bytes for people."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.3g} kB"
