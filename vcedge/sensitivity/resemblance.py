"""Fits the classifier of the kind of fault that an event resembles, and cross-validates it on injected faults.

It is the nearest centroid on features whitened by the shrunken covariance within the kinds: a few dozen events a kind
allow no more. Kinds that the classifier confuses share one name, or are unclear if too many would share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.calibrate import tail_trace
from vcedge.calibration.order import most_reach
from vcedge.calibration.rows import usable_rows
from vcedge.calibration.split import rows_in, split_by_time
from vcedge.calibration.trace import TracedRows
from vcedge.detector import Detector
from vcedge.history import Recording
from vcedge.injection.faults import KINDS, FaultKind
from vcedge.resemblance import UNCLEAR, Resemblance
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.schema import F64
from vcedge.sensitivity.events import InjectedEvents, injected_events

MOST_STEPS, STEPS_PER_ROW = 80_000, 8
"""Most rows that the engine steps: in all, and for each row of the recording."""
LEAST_EVENTS = 6
"""Fewest events from which a kind is learned."""
SHRINKAGE = 0.3
"""Weight of the diagonal in the covariance within the kinds."""
LEAST_RECOGNISED = 0.5
"""A kind keeps its own name if at least this share of its held-out events is recognised."""
MOST_NAMES = 3
"""Most kinds that share one name: a longer list would not inform."""
LIMIT_QUANTILE, LIMIT_FACTOR = 0.99, 2.0
"""An event resembles no kind if its distance from every centroid exceeds LIMIT_FACTOR times this quantile."""
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Recognition:
    """Holds the classifier of events, and its cross-validated performance."""

    model: Resemblance | None
    """None if fewer than two kinds raised enough events."""
    kinds: tuple[Recognised, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the section of metrics.json."""
        called = {} if self.model is None else self.model.name_by_kind
        return {"kinds": [{**vars(item), "called": called.get(item.kind, UNCLEAR)} for item in self.kinds]}


@dataclass(frozen=True)
class Recognised:
    """Counts how the held-out events of one kind were classified."""

    kind: FaultKind
    events: int
    named: int
    """Events whose name includes the kind."""
    alone: int
    """Events whose name is the kind alone."""
    unclear: int


def measure_resemblance(detector: Detector, rows: TracedRows, most_steps: int = MOST_STEPS) -> Recognition:
    """Fit and cross-validate the classifier on faults injected into the tail."""
    steps = min(most_steps, STEPS_PER_ROW * rows_in(rows.split.all))
    return fit_resemblance(injected_events(load_engine(detector, REFERENCE), rows, steps))


def refitted(detector: Detector, recording: Recording) -> Detector:
    """Return a detector that was calibrated on a recording, with the classifier fitted to that recording."""
    values, sequences, _ = usable_rows(recording)
    split = split_by_time(sequences, most_reach(detector.highway.order))
    found = measure_resemblance(detector, TracedRows(values, split, tail_trace(detector, values, split)))
    return replace(detector, resemblance=found.model)


def fit_resemblance(events: InjectedEvents) -> Recognition:
    """Fit the classifier on all events, and test it on each quarter of them with a fit on the others.

    The quarters are cut in time, and the shared names are chosen in each of them, so that no fit uses a tested event.
    """
    named = np.full(len(events.kinds), UNCLEAR, dtype=object)
    for fitted, held in _folds(events.starts):
        model = _fit(events.features[fitted], events.kinds[fitted], events.starts[fitted])
        if model is not None:
            named[held] = [model.name_of(features) for features in events.features[held]]
    found = [_recognised(kind, named[events.kinds == kind].tolist()) for kind in KINDS if kind in events.kinds]
    return Recognition(_fit(events.features, events.kinds, events.starts), tuple(found))


def _recognised(kind: FaultKind, names: list[str]) -> Recognised:
    named = sum(kind in name.split(" or ") for name in names)
    return Recognised(kind, len(names), named, names.count(kind), names.count(UNCLEAR))


def _fit(features: F64, kinds: Names, starts: NDArray[np.int64]) -> Resemblance | None:
    """Fit the kinds with enough events; fits on three quarters, tested on the fourth, decide which share a name."""
    alone = _centroids(features, kinds, {})
    if alone is None:
        return None
    pairs: list[tuple[str, str]] = []
    for fitted, held in _folds(starts):
        part = _centroids(features[fitted], kinds[fitted], {}, LEAST_EVENTS // 2)
        if part is not None:
            known = np.isin(kinds, alone.kinds) & held
            pairs += [(str(kind), part.name_of(f)) for kind, f in zip(kinds[known], features[known], strict=True)]
    return _centroids(features, kinds, _names(alone.kinds, pairs))


def _names(kinds: tuple[str, ...], pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return the name of each kind, from pairs of a kind and the kind that its event was classified as.

    The least recognised kind joins the group it is most often confused with, until all are recognised. A kind whose
    group would become too large is unclear.
    """
    groups = [{kind} for kind in kinds]
    while len(groups) > 1:
        shares = [_shares(group, groups, pairs) for group in groups]
        worst = min(range(len(groups)), key=lambda index: shares[index][index])
        if shares[worst][worst] >= LEAST_RECOGNISED:
            break
        others = [index for index in range(len(groups)) if index != worst]
        nearest = max(others, key=lambda index: (shares[worst][index] + shares[index][worst], -len(groups[index])))
        if len(groups[nearest] | groups[worst]) <= MOST_NAMES:
            groups[nearest] |= groups[worst]
        del groups[worst]
    return {kind: next((_name_of(group) for group in groups if kind in group), UNCLEAR) for kind in kinds}


def _shares(group: set[str], groups: list[set[str]], pairs: list[tuple[str, str]]) -> list[float]:
    """Return which share of a group's events was classified as each of the groups; unclear ones count for none."""
    classified = [name for kind, name in pairs if kind in group]
    return [sum(name in other for name in classified) / max(len(classified), 1) for other in groups]


def _name_of(group: set[str]) -> str:
    return " or ".join(kind for kind in KINDS if kind in group)


def _centroids(features: F64, kinds: Names, names: dict[str, str], least: int = LEAST_EVENTS) -> Resemblance | None:
    """Fit centroids of the kinds that have at least `least` events; None if there are fewer than two such kinds."""
    enough: list[str] = [kind for kind in KINDS if int((kinds == kind).sum()) >= least]
    if len(enough) < 2:
        return None
    used = np.isin(kinds, enough)
    mean = features[used].mean(axis=0)
    centroids = np.array([features[kinds == kind].mean(axis=0) for kind in enough])
    index = np.array([enough.index(str(kind)) for kind in kinds[used]])
    within = features[used] - centroids[index]
    spread = within.T @ within / max(len(within) - len(enough), 1)
    diagonal = np.diag(np.maximum(np.diag(spread), 1e-6))
    values, vectors = np.linalg.eigh((1 - SHRINKAGE) * spread + SHRINKAGE * diagonal)
    whitening = vectors / np.sqrt(np.maximum(values, 1e-9))
    distances = ((within @ whitening) ** 2).sum(axis=1)
    return Resemblance(
        tuple(enough),
        tuple(names.get(kind, kind) for kind in enough),
        mean.astype(np.float32),
        whitening.astype(np.float32),
        ((centroids - mean) @ whitening).astype(np.float32),
        LIMIT_FACTOR * float(np.quantile(distances, LIMIT_QUANTILE)),
    )


def _folds(starts: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield (fitted, held) masks in which each quarter of the time is held out once."""
    quarter = np.searchsorted(np.quantile(starts, (0.25, 0.5, 0.75)), starts) if len(starts) else starts
    for fold in range(4):
        held = quarter == fold
        if held.any():
            yield ~held, held
