"""Compares the false alarms that thresholds promise with those on normal stretches of real data.

For each series a detector is trained on the normal part and calibrated for a rate at which a stated number of false
alarms is wanted on the normal rows of the test part; what it promises may be more, where the recording is too short.
It then streams that part with the threshold as calibrated, and adapting. Events count if they overlap no labelled
event and open after the first tenth, in which thresholds adapt; `open` is the share of the later normal rows during
which an event was open. Needs VCEDGE_DATA, with tools/reference_scoring.py beside it for reading the sets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.product import rows_of
from benchmarks.detection.sets import Series
from vcedge.calibration.recalibrate import refit
from vcedge.config.train import DataConfig, FitConfig, TrainConfig
from vcedge.detector import Detector
from vcedge.evaluation.replay import replay
from vcedge.evaluation.vus import segments
from vcedge.history import RowBlock
from vcedge.limits import DAY_NS
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, NS_PER_S
from vcedge.train.pipeline import Trained, train_detector

ADAPTING_SHARE = 0.1
ORDER_OF_COLUMNS = "series  network  seed  wanted  promised  threshold  seen  ratio  open  rise  found"


@dataclass(frozen=True)
class Observation:
    """Holds the counts of one pass over a test part after its first tenth."""

    events: int
    open_share: float
    rise: float
    found: int


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench promise", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--expected", type=float, nargs="+", default=[10.0, 30.0], help="false alarms that are wanted")
    parser.add_argument("--series", nargs="+", help="only these")
    parser.add_argument("--no-network", action="store_true", help="the linear forecaster alone, same scorer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = data_folder()
    rows: list[dict[str, Any]] = []
    if not options.json:
        print(ORDER_OF_COLUMNS)
    for series in load_series(data):
        if options.series and series.name not in options.series:
            continue
        for seed in range(options.seeds):
            for row in measure(series, seed, options.expected, network=not options.no_network):
                rows.append(row)
                if not options.json:
                    print("  ".join(_short(value) for value in row.values()), flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))


def load_series(data: Path) -> Iterator[Series]:
    """Yield normal stretches of the development sets that are long enough to count false alarms on."""
    reference = load_reference(data)
    free = np.genfromtxt(data / "SKAB/data/anomaly-free/anomaly-free.csv", delimiter=";", skip_header=1)[:, 1:9]
    for part in (0.25, 0.5, 0.75):
        cut = round(part * len(free))
        yield _series(f"SKAB-free-{part:.0%}", free[:cut], free[cut:], None, 1.0)
    yield _series("TEP-d00", np.loadtxt(data / "TEP/d00.dat").T, np.loadtxt(data / "TEP/d00_te.dat"), None, 180.0)
    (tank,) = reference.load_batadal(str(data))
    half = len(tank["train"]) // 2
    yield _series("BATADAL-03", tank["train"][:half], tank["train"][half:], None, 3600.0)
    yield _series("BATADAL-04", tank["train"], tank["test"], tank["y"], 3600.0)
    (water,) = reference.load_gecco(str(data))
    yield _series("GECCO", water["train"], water["test"], water["y"], 60.0)


def _series(name: str, train: F64, test: F64, labels: F64 | None, period_s: float) -> Series:
    """Make a series; no label means that all test rows are normal."""
    anomalous = np.zeros(len(test), bool) if labels is None else np.asarray(labels) > 0
    return Series(name.partition("-")[0], name, train, test, anomalous, period_s)


def measure(series: Series, seed: int, expected: list[float], *, network: bool) -> Iterator[dict[str, Any]]:
    """Yield rows for each number of expected alarms, with the threshold as calibrated and adapting."""
    trained = train(series, seed, network=network)
    detector = trained.detector if network else trained.detector.without_network()
    days = float((~series.labels).sum()) * series.period_s * NS_PER_S / DAY_NS
    for count in expected:
        finished = refit(detector, trained.values, trained.split, count / days)
        promised = finished.calibration.false_alarms_per_day * days * (1 - ADAPTING_SHARE)
        for adapt in (False, True):
            seen = follow(finished, series, adapt=adapt)
            yield {
                "series": series.name,
                "network": "on" if network else "off",
                "seed": seed,
                "wanted": count * (1 - ADAPTING_SHARE),
                "promised": promised,
                "threshold": "adapting" if adapt else "calibrated",
                "seen": seen.events,
                "ratio": seen.events / promised,
                "open": seen.open_share,
                "rise": seen.rise,
                "found": f"{seen.found}/{len(segments(series.labels))}",
            }


def train(series: Series, seed: int, *, network: bool) -> Trained:
    """Train with default settings; without a network the training is as short as possible."""
    fit = FitConfig(seed=seed, **({} if network else {"epochs": 1}))
    config = TrainConfig(asset="promise", data=DataConfig(train=["-"]), train=fit)
    return train_detector(config, series.recording)


def follow(detector: Detector, series: Series, *, adapt: bool) -> Observation:
    """Stream the test part and count the events that open after its first tenth."""
    stream = Stream(load_engine(detector), adapt=adapt)
    spans = replay(stream, [RowBlock(series.case.time_ns, series.test)]).alarms
    inside = rows_of(spans, len(series.test))
    first = round(ADAPTING_SHARE * len(series.test))
    false = sum(start >= first and not series.labels[start:stop].any() for start, stop in spans)
    found = sum(bool(inside[start:stop].any()) for start, stop in segments(series.labels))
    normal = ~series.labels & (np.arange(len(inside)) >= first)
    rise = stream.threshold - detector.calibration.threshold
    return Observation(false, float(inside[normal].mean()), rise, found)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
