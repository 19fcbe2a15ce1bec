"""Draws the picture of the README from a recording and a model: signals and faults, the gate, the statistic.

python -m benchmarks.readme_picture today.csv model.vcedge docs/images/pump.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import vcedge
from vcedge.schema import F64, NS_PER_S

BLUE, ORANGE, GREY, RED = "#2066c0", "#c2560c", "#8a8f98", "#f3c6c1"
BIN = 30
"""Rows averaged by one point of the gate's panel."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readme_picture", description=__doc__)
    for name in ("recording", "model", "out"):
        parser.add_argument(name, type=Path)
    options = parser.parse_args()
    signals = pd.read_csv(options.recording)
    stream = vcedge.Stream(vcedge.load(str(options.model)))
    values = signals[list(stream.detector.schema.names)].to_numpy(float)
    rows = [
        stream.push(vcedge.Sample(time_ns=row * NS_PER_S, values=row_values)) for row, row_values in enumerate(values)
    ]
    hours = np.arange(len(rows)) / 3600
    figure, (top, gate, statistic) = plt.subplots(3, 1, figsize=(10, 6), sharex=True, layout="constrained")
    top.plot(hours, signals["Pressure"], color=BLUE, lw=0.8, label="Pressure, bar")
    right = top.twinx()
    right.plot(hours, signals["Vibration"], color=GREY, lw=0.5, label="Vibration, mm/s")
    right.set_ylabel("Vibration, mm/s")
    top.set_ylabel("Pressure, bar")
    share = binned(np.array([row.updated / row.hidden for row in rows]))
    gate.fill_between(np.arange(len(share)) * BIN / 3600, 100 * share, color=BLUE, lw=0)
    gate.set_ylabel("updated, %")
    gate.set_ylim(0, 100)
    statistic.plot(hours, [row.raw for row in rows], color=BLUE, lw=0.6)
    statistic.plot(hours, [row.threshold for row in rows], color=ORANGE, lw=1.2)
    statistic.text(hours[-1], rows[-1].threshold, " alarm", color=ORANGE, va="center")
    statistic.set_ylabel("statistic, nats")
    statistic.set_ylim(bottom=-2)
    statistic.set_xlabel("hours")
    edges = np.flatnonzero(np.diff(signals["anomaly"].to_numpy(), prepend=0, append=0))
    for start, stop in edges.reshape(-1, 2):
        for axes in (top, gate, statistic):
            axes.axvspan(start / 3600, stop / 3600, color=RED, alpha=0.6, lw=0, zorder=0)
    for axes in (top, gate, statistic, right):
        axes.spines[["top"]].set_visible(False)
        axes.margins(x=0)
    top.set_title(
        "A simulated pump rig, faults in red: signals, work of the network, statistic", loc="left", fontsize=11
    )
    figure.savefig(options.out, dpi=110)


def binned(values: F64) -> F64:
    """Return the means of BIN rows each."""
    full = len(values) // BIN * BIN
    return np.asarray(values[:full].reshape(-1, BIN).mean(axis=1))


if __name__ == "__main__":
    main()
