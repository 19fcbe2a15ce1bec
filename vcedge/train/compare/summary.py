"""The numbers of a comparison as JSON values: compare.json."""

from __future__ import annotations

import math
import os
import platform
from typing import Any

from vcedge.evaluation.bars import Bar
from vcedge.evaluation.measure import Measures
from vcedge.train.compare.comparison import REGIMES, Comparison, EventOutcome, MethodResult


def to_json(comparison: Comparison, bars: list[Bar]) -> dict[str, Any]:
    """Return all numbers as JSON values, null for a measure that has nothing to measure."""
    made = comparison.trained.detector.provenance
    return {
        "asset": comparison.config.asset,
        "truth": truth_of(comparison),
        "seed": comparison.config.train.seed,
        "versions": made.get("versions", {}),
        "machine": {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "promised_false_alarms_per_day": comparison.config.score.false_alarms_per_day,
        "recordings": [
            {
                "name": case.name,
                "rows": len(case.values),
                "anomalous_rows": int(case.labels.sum()),
                "injected": [vars(fault) for fault in case.faults],
            }
            for case in comparison.cases
        ],
        "methods": [_method(result, comparison) for result in comparison.results],
        "updated_by_regime": {
            name: dict(zip(REGIMES, map(_number, shares), strict=True)) for name, shares in comparison.regimes.items()
        },
        "events": [_event(one, comparison) for one in comparison.outcomes],
        "bars": [bar.to_json(comparison.main.mean) for bar in bars],
    }


def truth_of(comparison: Comparison) -> str:
    """Return where the truth comes from: "labels", "injected faults" or "none"."""
    if comparison.labelled:
        return "labels"
    return "injected faults" if any(case.faults for case in comparison.cases) else "none"


def _method(result: MethodResult, comparison: Comparison) -> dict[str, Any]:
    names = [case.name for case in comparison.cases]
    return {
        "name": result.method.name,
        "hidden": result.method.hidden,
        "threshold": _number(result.method.threshold),
        "mean": _measures(result.mean),
        "recordings": {name: _measures(one) for name, one in zip(names, result.each, strict=True)},
        "us": _number(result.us),
        "macs": _number(result.macs),
        "bytes": result.method.bytes,
        "energy_uj": result.energy_uj,
    }


def _event(outcome: EventOutcome, comparison: Comparison) -> dict[str, Any]:
    case = comparison.cases[outcome.case]
    return {
        "recording": case.name,
        "first_row": outcome.rows[0],
        "end_row": outcome.rows[1],
        "real": outcome.real,
        "truth": outcome.truth,
        "delay_rows": outcome.delay_rows,
        "top": [[name, round(share, 3)] for name, share in outcome.top],
    }


def _measures(measures: Measures) -> dict[str, float | None]:
    return {name: _number(value) for name, value in measures.items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
