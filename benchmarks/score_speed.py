"""Measures `vcedge score` without reading the file: scores rows in memory and writes scores.csv to disk.

A million rows of eight channels, a detector of 64 units with random weights; about one row in a hundred has a missing
value and one in two hundred is in an event. The numpy engine scores fewer rows, and its time is scaled.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.timing import machine, pin_to_one_core, wants_json
from tests.support.detectors import START_NS, recording, tiny_detector
from vcedge.history import RowBlock
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.recordings.score_recording import score_blocks, write_header, write_scores
from vcedge.runtime.recordings.score_summary import ScoreSummary
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, NS_PER_S

CHANNELS, HIDDEN, READ_ROWS, DIFFERENT = 8, 64, 65_536, 50_000
ROWS = {"native": 1_000_000, "numpy": 10_000}


def main() -> None:
    as_json = wants_json("score", __doc__)
    pin_to_one_core()
    rows = [measure(name, count) for name, count in ROWS.items()]
    ratio = rows[1]["us_a_row"] / rows[0]["us_a_row"]
    for row in rows:
        print(
            f"{row['engine']}: {row['rows']:,} rows in {row['wall_s']:.2f} s ({row['cpu_s']:.2f} s of CPU), "
            f"{row['us_a_row']:.2f} us a row; a million: {row['us_a_row']:.1f} s; alarms {row['alarms']}, "
            f"events {row['events']}",
            file=sys.stderr,
        )
    print(f"native is {ratio:.0f} times as fast", file=sys.stderr)
    if as_json:
        print(json.dumps({"rows": rows, "ratio_numpy_to_native": ratio, "machine": machine()}, indent=2))


def measure(engine: str, rows: int) -> dict[str, Any]:
    """Score `rows` rows, write their lines, and return the times."""
    detector = tiny_detector(channels=CHANNELS, hidden=HIDDEN, levels=8, threshold=3.5)
    runner = load_engine(detector, engine)
    values = np.resize(recording(0, DIFFERENT, CHANNELS, missing=0.001), (rows, CHANNELS))
    tally = ScoreSummary(detector)
    with TemporaryDirectory() as folder, (Path(folder) / "scores.csv").open("w") as out:
        cpu, wall = time.process_time(), time.perf_counter()
        write_header(out)
        for block in score_blocks(Stream(runner), blocks(values)):
            write_scores(out, block)
            tally.add_block(block)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {
        "engine": engine,
        "rows": rows,
        "channels": CHANNELS,
        "hidden": HIDDEN,
        "wall_s": wall,
        "cpu_s": cpu,
        "us_a_row": 1e6 * wall / rows,
        "alarms": tally.alarms,
        "events": tally.events,
        "updated_share": tally.updated_share,
    }


def blocks(values: F64) -> Iterator[RowBlock]:
    """Yield blocks as a reader of files does."""
    time_ns = START_NS + np.arange(len(values), dtype=np.int64) * NS_PER_S
    for start in range(0, len(values), READ_ROWS):
        yield RowBlock(time_ns[start : start + READ_ROWS], values[start : start + READ_ROWS])


if __name__ == "__main__":
    main()
