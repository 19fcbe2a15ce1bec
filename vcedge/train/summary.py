"""Collects the numbers of a training, metrics.json, from which the report is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vcedge.calibration.split import rows_in
from vcedge.calibration.trace import Trace
from vcedge.detector import Detector
from vcedge.history import DataReport
from vcedge.schema import F64
from vcedge.train.pipeline import Trained
from vcedge.train.regimes import find_regimes
from vcedge.train.verdict import verdict_of


def summarise(trained: Trained, report: DataReport, seconds: float) -> dict[str, Any]:
    """Return all numbers of a training as JSON values; those about the device are measured on the held-out tail.

    Losses are in units of the variance of the highway's held-out residual; compare them with `highway_alone`.
    """
    detector, split, result = trained.detector, trained.split, trained.result
    tail = trained.device_trace.within(split.tail)
    metrics: dict[str, Any] = {
        "asset": detector.asset,
        "seconds": round(seconds, 2),
        "rows": {"fit": rows_in(split.fit), "validation": rows_in(split.validation), "tail": rows_in(split.tail)},
        "model": {
            "cell": "none" if detector.cell is None else detector.cell.spec.kind,
            "hidden": detector.hidden,
            "levels": detector.levels,
            "channels": detector.channels,
        },
        "epochs": [vars(epoch) for epoch in result.epochs],
        "highway_alone": {"loss": result.alone[0], "validation": result.alone[1]},
        "best_epoch": result.best,
        "interrupted": result.interrupted,
        "updated_share": {"tail": float(tail.updated.mean() / detector.hidden) if detector.hidden else 0.0},
        "change_correlation": change_correlation(tail, detector),
        "macs": {"mean": round(mean_macs(tail, detector), 1), "dense": detector.macs(detector.hidden)},
        "calibration": calibration_summary(trained, tail),
        "scorer": scorer_summary(trained.finished),
        "highway": highway_choice(trained),
        "regimes": [item.to_json() for item in find_regimes(trained.device_trace, detector, split.tail[0][0])],
        "channels": channel_errors(tail, detector),
        "recognition": None if trained.recognition is None else trained.recognition.to_json(),
        "sensitivity": None if trained.sensitivity is None else trained.sensitivity.to_json(),
        "data": report.to_json(),
    }
    return {"verdict": verdict_of(trained, metrics).to_json(), **metrics}


def calibration_summary(trained: Trained, tail: Trace) -> dict[str, Any]:
    """Return the limits of the finished detector and the rows that they are based on; `tail` is the held-out rows.

    The share of alarms on the held-out rows is that of the detector that was not fitted on them.
    """
    limits, measured = trained.finished.calibration, trained.detector.calibration
    settled = tail.raw[tail.since >= measured.warmup_rows]
    return {
        "threshold": limits.threshold,
        "false_alarms_per_day": limits.false_alarms_per_day,
        "expected_false_alarms_per_day": limits.expected_false_alarms_per_day(trained.detector.schema.period_ns),
        "rows": limits.rows,
        "margins": [
            {"margin": margin, "events": events}
            for margin, events in zip(limits.promise.margins, limits.promise.events, strict=True)
        ],
        "alarm_share_tail": float((settled > measured.threshold).mean()),
        "surprise_limit": limits.surprise_limit,
    }


def scorer_summary(detector: Detector) -> dict[str, Any]:
    """Return what training found for the statistic: roles of the channels, time scales in rows, operating states."""
    scorer = detector.scorer
    return {
        "span": scorer.span,
        "cycle_rows": None if scorer.cycle is None else scorer.cycle.period,
        "memory_rows": detector.calibration.memory,
        "states": 0 if scorer.distance is None else len(scorer.distance.centroids),
        "roles": {channel.name: channel.role for channel in detector.schema.channels},
    }


def highway_choice(trained: Trained) -> dict[str, Any] | None:
    """Return order and ridge of the highway with the held-out loss of all candidates; None if they are unknown."""
    if trained.order is None:
        return None
    tried = [{"order": order, "loss": loss} for order, loss in trained.order.losses]
    return {"order": trained.order.order, "ridge": trained.order.ridge, "tried": tried}


def channel_errors(trace: Trace, detector: Detector) -> list[dict[str, Any]]:
    """Return for each channel, on held-out rows, the highway's error, the network's gain and its shrinkage."""
    count = np.maximum(trace.known.sum(axis=0), 1)
    plain = np.where(trace.known, trace.residual**2, 0).sum(axis=0) / count
    corrected = np.where(trace.known, (trace.residual - trace.correction) ** 2, 0).sum(axis=0) / count
    unit = detector.features.scale * detector.highway.spread
    shrink = np.zeros(detector.channels) if detector.head is None else detector.head.shrink
    return [
        {
            "name": channel.name,
            "unit": channel.unit,
            "highway_rmse": float(np.sqrt(plain[i]) * unit[i]),
            "combined_rmse": float(np.sqrt(corrected[i]) * unit[i]),
            "explained_by_network": float(1 - corrected[i] / plain[i]) if plain[i] > 0 else 0.0,
            "shrink": float(shrink[i]),
            "missing": float(trace.missing[:, i].mean()),
        }
        for i, channel in enumerate(detector.schema.channels)
    ]


def mean_macs(trace: Trace, detector: Detector) -> float:
    """Return the mean multiply-accumulates of a row: more than those of the mean size, as they grow with its square."""
    updated, rows = np.unique(trace.updated, return_counts=True)
    return float(np.average([detector.macs(float(k)) for k in updated], weights=rows))


def change_correlation(trace: Trace, detector: Detector) -> float | None:
    """Return the correlation of the updated dimensions with `input_change`; None if either is constant."""
    inner = ~trace.first
    size = input_change(trace, detector)[inner]
    updated = trace.updated[inner].astype(np.float64)
    if updated.std() == 0 or size.std() == 0:
        return None
    return float(np.corrcoef(updated, size)[0, 1])


def input_change(trace: Trace, detector: Detector) -> F64:
    """Return the mean over channels of the absolute change since the last row (M,), over its root mean square."""
    change = np.abs(trace.z - trace.previous) / detector.features.change_scale
    return np.asarray(change.mean(axis=1), np.float64)


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write metrics.json; NaN and infinities become null."""
    path.write_text(json.dumps(_plain(metrics), indent=2) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
