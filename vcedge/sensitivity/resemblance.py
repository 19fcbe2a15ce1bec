"""Fits the resemblance of events to kinds of faults, and says on injected faults it has not seen how good it is.

A nearest centroid on features whitened by the shrunken spread within the kinds: a few dozen events a kind allow no
more. Kinds that are not told apart are named together, or, where too many would be, not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.calibration.calibrate import tail_trace
from vcedge.calibration.rows import usable_rows
from vcedge.calibration.scorer import REACH
from vcedge.calibration.split import Split, rows_in, split_by_time
from vcedge.calibration.trace import Trace
from vcedge.detector import Detector
from vcedge.history import Recording
from vcedge.injection.faults import KINDS, FaultKind
from vcedge.resemblance import UNCLEAR, Resemblance
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.schema import F64
from vcedge.sensitivity.events import InjectedEvents, injected_events

MOST_STEPS, STEPS_PER_ROW = 80_000, 8
"""Rows that the engine steps at most: in all, and for each row of the recording."""
LEAST_EVENTS = 6
"""Of a kind, below which nothing is learned of it."""
SHRINKAGE = 0.3
"""Share of the diagonal in the spread within the kinds."""
TOLD_APART = 0.5
"""A kind stands for itself where at least this share of its events is recognised, by a fit that has not seen them."""
MOST_NAMES = 3
"""More kinds than this under one name say nothing."""
LIMIT_QUANTILE, LIMIT_FACTOR = 0.99, 2.0
"""An event further from every centroid than this many times nearly all of those that were fitted is like none."""
Names = NDArray[np.str_]


@dataclass(frozen=True)
class Recognition:
    """What events are compared with, and how well that works."""

    model: Resemblance | None
    """None where fewer than two kinds raised enough events."""
    kinds: tuple[Recognised, ...]

    def to_json(self) -> dict[str, Any]:
        """As metrics.json holds it."""
        called = {} if self.model is None else self.model.called
        return {"kinds": [{**vars(item), "called": called.get(item.kind, UNCLEAR)} for item in self.kinds]}


@dataclass(frozen=True)
class Recognised:
    """What became of the events of one kind when the fit had not seen them."""

    kind: FaultKind
    events: int
    named: int
    """The name given holds the kind."""
    alone: int
    """It is the kind and no other."""
    unclear: int


def measure_resemblance(
    detector: Detector, values: F64, split: Split, trace: Trace, most_steps: int = MOST_STEPS
) -> Recognition:
    """Fit it on faults injected into the tail of values (N, C); `trace` is the detector's over at least the tail."""
    steps = min(most_steps, STEPS_PER_ROW * rows_in(split.all))
    return fit_resemblance(injected_events(load_engine(detector, REFERENCE), values, split, trace, steps))


def refitted(detector: Detector, recording: Recording) -> Detector:
    """A detector that was calibrated on a recording, with what events on that machine resemble."""
    values, sequences, _ = usable_rows(recording)
    split = split_by_time(sequences, max(REACH, detector.highway.order))
    found = measure_resemblance(detector, values, split, tail_trace(detector, values, split))
    return replace(detector, resemblance=found.model)


def fit_resemblance(events: InjectedEvents) -> Recognition:
    """The resemblance fitted on all events, and how it did on each quarter of them when fitted on the others.

    The quarters are cut in time, and what is named together is chosen anew in each: the test has seen nothing of it.
    """
    said = np.full(len(events.kinds), UNCLEAR, dtype=object)
    for fitted, held in _folds(events.starts):
        model = _fit(events.features[fitted], events.kinds[fitted], events.starts[fitted])
        if model is not None:
            said[held] = [model.of(features) for features in events.features[held]]
    found = [_recognised(kind, said[events.kinds == kind].tolist()) for kind in KINDS if kind in events.kinds]
    return Recognition(_fit(events.features, events.kinds, events.starts), tuple(found))


def _recognised(kind: FaultKind, said: list[str]) -> Recognised:
    return Recognised(
        kind,
        len(said),
        sum(kind in name.split(" or ") for name in said),
        said.count(kind),
        said.count(UNCLEAR),
    )


def _fit(features: F64, kinds: Names, starts: NDArray[np.int64]) -> Resemblance | None:
    """Centroids of the kinds with enough events, named by what a fit on three quarters says of the fourth."""
    alone = _centroids(features, kinds, {})
    if alone is None:
        return None
    pairs: list[tuple[str, str]] = []
    for fitted, held in _folds(starts):
        part = _centroids(features[fitted], kinds[fitted], {}, LEAST_EVENTS // 2)
        if part is not None:
            known = np.isin(kinds, alone.kinds) & held
            pairs += [(str(kind), part.of(f)) for kind, f in zip(kinds[known], features[known], strict=True)]
    return _centroids(features, kinds, _names(alone.kinds, pairs))


def _names(kinds: tuple[str, ...], pairs: list[tuple[str, str]]) -> dict[str, str]:
    """What each kind is called, from pairs of a kind and what it was taken for: the least recognised joins the group
    it is most taken for, until all are recognised; where that has become too many, it is unclear."""
    groups = [{kind} for kind in kinds]
    while len(groups) > 1:
        shares = [_shares(group, groups, pairs) for group in groups]
        worst = min(range(len(groups)), key=lambda index: shares[index][index])
        if shares[worst][worst] >= TOLD_APART:
            break
        others = [index for index in range(len(groups)) if index != worst]
        nearest = max(others, key=lambda index: (shares[worst][index] + shares[index][worst], -len(groups[index])))
        if len(groups[nearest] | groups[worst]) <= MOST_NAMES:
            groups[nearest] |= groups[worst]
        del groups[worst]
    return {kind: next((_called(group) for group in groups if kind in group), UNCLEAR) for kind in kinds}


def _shares(group: set[str], groups: list[set[str]], pairs: list[tuple[str, str]]) -> list[float]:
    """Which share of the events of a group was taken for each of the groups; what was unclear counts for none."""
    taken = [name for kind, name in pairs if kind in group]
    return [sum(name in other for name in taken) / max(len(taken), 1) for other in groups]


def _called(group: set[str]) -> str:
    return " or ".join(kind for kind in KINDS if kind in group)


def _centroids(features: F64, kinds: Names, names: dict[str, str], least: int = LEAST_EVENTS) -> Resemblance | None:
    """Centroids of the kinds that have at least so many events; None where there are fewer than two such kinds."""
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
    """The events of each quarter of the time, held out once: (fitted, held)."""
    quarter = np.searchsorted(np.quantile(starts, (0.25, 0.5, 0.75)), starts) if len(starts) else starts
    for fold in range(4):
        held = quarter == fold
        if held.any():
            yield ~held, held
