"""Detection on SKAB's 34 recordings of a real pump rig, in two protocols, beside the simple detectors.

transfer: the model of the anomaly-free run, calibrated on the first 400 rows of each file, scored on the rest.
per file: a model trained on the first 400 rows of each file, scored on the rest.
uncalibrated: the model of the anomaly-free run as it is; shows that `calibrate` is what makes it a detector here.
All metrics are the independent reference's (VUS-PR, its `binary_metrics` at the model's own threshold). Needs
VCEDGE_DATA, with tools/reference_scoring.py beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vcedge.calibration.recalibrate import recalibrate
from vcedge.config.train import DataConfig, FitConfig, TrainConfig
from vcedge.detector import Detector
from vcedge.history import load_history, open_rows
from vcedge.history.as_trained import data_config, reading_config
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, Sample
from vcedge.train.pipeline import Trained, train_detector
from vcedge.train.summary import change_correlation

CALIBRATION_ROWS = 400
LABELS = ["anomaly", "changepoint"]


def main() -> None:
    parser = argparse.ArgumentParser(description="SKAB in two protocols")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--files", type=int, default=34, help="only the first so many files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = Path(os.environ.get("VCEDGE_DATA", "../shared/data"))
    yardstick = load_yardstick(data)
    cases = list(yardstick.load_skab(str(data)))[: options.files]
    rows: list[dict[str, Any]] = []
    for seed in range(options.seeds):
        rows += _one_seed(data, cases, yardstick, seed)
    for name in ("random", "max|z|", "ridge-VAR", "ridge-VAR ew20"):
        rows.append(_baseline(name, cases, yardstick))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print("  ".join(f"{key} {_short(value)}" for key, value in row.items()))


def _one_seed(data: Path, cases: list[Any], yardstick: ModuleType, seed: int) -> list[dict[str, Any]]:
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
        fitted["uncalibrated"].append(free.finished())
        fitted["transfer"].append(_calibrated(free.finished(), path))
        fitted["per file"].append(_train(data, str(path.relative_to(data)), CALIBRATION_ROWS, seed).finished())
    for protocol, detectors in fitted.items():
        for network in (True, False):
            chosen = [d if network else d.without_network() for d in detectors]
            name = protocol if network else f"{protocol}, network off"
            rows.append({"method": name, "seed": seed, **_score_all(chosen, data, cases, yardstick)})
    return rows


def _score_all(detectors: list[Detector], data: Path, cases: list[Any], yardstick: ModuleType) -> dict[str, Any]:
    vus, points, shares = [], [], []
    for detector, case in zip(detectors, cases, strict=True):
        path = data / "SKAB/data" / case["name"].removeprefix("SKAB/")
        raw, alarm, updated = (np.array(column) for column in zip(*_scores(detector, path), strict=True))
        vus.append(yardstick.vus_pr(raw, case["y"], yardstick.dominant_period(case["test"][:, 0])))
        points.append(yardstick.binary_metrics(alarm, case["y"]))
        shares.append(updated[case["y"] == 0].mean())
    return {
        "VUS_PR": float(np.mean(vus)),
        **{key: float(np.mean([point[key] for point in points])) for key in ("F1", "FAR", "MAR")},
        "share_normal": float(np.mean(shares)),
    }


def _scores(detector: Detector, path: Path) -> Iterator[tuple[float, bool, float]]:
    """Statistic, alarm and updated share of the rows after the calibration part, from a fresh stream."""
    stream, at = Stream(load_engine(detector)), 0
    for block in open_rows([path], detector.schema, reading_config(detector)):
        for time_ns, values in zip(block.time_ns.tolist(), block.values, strict=True):
            if at >= CALIBRATION_ROWS:
                score = stream.push(Sample(time_ns, values))
                yield score.raw, score.alarm, score.updated / max(score.hidden, 1)
            at += 1


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


def _baseline(name: str, cases: list[Any], yardstick: ModuleType) -> dict[str, Any]:
    def score(case: Any) -> F64:
        raw: F64 = np.asarray(yardstick.BASELINES[name](case["train"])(case["test"]), np.float64)
        return np.nan_to_num(raw)

    vus = [yardstick.vus_pr(score(c), c["y"], yardstick.dominant_period(c["test"][:, 0])) for c in cases]
    return {"method": f"{name} (reference)", "VUS_PR": float(np.mean(vus))}


def load_yardstick(data: Path) -> ModuleType:
    path = data.parent / "tools" / "reference_scoring.py"
    spec = importlib.util.spec_from_file_location("reference_scoring", path)
    if spec is None or spec.loader is None or not path.is_file():
        sys.exit(f"{path}: the reference scoring is not there; VCEDGE_DATA must name the folder of data sets beside it")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _short(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
