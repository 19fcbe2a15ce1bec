"""Collects the numbers of a comparison as JSON values, and writes compare.json and compare.html."""

from __future__ import annotations

import json
import math
import os
import platform
from pathlib import Path
from typing import Any

from vcedge.evaluation.bars import Bar
from vcedge.evaluation.measure import Measures
from vcedge.files import write_atomic
from vcedge.train.compare.comparison import REGIMES, Comparison, EventOutcome, MethodResult
from vcedge.train.compare.verdict import worth_of

PAGE, NUMBERS = "compare.html", "compare.json"


def write_comparison(folder: Path, comparison: Comparison, bars: list[Bar]) -> None:
    """Write both files. Raise OSError if they cannot be written."""
    from vcedge.train.compare.page import render

    numbers = json.dumps(to_json(comparison, bars), indent=2, allow_nan=False) + "\n"
    write_atomic(folder / NUMBERS, numbers.encode("utf-8"))
    # A file name that is not UTF-8 holds lone surrogates, which UTF-8 cannot encode.
    write_atomic(folder / PAGE, render(comparison).encode("utf-8", "backslashreplace"))


def to_json(comparison: Comparison, bars: list[Bar]) -> dict[str, Any]:
    """Return all numbers as JSON values, null for a measure that has nothing to measure."""
    made = comparison.trained.detector.provenance
    return {
        "asset": comparison.config.asset,
        "verdict": worth_of(comparison).to_json(),
        "truth": truth_of(comparison),
        "seed": comparison.config.train.seed,
        "versions": made.get("versions", {}),
        "machine": {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
        "promised_false_alarms_per_day": comparison.promised_per_day,
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
    """Return the source of the truth: "labels", "injected faults" or "none"."""
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
