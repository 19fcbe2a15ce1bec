"""The development sets as series: what to train on, what to test on, and the truth, as the reference reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from vcedge.history import DataReport, Recording
from vcedge.schema import F64, NS_PER_S, schema_of
from vcedge.train.compare.cases import Case

START_NS = 1_700_000_000 * NS_PER_S
"""The sets' own times are not used: rows are equally spaced, as the reference has them."""
GAP_PERIODS = 5
PERIODS_S = {"SKAB": 1.0, "BATADAL": 3600.0, "GECCO": 60.0, "SMD": 60.0, "TEP": 180.0}
SETS = tuple(PERIODS_S)
SERIES = {"SKAB": 34, "BATADAL": 1, "GECCO": 1, "SMD": 4, "TEP": 10}
"""How many series each set has: a mean over fewer is no result of the set."""
SLOW_SETS = ("GECCO", "SMD")
"""Those whose seeds come last: they take most of the time."""


@dataclass(frozen=True)
class Series:
    """Normal rows (N, C) to train on, rows (M, C) to test on with the truth (M,)."""

    set: str
    name: str
    train: F64
    test: F64
    labels: NDArray[np.bool_]
    period_s: float

    @property
    def period_ns(self) -> int:
        """Distance of two rows."""
        return round(self.period_s * NS_PER_S)

    @property
    def recording(self) -> Recording:
        """The training part as `train_detector` takes it."""
        schema = schema_of([f"c{i}" for i in range(self.train.shape[1])], self.period_s, GAP_PERIODS * self.period_s)
        times = START_NS + np.arange(len(self.train), dtype=np.int64) * self.period_ns
        return Recording(schema, times, self.train, ((0, len(self.train)),), DataReport(), ())

    @property
    def case(self) -> Case:
        """The test part, from a fresh state, as the reference scores it."""
        times = START_NS + np.arange(len(self.test), dtype=np.int64) * self.period_ns
        return Case(self.name, self.test, times, ((0, len(self.test)),), self.labels)


def load_set(name: str, data: Path, yardstick: ModuleType, most: int | None = None) -> list[Series]:
    """The series of one set in the reference's order, the first `most` of them."""
    series = []
    for case in _some(yardstick.LOADERS[name], data, most):
        labels = np.asarray(case["y"]).astype(bool)
        series.append(Series(name, case["name"], case["train"], case["test"], labels, PERIODS_S[name]))
    return series


def groups(series: list[Series]) -> list[list[Series]]:
    """Series that share their training rows, put together: they are trained once."""
    found: list[list[Series]] = []
    for one in series:
        if found and np.array_equal(found[-1][0].train, one.train, equal_nan=True):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _some(loader: Callable[[str], Iterator[dict[str, object]]], data: Path, most: int | None) -> Iterator[dict]:  # type: ignore[type-arg]
    for number, case in enumerate(loader(str(data))):
        if number == most:
            return
        yield case
