"""Prepares the test recordings of a comparison: with the user's labels, or with faults injected into normal rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.split import Ranges, clip_ranges
from vcedge.calibration.trace import run_engine
from vcedge.config.train import DataConfig
from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.evaluation.labels import read_labels
from vcedge.history import NO_TIME, Recording, open_rows
from vcedge.history.files import find_files
from vcedge.injection.faults import InjectedFault, Scales, inject_all
from vcedge.injection.plan import NormalRows, in_rounds, plan_faults
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.schema import F64, NS_PER_S, SensorSchema, beyond_limits

HELD_OUT = 0.25
"""Share at the end of the training recording that is the test, if the configuration names no test recordings."""
FAULTS = 60
CALM_SHARE = 0.1
"""Least share of a copy's rows that is normal between two faults, as most rows of a plant are normal."""
INJECTED_ROWS = 60_000
"""Most rows of all copies with faults, though at least one copy is made: it bounds the cost for long recordings."""
LEAST_ROWS = 100


@dataclass(frozen=True)
class Case:
    """Holds one test recording, with values as a stream receives them: a value beyond its limits is missing."""

    name: str
    values: F64  # (N, C)
    time_ns: NDArray[np.int64]  # (N,)
    ranges: Ranges
    """Stretches without a gap; together they hold all rows."""
    labels: NDArray[np.bool_]  # (N,)
    faults: tuple[InjectedFault, ...] = ()
    """The injected faults, if the labels come from them."""


@dataclass(frozen=True)
class ComparisonInput:
    """Holds the training recording and the test recordings."""

    training: Recording
    cases: tuple[Case, ...]
    labelled: bool
    """True if the test recordings have labels of the user."""


def prepare(data: DataConfig, base_dir: Path, recording: Recording, held_out: float = HELD_OUT) -> ComparisonInput:
    """Return the test recordings that `data` names, or else the last share of the recording.

    Raises:
        DataError: A test recording has too few rows, or no normal rows are left to train on.
    """
    if data.test:
        cases = [_read_case(path, data, recording.schema) for path in find_files(data.test, base_dir)]
        return ComparisonInput(recording, tuple(cases), data.label is not None)
    labels = _labels_of(data, base_dir, recording)
    return _held_out(recording, labels, held_out)


def with_faults(case: Case, linear: Detector, seed: int) -> list[Case]:
    """Return copies of a case's longest stretch with injected faults, each fault in one copy."""
    start, stop = max(case.ranges, key=lambda one: one[1] - one[0])
    values, lead = case.values[start:stop], linear.calibration.warmup_rows
    whole = ((0, len(values)),)
    trace = run_engine(load_engine(linear, REFERENCE), values, whole)
    residual = np.full(values.shape, np.nan)
    residual[trace.rows] = np.where(trace.known, trace.residual, np.nan)
    scales = Scales.of(linear)
    calm = max(lead, round(CALM_SHARE * len(values)))
    normal = NormalRows.of(values, residual, scales)
    rounds = in_rounds(plan_faults(normal, FAULTS, seed=seed, lead=lead), gap=calm)
    copies = []
    for number, faults in enumerate(rounds[: max(1, INJECTED_ROWS // len(values))]):
        labels = np.zeros(len(values), bool)
        for fault in faults:
            labels[fault.start : fault.stop] = True
        name, faulty = f"{case.name}, faults {number + 1}", inject_all(values, faults, scales)
        in_order = tuple(sorted(faults, key=attrgetter("start")))
        copies.append(Case(name, faulty, case.time_ns[start:stop], whole, labels, in_order))
    return copies


def _held_out(recording: Recording, labels: NDArray[np.bool_] | None, share: float) -> ComparisonInput:
    """Keep the last rows as the test; rows labelled as anomalous are left out of the training rows."""
    rows = len(recording.values)
    cut = round((1 - share) * rows)
    if rows - cut < LEAST_ROWS:
        raise DataError(
            f"{rows} rows: the last {share:.0%} are the test, expected at least {LEAST_ROWS} rows there; "
            "use a longer recording or a larger --held-out"
        )
    training = clip_ranges(recording.sequences, 0, cut)
    if labels is not None:
        training = tuple(part for one in training for part in _normal_parts(*one, labels))
    if not training:
        raise DataError(f"all of the first {cut} rows are labelled as anomalous, expected normal rows to train on")
    ranges = tuple((a - cut, b - cut) for a, b in clip_ranges(recording.sequences, cut, rows))
    truth = np.zeros(rows - cut, bool) if labels is None else labels[cut:]
    case = Case("held-out rows", np.array(recording.values[cut:]), recording.time_ns[cut:], ranges, truth)
    return ComparisonInput(replace(recording, sequences=training), (case,), labels is not None)


def _normal_parts(start: int, stop: int, labels: NDArray[np.bool_]) -> Ranges:
    """Return the parts of a stretch in which no row is labelled."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], labels[start:stop], [True])).astype(np.int8))) + start
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _read_case(path: Path, data: DataConfig, schema: SensorSchema) -> Case:
    """Read one test file; rows without a time or out of order are dropped, as a stream drops them."""
    reading = data.reading.with_period(schema.period_ns / NS_PER_S)
    blocks = list(open_rows([path], schema, reading))
    values = np.concatenate([block.values for block in blocks])
    time_ns = np.concatenate([block.time_ns for block in blocks])
    labels = np.zeros(len(values), bool) if data.label is None else read_labels(path, data.label, reading)
    latest = np.maximum.accumulate(np.concatenate(([NO_TIME], time_ns[:-1]))) if len(time_ns) else time_ns
    kept = time_ns > latest
    if kept.sum() < LEAST_ROWS:
        raise DataError(
            f"{path}: {int(kept.sum())} usable rows, expected at least {LEAST_ROWS}; leave the file out of data.test"
        )
    values, time_ns = values[kept], time_ns[kept]
    values = np.where(beyond_limits(values, *schema.limits()), np.nan, values)
    cuts = (np.flatnonzero(np.diff(time_ns) > schema.max_gap_ns) + 1).tolist()
    borders = [0, *cuts, len(time_ns)]
    ranges = tuple(pairwise(borders))
    return Case(path.name, values, time_ns, ranges, labels[kept])


def _labels_of(data: DataConfig, base_dir: Path, recording: Recording) -> NDArray[np.bool_] | None:
    """Return the labels of the training rows (N,), matched by time; None without a label column."""
    if data.label is None:
        return None
    reading = data.reading.with_period(recording.schema.period_ns / NS_PER_S)
    paths = find_files(data.train, base_dir)
    labels = [read_labels(path, data.label, reading) for path in paths]
    times = [block.time_ns for block in open_rows(paths, recording.schema, reading)]
    all_times, first = np.unique(np.concatenate(times), return_index=True)
    at = np.searchsorted(all_times, recording.time_ns)
    return np.asarray(np.concatenate(labels)[first[np.minimum(at, len(first) - 1)]])
