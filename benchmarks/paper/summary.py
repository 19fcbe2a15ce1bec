"""Cells of the table gathered over their seeds: means and spreads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.paper.cells import ALL

Row = dict[str, Any]
MACS = ("recurrent", "input", "scheduler", "head", "all")


@dataclass(frozen=True)
class Value:
    """Mean and standard deviation over seeds (n - 1; none of a single seed)."""

    mean: float
    spread: float | None

    def text(self, digits: int = 3) -> str:
        """As the tables print it."""
        spread = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


def value_of(numbers: Sequence[float]) -> Value:
    """Of at least one number."""
    return Value(float(np.mean(numbers)), float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None)


@dataclass(frozen=True)
class Group:
    """All seeds of a model of a size on a set."""

    set: str
    model: str
    size: int
    rows: tuple[Row, ...]

    def of(self, number: Callable[[Row], float]) -> Value:
        """Mean and spread of a number of each row."""
        return value_of([number(row) for row in self.rows])

    @property
    def loss(self) -> Value:
        """On the test pieces, of the hard form."""
        return self.of(lambda row: row["test"]["loss"])

    def macs(self, name: str) -> Value:
        """One of MACS."""
        return self.of(lambda row: row["test"]["macs"][name])

    @property
    def square(self) -> Value:
        """Mean of (k/D)² on the test pieces."""
        return self.of(lambda row: row["test"]["square"])

    @property
    def gap(self) -> float | None:
        """The largest relative difference of trained and exported loss; None where the model is not exported."""
        gaps = [row["exported"]["gap"] for row in self.rows if row["exported"] is not None]
        return max(gaps) if gaps else None


def groups_of(rows: Sequence[Row]) -> list[Group]:
    """Groups in the order in which models are run."""
    found: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["set"], row["size"], row["model"]), []).append(row)
    order = {name: place for place, name in enumerate(ALL)}
    keys = sorted(found, key=lambda key: (key[0], key[1], order[key[2]]))
    return [
        Group(set_, model, size, tuple(sorted(found[set_, size, model], key=lambda row: row["seed"])))
        for set_, size, model in keys
    ]


def by_model(groups: Sequence[Group], set_: str, size: int) -> dict[str, Group]:
    """The groups of one set and size."""
    return {group.model: group for group in groups if (group.set, group.size) == (set_, size)}
