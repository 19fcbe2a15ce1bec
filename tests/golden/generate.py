"""Write the committed model files anew: `python -m tests.golden.generate`, where the format or the engine changed.

`tiny/` is a sound model with an input and its scores; `models/<attack>/` are files that must be refused, with the
message in `expected.err`.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from tests.attacks.table import ATTACKS, COMMITTED
from tests.support.detectors import START_NS, recording, tiny_detector
from vcedge.detector import Detector
from vcedge.errors import ModelFileError
from vcedge.model_file import dumps, loads, save
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64, NS_PER_S, Sample

GOLDEN = Path(__file__).parent
TINY = GOLDEN / "tiny"
MODEL = TINY / "tiny.vcedge"
MODELS = GOLDEN / "models"
ROWS = 300
COLUMNS = ["time", "raw", "score", "alarm", "updated", "hidden", "status", "top"]


def tiny_input() -> tuple[list[int], F64]:
    """Return times (rows,) and values (rows, C) with missing values, one gap, a row out of limits and an empty row."""
    values = recording(5, ROWS, 3, missing=0.02)
    values[120, 0] = 1e6
    values[130] = np.nan
    times = [START_NS + (t if t < 200 else t + 60) * NS_PER_S for t in range(ROWS)]
    return times, values


def scores_of(detector: Detector, times: list[int], values: F64) -> list[Score]:
    stream = Stream(NumpyEngine(detector))
    return [stream.push(Sample(time_ns, row)) for time_ns, row in zip(times, values, strict=True)]


def score_row(score: Score) -> list[str]:
    """Return a row as in scores.csv, numbers to their last bit."""
    top = ";".join(f"{name}={share}" for name, share in score.top)
    numbers = [repr(score.raw), repr(score.score), str(int(score.alarm)), str(score.updated), str(score.hidden)]
    return [iso_time(score.time_ns), *numbers, score.status, top]


def iso_time(time_ns: int) -> str:
    return f"{np.datetime64(time_ns // NS_PER_S, 's')}Z"


def write_tiny() -> None:
    detector = tiny_detector()
    times, values = tiny_input()
    TINY.mkdir(exist_ok=True)
    save(detector, MODEL)
    with (TINY / "input.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["time", *detector.schema.names])
        for time_ns, row in zip(times, values, strict=True):
            rows.writerow([iso_time(time_ns), *("" if np.isnan(value) else repr(float(value)) for value in row)])
    with (TINY / "expected.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(score_row(score) for score in scores_of(detector, times, values))


def write_models() -> None:
    data = dumps(tiny_detector())
    for name in COMMITTED:
        folder = MODELS / name
        folder.mkdir(parents=True, exist_ok=True)
        broken = ATTACKS[name][0](data)
        (folder / "model.vcedge").write_bytes(broken)
        try:
            loads(broken, "model.vcedge")
        except ModelFileError as error:
            (folder / "expected.err").write_text(f"{error}\n")
        else:
            raise AssertionError(f"{name} is not refused")


if __name__ == "__main__":
    write_tiny()
    write_models()
