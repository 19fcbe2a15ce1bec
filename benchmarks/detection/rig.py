"""Measures detection on the simulated rig in batches, with a fault that needs memory of what happened minutes before.

The second pass of a batch runs at the other product's speed (`vcedge.simulate.batches`). Readings and their changes are
those of normal operation; the first pass, which distinguishes the products, lies further back than the eight rows of a
forecaster. The network must remember it through a rest in which its gate has no reason to open.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.detection.fitting import MAIN, OFF, SEEDED, TWIN
from benchmarks.detection.jobs import Job, measure_task, missing
from benchmarks.detection.markdown import table
from benchmarks.detection.results import ResultRow, Results, stamp
from benchmarks.detection.sets import Series
from benchmarks.detection.simple import ALL_ONES, RANDOM, RIDGE
from benchmarks.detection.summary import Summary
from vcedge.simulate import simulate

SET = "rig"
METHODS = (MAIN, OFF, TWIN, RIDGE, "window-PCA", RANDOM, ALL_ONES)
PERIOD_S = 10.0
HOURS, TRAIN_SEED = 48.0, 100
TESTS, TEST_HOURS, FAULTS = (200, 201, 202), 24.0, 8
"""Seeds of the test recordings, their length, and the number of faults in each."""
WORDS = {
    "vus_pr": "VUS-PR",
    "f1": "F1",
    "far": "FAR",
    "mar": "MAR",
    "found": "events found",
    "updated_normal": "updated share, normal rows",
}


def rig_series() -> list[Series]:
    """Simulate recordings with faults that share a healthy one to train on."""
    train = simulate(HOURS, 0, TRAIN_SEED, PERIOD_S, batches=True)
    tests = [(seed, simulate(TEST_HOURS, FAULTS, seed, PERIOD_S, batches=True)) for seed in TESTS]
    return [
        Series(SET, f"rig/{seed}", train.values, test.values, test.anomaly.astype(bool), PERIOD_S)
        for seed, test in tests
    ]


def run_rig(seeds: int, out: Path, data: Path) -> int:
    """Add the missing measurements and return the number of lines added; `data` is beside the reference scoring."""
    results, series, added = Results(out / "rig.jsonl", stamp()), rig_series(), 0
    for seed in range(seeds):
        for method in METHODS if seed == 0 else [one for one in METHODS if one in SEEDED]:
            for task in missing(Job(SET, method, seed), series, results):
                for row in measure_task(task, data):
                    results.add(row)
                    added += 1
    return added


def rig_table(rows: Sequence[ResultRow]) -> list[str]:
    """Return a sentence with the bar, and a table."""
    summary = Summary(rows)
    gain = summary.difference(SET, MAIN, OFF, "vus_pr")
    reached = "reached" if gain.mean > gain.spread else "**missed**"
    words = (
        f"{len(TESTS)} runs of {TEST_HOURS:g} hours with {FAULTS} faults each, a row every {PERIOD_S:g} s, trained on "
        f"{HOURS:g} healthy hours; seeds {', '.join(map(str, summary.seeds(SET, MAIN)))}. F1, FAR and MAR at the "
        f"default settings. The bar, above network off by more than the spread of the seeds: {gain.text(4)}, "
        f"{reached}."
    )
    lines = [[m, *(summary.value(SET, m, name).text() for name in WORDS)] for m in METHODS if m in summary.methods]
    return [words, table(["", *WORDS.values()], lines)]
