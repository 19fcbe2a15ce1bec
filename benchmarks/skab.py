"""Measures detection on SKAB's 34 recordings of a real pump rig, in three protocols, beside simple detectors.

transfer: the model of the anomaly-free run is calibrated on the first 400 rows of each file and scores the rest.
per file: a model is trained on the first 400 rows of each file and scores the rest.
uncalibrated: the model of the anomaly-free run as it is; the difference from transfer is the effect of `calibrate`.
The independent reference computes all metrics (VUS-PR, and `binary_metrics` at the model's own threshold). Needs
VCEDGE_DATA, with tools/reference_scoring.py beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.datasets import data_folder, load_reference
from vcedge.calibration.recalibrate import recalibrate
from vcedge.config.train import DataConfig, FitConfig, TrainConfig
from vcedge.detector import Detector
from vcedge.evaluation.replay import Replay, replay
from vcedge.history import RowBlock, load_history, open_rows
from vcedge.history.as_trained import data_config, reading_config
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64
from vcedge.train.pipeline import Trained, train_detector
from vcedge.train.summary import change_correlation

CALIBRATION_ROWS = 400
LABELS = ["anomaly", "changepoint"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench skab", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--files", type=int, default=34, help="number of files, the first ones")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = data_folder()
    reference = load_reference(data)
    cases = list(reference.load_skab(str(data)))[: options.files]
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        rows += _one_seed(data, cases, reference, seed)
    for name in ("random", "max|z|", "ridge-VAR", "ridge-VAR ew20"):
        rows.append(_baseline(name, cases, reference))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print("  ".join(f"{key} {_short(value)}" for key, value in row.items()))


def _one_seed(data: Path, cases: list[Any], reference: ModuleType, seed: int) -> list[dict[str, Any]]:
    began = time.perf_counter()
    free = _train(data, "SKAB/data/anomaly-free/*.csv", None, seed)
    tail = free.device_trace.within(free.split.tail)
    rows = [
        {
            "method": "anomaly-free run",
            "seed": seed,
            "seconds": time.perf_counter() - began,
            "share_tail": float(tail.updated.mean() / free.detector.hidden),
            "change_correlation": change_correlation(tail, free.detector),
        }
    ]
    fitted: dict[str, list[Detector]] = {"uncalibrated": [], "transfer": [], "per file": []}
    for case in cases:
        path = data / "SKAB/data" / case["name"].removeprefix("SKAB/")
        fitted["uncalibrated"].append(free.finished)
        fitted["transfer"].append(_calibrated(free.finished, path))
        fitted["per file"].append(_train(data, str(path.relative_to(data)), CALIBRATION_ROWS, seed).finished)
    for protocol, detectors in fitted.items():
        for network in (True, False):
            chosen = [d if network else d.without_network() for d in detectors]
            name = protocol if network else f"{protocol}, network off"
            rows.append({"method": name, "seed": seed, **_score_all(chosen, data, cases, reference)})
    return rows


def _score_all(detectors: list[Detector], data: Path, cases: list[Any], reference: ModuleType) -> dict[str, Any]:
    vus, points, shares = [], [], []
    for detector, case in zip(detectors, cases, strict=True):
        path = data / "SKAB/data" / case["name"].removeprefix("SKAB/")
        found = _replay(detector, path)
        vus.append(reference.vus_pr(found.raw, case["y"], reference.dominant_period(case["test"][:, 0])))
        points.append(reference.binary_metrics(found.alarm, case["y"]))
        shares.append(np.nan_to_num(found.share)[case["y"] == 0].mean())
    return {
        "VUS_PR": float(np.mean(vus)),
        **{key: float(np.mean([point[key] for point in points])) for key in ("F1", "FAR", "MAR")},
        "share_normal": float(np.mean(shares)),
    }


def _replay(detector: Detector, path: Path) -> Replay:
    """Push the rows after the calibration part through a fresh stream."""

    def blocks() -> Iterator[RowBlock]:
        rows = 0
        for block in open_rows([path], detector.schema, reading_config(detector)):
            skip = max(CALIBRATION_ROWS - rows, 0)
            rows += len(block.time_ns)
            yield RowBlock(block.time_ns[skip:], block.values[skip:])

    return replay(Stream(load_engine(detector)), blocks())


def _train(data: Path, pattern: str, rows: int | None, seed: int) -> Trained:
    config = TrainConfig(
        asset="skab",
        data=DataConfig(train=[pattern], exclude=LABELS, limit_rows=rows),
        train=FitConfig(seed=seed),
        base_dir=data,
    )
    return train_detector(config, load_history(config.data, data))


def _calibrated(detector: Detector, path: Path) -> Detector:
    recording = load_history(data_config(detector, [str(path)], CALIBRATION_ROWS), Path())
    return recalibrate(detector, recording, detector.calibration.false_alarms_per_day)


def _baseline(name: str, cases: list[Any], reference: ModuleType) -> dict[str, Any]:
    def score(case: Any) -> F64:
        raw: F64 = np.asarray(reference.BASELINES[name](case["train"])(case["test"]), np.float64)
        return np.nan_to_num(raw)

    vus = [reference.vus_pr(score(c), c["y"], reference.dominant_period(c["test"][:, 0])) for c in cases]
    return {"method": f"{name} (reference)", "VUS_PR": float(np.mean(vus))}


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
