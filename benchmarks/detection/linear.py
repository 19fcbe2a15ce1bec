"""`scripts/bench detection --linear`: prints a line for each set, network off beside the linear forecaster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.detection.fitting import OFF
from benchmarks.detection.jobs import Job, Store, key, run
from benchmarks.detection.results import ResultRow
from benchmarks.detection.sets import Series, SeriesSource
from benchmarks.detection.simple import RIDGE

COLUMNS = ("vus_pr", "f1", "far", "found", "false_10k")
FAR_ALLOWED = 0.02


def run_linear(sets: Sequence[str], store: Store, source: SeriesSource, workers: int) -> None:
    """Print a line for each set, then counts over all; only what the results lack is measured."""
    means = []
    for name in sets:
        wanted = [Job(name, method, 0) for method in (OFF, RIDGE)]
        run(wanted, store, source, workers)
        series = source.load(name)
        means.append(_print_set(name, *(_lines(store, job, series) for job in wanted)))
    print(_counts(means), flush=True)


def _lines(store: Store, job: Job, series: Sequence[Series]) -> list[ResultRow]:
    """Return the lines of the current version, in the order of the series."""
    return [store.of(job.method).find(**key(job, one)) for one in series]


def _print_set(
    name: str, own: Sequence[ResultRow], ridge: Sequence[ResultRow]
) -> tuple[list[float], list[float], float]:
    """Print the line of a set; return the means of COLUMNS, those of the ridge-VAR, and the number of silent series."""
    mean = [float(np.mean([line[column] for line in own])) for column in COLUMNS]
    wide = [float(np.mean([line[f"with_range.{column}"] for line in own])) for column in COLUMNS[1:]]
    bar = [float(np.mean([line[column] for line in ridge])) for column in COLUMNS]
    known = [line["promised_10k"] for line in own if not line["refused"]]
    promise = float(np.mean(known)) if known else 0.0
    silent, out = sum(line["silent"] for line in own), len(own) - len(known)
    print(
        f"{name:8s} VUS-PR {mean[0]:.3f} ({bar[0]:.3f}) | F1 {mean[1]:.3f} ({bar[1]:.3f}) "
        f"FAR {mean[2]:.3f} ({bar[2]:.3f}) found {mean[3]:.2f} ({bar[3]:.2f}) "
        f"false/10k {mean[4]:.1f} ({bar[4]:.1f}) promised/10k {promise:.2g} silent {silent:.0f}"
        + (f" refused {out}" if out else "")
        + f" | with range events F1 {wide[0]:.3f} FAR {wide[1]:.3f} found {wide[2]:.2f} false/10k {wide[3]:.1f}",
        flush=True,
    )
    return mean, bar, silent


def _counts(means: Sequence[tuple[list[float], list[float], float]]) -> str:
    own, bar = np.array([mean for mean, _, _ in means]), np.array([ridge for _, ridge, _ in means])
    return (
        f"of {len(means)} sets: VUS-PR above the ridge-VAR on {(own[:, 0] > bar[:, 0]).sum()}, F1 at or above on "
        f"{(own[:, 1] >= bar[:, 1]).sum()}, FAR within + {FAR_ALLOWED:g} on "
        f"{(own[:, 2] <= bar[:, 2] + FAR_ALLOWED).sum()}; found {own[:, 3].mean():.2f}, "
        f"silent {sum(silent for _, _, silent in means):.0f}"
    )
