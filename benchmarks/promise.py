"""Do thresholds keep their promise? False alarms on normal stretches of real data, promised and seen.

For each series a detector is trained on its normal part, calibrated for as many false alarms a day as make a stated
number of them expected on the normal rows of its test part, and streamed over that part: with the threshold as it was
calibrated, and adapting. Counted are events that overlap no labelled one and open after the first tenth, which is for
adapting; `open` is the share of the normal rows after it during which an event was open. Needs VCEDGE_DATA, with
tools/reference_scoring.py beside it for reading the sets.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.skab import load_yardstick
from vcedge.calibration.calibrate import calibrate_limits
from vcedge.calibration.refit import refit
from vcedge.config.train import DataConfig, FitConfig, TrainConfig
from vcedge.detector import Detector
from vcedge.history import DataReport, Recording
from vcedge.limits import DAY_NS
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, NS_PER_S, Sample, schema_of
from vcedge.train.pipeline import Trained, train_detector

START_NS = 1_700_000_000 * NS_PER_S
ADAPTING_SHARE = 0.1
ORDER_OF_COLUMNS = "series  network  seed  expected  threshold  seen  ratio  open  factor  found"


@dataclass(frozen=True)
class Series:
    """Normal rows (N, C) to train on, rows (M, C) to test on, and where these are not normal (M,)."""

    name: str
    train: F64
    test: F64
    label: F64
    period_s: float


@dataclass(frozen=True)
class Seen:
    """What one pass over a test part showed, after the first tenth."""

    events: int
    open_share: float
    factor: float
    found: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--expected", type=float, nargs="+", default=[10.0, 30.0], help="false alarms to be expected")
    parser.add_argument("--series", nargs="+", help="only these")
    parser.add_argument("--no-network", action="store_true", help="the linear forecaster alone, same scorer")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = Path(os.environ.get("VCEDGE_DATA", "../shared/data"))
    rows: list[dict[str, Any]] = []
    if not options.json:
        print(ORDER_OF_COLUMNS)
    for series in load_series(data):
        if options.series and series.name not in options.series:
            continue
        for seed in range(options.seeds):
            for row in measure(series, seed, options.expected, not options.no_network):
                rows.append(row)
                if not options.json:
                    print("  ".join(_short(value) for value in row.values()), flush=True)
    if options.json:
        print(json.dumps(rows, indent=2))


def load_series(data: Path) -> Iterator[Series]:
    """Normal stretches of the development sets, long enough to count false alarms on."""
    yardstick = load_yardstick(data)
    free = np.genfromtxt(data / "SKAB/data/anomaly-free/anomaly-free.csv", delimiter=";", skip_header=1)[:, 1:9]
    for part in (0.25, 0.5, 0.75):
        cut = round(part * len(free))
        yield Series(f"SKAB-free-{part:.0%}", free[:cut], free[cut:], np.zeros(len(free) - cut), 1.0)
    normal = np.loadtxt(data / "TEP/d00_te.dat")
    yield Series("TEP-d00", np.loadtxt(data / "TEP/d00.dat").T, normal, np.zeros(len(normal)), 180.0)
    (tank,) = yardstick.load_batadal(str(data))
    half = len(tank["train"]) // 2
    rest = tank["train"][half:]
    yield Series("BATADAL-03", tank["train"][:half], rest, np.zeros(len(rest)), 3600.0)
    yield Series("BATADAL-04", tank["train"], tank["test"], tank["y"], 3600.0)
    (water,) = yardstick.load_gecco(str(data))
    yield Series("GECCO", water["train"], water["test"], water["y"], 60.0)


def measure(series: Series, seed: int, expected: list[float], network: bool) -> Iterator[dict[str, Any]]:
    """One row for each number of expected alarms, with the threshold as calibrated and adapting."""
    trained = train(series, seed, network)
    detector = trained.detector if network else trained.detector.without_network()
    days = float((series.label == 0).sum()) * series.period_s * NS_PER_S / DAY_NS
    for count in expected:
        stuck = detector.calibration.stuck_rows
        limited = calibrate_limits(detector, trained.values, trained.split, stuck, count / days)
        finished = refit(limited, trained.values, trained.split)
        for adapt in (False, True):
            seen, counted = follow(finished, series, adapt), count * (1 - ADAPTING_SHARE)
            yield {
                "series": series.name,
                "network": "on" if network else "off",
                "seed": seed,
                "expected": counted,
                "threshold": "adapting" if adapt else "calibrated",
                "seen": seen.events,
                "ratio": seen.events / counted,
                "open": seen.open_share,
                "factor": seen.factor,
                "found": f"{seen.found}/{len(_segments(series.label))}",
            }


def train(series: Series, seed: int, network: bool) -> Trained:
    """A training with default settings; without a network it is as short as can be."""
    channels = series.train.shape[1]
    config = TrainConfig(
        asset="promise", data=DataConfig(train=["-"]), train=FitConfig(seed=seed, **({} if network else {"epochs": 1}))
    )
    time_ns = START_NS + np.arange(len(series.train), dtype=np.int64) * round(series.period_s * NS_PER_S)
    schema = schema_of([f"c{i}" for i in range(channels)], series.period_s, 5 * series.period_s)
    sequences = ((0, len(series.train)),)
    return train_detector(config, Recording(schema, time_ns, series.train, sequences, DataReport(), ()))


def follow(detector: Detector, series: Series, adapt: bool) -> Seen:
    """Stream the test part and count the events that open after the first tenth of it."""
    stream, opened, inside = Stream(load_engine(detector), adapt=adapt), [], np.zeros(len(series.test), bool)
    ends: dict[int, int] = {}
    for row, values in enumerate(series.test):
        score = stream.push(Sample(START_NS + row * round(series.period_s * NS_PER_S), values))
        inside[row] = stream.in_event
        for event in score.events:
            if event.kind == "anomaly" and event.type == "new":
                opened.append(row)
            elif event.kind == "anomaly" and event.type == "end":
                ends[opened[-1]] = row
    first, segments = round(ADAPTING_SHARE * len(series.test)), _segments(series.label)
    spans = [(row, ends.get(row, len(series.test))) for row in opened]
    false = [a for a, b in spans if a >= first and not any(a < stop and b > start for start, stop in segments)]
    found = sum(any(a < stop and b > start for a, b in spans) for start, stop in segments)
    normal = (series.label == 0) & (np.arange(len(inside)) >= first)
    factor = stream.threshold / detector.calibration.threshold
    return Seen(len(false), float(inside[normal].mean()), factor, found)


def _segments(label: F64) -> list[tuple[int, int]]:
    """First row and the one after the last of each labelled event."""
    edges = np.diff(np.concatenate(([0], (label > 0).astype(int), [0])))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
