"""Loads the development sets as series of training rows, test rows and labels, by the reference scoring's loaders."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from vcedge.history import DataReport, Recording
from vcedge.schema import F64, NS_PER_S, schema_of
from vcedge.train.compare.cases import Case

START_NS = 1_700_000_000 * NS_PER_S
"""First time; the sets' own times are not used, and rows are equally spaced as in the reference."""
GAP_PERIODS = 5


@dataclass(frozen=True)
class SetSpec:
    """Describes a development set."""

    period_s: float
    """True time between two rows: it decides what a number of false alarms a day means."""
    series: int
    """Number of series: a mean over fewer does not count as a result of the set."""
    cycle: int | None = None
    """Rows of the machine's cycle, where it is known to repeat one."""


SPECS = {
    "SKAB": SetSpec(1.0, 34),
    "BATADAL": SetSpec(3600.0, 1),
    "GECCO": SetSpec(60.0, 1),
    "SMD": SetSpec(60.0, 4),
    "TEP": SetSpec(180.0, 10),
    "HYDSYS": SetSpec(1.0, 3, cycle=60),
    "AHU": SetSpec(60.0, 8),
    "CMAPSS": SetSpec(3600.0, 2),  # one row a flight; the set says one hour
    "ASD": SetSpec(300.0, 12),
    "MSL": SetSpec(60.0, 27),  # not documented: taken as one minute, as for SMAP
    "SMAP": SetSpec(60.0, 54),
}
SETS = tuple(SPECS)
SERIES = {name: spec.series for name, spec in SPECS.items()}


@dataclass(frozen=True)
class Series:
    """Holds normal rows (N, C) to train on, and rows (M, C) to test on with their labels (M,)."""

    set: str
    name: str
    train: F64
    test: F64
    labels: NDArray[np.bool_]
    period_s: float

    @property
    def period_ns(self) -> int:
        """Time between two rows."""
        return round(self.period_s * NS_PER_S)

    @property
    def recording(self) -> Recording:
        """Training rows as a recording."""
        schema = schema_of([f"c{i}" for i in range(self.train.shape[1])], self.period_s, GAP_PERIODS * self.period_s)
        times = START_NS + np.arange(len(self.train), dtype=np.int64) * self.period_ns
        return Recording(schema, times, self.train, ((0, len(self.train)),), DataReport(), ())

    @property
    def case(self) -> Case:
        """Test rows as a case, which starts from a fresh state."""
        times = START_NS + np.arange(len(self.test), dtype=np.int64) * self.period_ns
        return Case(self.name, self.test, times, ((0, len(self.test)),), self.labels)


@dataclass(frozen=True)
class SeriesSource:
    """Loads the series of the development sets with the reference's loaders."""

    data: Path
    reference: ModuleType
    most: int | None = None
    """Number of series of each set; None for all."""

    def load(self, name: str) -> list[Series]:
        """Return the series of one set in the reference's order."""
        spec = SPECS[name]
        most = spec.series if self.most is None else min(self.most, spec.series)
        cases = islice(self.reference.LOADERS[name](str(self.data)), most)
        return [
            Series(name, case["name"], case["train"], case["test"], np.asarray(case["y"]).astype(bool), spec.period_s)
            for case in cases
        ]


def groups(series: list[Series]) -> list[list[Series]]:
    """Group consecutive series that share their training rows, so that they are trained once."""
    found: list[list[Series]] = []
    for one in series:
        if found and np.array_equal(found[-1][0].train, one.train, equal_nan=True):
            found[-1].append(one)
        else:
            found.append([one])
    return found
