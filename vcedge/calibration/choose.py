"""Chooses the weight of each part of the scorer without labels: by how well it separates injected faults from normal.

The weights are bounded on purpose. On real plants the ranking of the parts by injected faults agrees only weakly with
that by real ones (docs/decisions/0011-scorer.md), so no part is dropped and none dominates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vcedge.calibration.split import Split, merge_ranges
from vcedge.detector import Detector, Scorer
from vcedge.evaluation.metrics import auc_pr
from vcedge.injection.faults import InjectedFault, Scales, inject
from vcedge.injection.plan import NormalRows, plan_faults
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.runtime.engine.state import State
from vcedge.schema import F64

FAULTS = 80
MOST_STEPS = 20_000
"""Most rows of all faults together that the engine steps; it bounds how many faults are injected."""
LEAST_REGION, MOST_REGION = 300, 2000
"""Rows that faults are injected into: at most the last MOST_REGION of the tail if it is long enough."""
POWER = 2.0
LEAST_WEIGHT, MOST_WEIGHT = 0.5, 2.0
"""A part's weight is the power POWER of its area over the mean area, within these bounds, then normalised."""


@dataclass(frozen=True)
class PartsChoice:
    """Holds the weights and their reasons: areas under the precision-recall curve, as means over the faults."""

    names: tuple[str, ...]
    found: tuple[float, ...]
    """Area of each part by itself."""
    weights: tuple[float, ...]
    fused: float
    """Area of all parts with these weights."""
    equal: float
    """Area of all parts with equal weights, the alternative that needs no choice."""
    faults: int

    def to_json(self) -> dict[str, Any]:
        """Return the section of metrics.json."""
        parts = zip(self.names, self.found, self.weights, strict=True)
        return {
            "parts": [{"name": name, "auc_pr": found, "weight": weight} for name, found, weight in parts],
            "fused": self.fused,
            "equal_weights": self.equal,
            "faults": self.faults,
        }


def choose_weights(detector: Detector, values: F64, split: Split, residual: F64) -> tuple[Scorer, PartsChoice | None]:
    """Choose the scorer's weights for a detector without a network, from faults injected into normal rows (N, C).

    `residual` (N, C) is the highway's, NaN where there is none. With too few rows for faults the scorer is unchanged
    and there is no choice.
    """
    region = _region(split)
    if region is None:
        return detector.scorer, None
    start, stop = region
    rows = values[start:stop]
    lead = min(detector.calibration.warmup_rows, len(rows) // 4)
    scales = Scales.of(detector)
    plan = plan_faults(NormalRows.of(rows, residual[start:stop], scales), FAULTS, lead=lead)
    normal, faulty = _run(load_engine(detector, REFERENCE), rows, _affordable(plan), scales)
    normal = normal[lead:]
    usual = np.maximum(normal.mean(axis=0), 1e-9)
    found = np.array([_separation(normal[:, i], [f[:, i] for f in faulty]) for i in range(normal.shape[1])])
    weights = weights_of(found)

    def fused(weights: F64) -> float:
        return _separation(np.log(normal / usual) @ weights, [np.log(f / usual) @ weights for f in faulty])

    parts = detector.scorer.parts
    choice = PartsChoice(
        names=tuple(part.name for part in parts),
        found=tuple(found.tolist()),
        weights=tuple(weights.tolist()),
        fused=fused(weights),
        equal=fused(np.full(len(parts), 1 / len(parts))),
        faults=len(faulty),
    )
    chosen = tuple(replace(part, weight=weight) for part, weight in zip(parts, choice.weights, strict=True))
    return replace(detector.scorer, parts=chosen), choice


def weights_of(found: F64, power: float = POWER) -> F64:
    """Return weights (parts,) that sum to 1, from the area of each part by itself, `found` (parts,)."""
    weights = np.clip((found / max(found.mean(), 1e-9)) ** power, LEAST_WEIGHT, MOST_WEIGHT)
    return np.asarray(weights / weights.sum())


def _region(split: Split) -> tuple[int, int] | None:
    """Return the longest stretch without a gap of the tail, or of all rows if that is too short; None if both are."""
    for ranges in (split.tail, merge_ranges(split.all, split.starts)):
        start, stop = max(ranges, key=lambda part: part[1] - part[0])
        if stop - start >= LEAST_REGION:
            return max(start, stop - MOST_REGION), stop
    return None


def _affordable(plan: list[InjectedFault]) -> list[InjectedFault]:
    """Return the first faults, in their balanced order, whose rows together are at most MOST_STEPS; at least one."""
    steps = np.cumsum([fault.length for fault in plan])
    return plan[: max(int(np.searchsorted(steps, MOST_STEPS, side="right")), 1)]


def _run(engine: Engine, rows: F64, faults: list[InjectedFault], scales: Scales) -> tuple[F64, list[F64]]:
    """Return the parts on normal rows (N, parts), and on the rows of each fault from a normal state before it."""
    parts = len(engine.detector.scorer.parts)
    normal, faulty = np.zeros((len(rows), parts)), {}
    begins: dict[int, list[int]] = {}
    for number, fault in enumerate(faults):
        begins.setdefault(fault.start, []).append(number)
    state = engine.new_state()
    for row in range(len(rows)):
        for number in begins.get(row, ()):
            fault, branch = faults[number], state.copy()
            wrong = inject(rows, fault, scales)[fault.start : fault.stop]
            faulty[number] = np.array([_step(engine, values, branch) for values in wrong])
        normal[row] = _step(engine, rows[row], state)
    return normal, [faulty[number] for number in range(len(faults))]


def _step(engine: Engine, values: F64, state: State) -> F64:
    if np.isfinite(values).any():
        engine.step(values, state)
    return np.maximum(state.parts, 1e-9)


def _separation(normal: F64, faulty: list[F64]) -> float:
    """Return the mean over the faults of the area under the precision-recall curve of its rows among the normal."""
    areas = [
        auc_pr(np.concatenate([normal, rows]), np.concatenate([np.zeros(len(normal)), np.ones(len(rows))]))
        for rows in faulty
    ]
    return float(np.mean(areas))
