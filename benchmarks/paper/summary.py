"""Summarises experiments over their seeds by mean and standard deviation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.paper.experiments import ALL

ResultRow = dict[str, Any]
MACS = ("recurrent", "input", "scheduler", "head", "all")


@dataclass(frozen=True)
class SeedMean:
    """Holds mean and standard deviation over seeds (n - 1; None for a single seed)."""

    mean: float
    spread: float | None

    def text(self, digits: int = 3) -> str:
        """Format as the tables print it."""
        spread = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


def value_of(numbers: Sequence[float]) -> SeedMean:
    """Summarise at least one number."""
    return SeedMean(float(np.mean(numbers)), float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None)


@dataclass(frozen=True)
class Group:
    """Holds the results of all seeds of a model of a size on a set."""

    set: str
    model: str
    size: int
    rows: tuple[ResultRow, ...]

    def of(self, number: Callable[[ResultRow], float]) -> SeedMean:
        """Return mean and spread of a number of each row."""
        return value_of([number(row) for row in self.rows])

    @property
    def loss(self) -> SeedMean:
        """Loss of the hard form on the test pieces."""
        return self.of(lambda row: row["test"]["loss"])

    def macs(self, name: str) -> SeedMean:
        """Return mean and spread of one of MACS."""
        return self.of(lambda row: row["test"]["macs"][name])

    @property
    def square(self) -> SeedMean:
        """Mean of (k/D)² on the test pieces."""
        return self.of(lambda row: row["test"]["square"])

    @property
    def gap(self) -> float | None:
        """Largest relative difference of trained and exported loss; None for a model without export."""
        gaps = [row["exported"]["gap"] for row in self.rows if row["exported"] is not None]
        return max(gaps) if gaps else None


def groups_of(rows: Sequence[ResultRow]) -> list[Group]:
    """Group results in the order in which models run."""
    found: dict[tuple[str, int, str], list[ResultRow]] = {}
    for row in rows:
        found.setdefault((row["set"], row["size"], row["model"]), []).append(row)
    order = {name: place for place, name in enumerate(ALL)}
    keys = sorted(found, key=lambda key: (key[0], key[1], order[key[2]]))
    return [
        Group(set_, model, size, tuple(sorted(found[set_, size, model], key=lambda row: row["seed"])))
        for set_, size, model in keys
    ]


def by_model(groups: Sequence[Group], set_: str, size: int) -> dict[str, Group]:
    """Return the groups of one set and size."""
    return {group.model: group for group in groups if (group.set, group.size) == (set_, size)}
