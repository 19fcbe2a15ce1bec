"""Draws loss against measured MACs, learning curves, the gate over a piece, and how often each k is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks.datasets import data_folder
from benchmarks.paper.data import FILES, load_set
from benchmarks.paper.models import MODELS
from benchmarks.paper.summary import Group, ResultRow, groups_of

BLUE, ORANGE, GREY = "#2066c0", "#c2560c", "#8a8f98"
GATED, DENSE = ("vcgru", "vcrnn"), ("gru", "gru-matched", "rnn", "rnn-matched")


def draw_all(out: Path, rows: Sequence[ResultRow]) -> list[Path]:
    """Draw the pictures of all results that exist, as PNG files in the folder."""
    groups = [group for group in groups_of(rows) if group.model in MODELS]
    made = []
    for set_ in dict.fromkeys(group.set for group in groups):
        mine = [group for group in groups if group.set == set_]
        made.append(draw_loss(mine, out / f"{set_}-loss.png"))
        made.append(draw_curves(mine, out / f"{set_}-curves.png"))
        gated = [group for group in mine if group.model in GATED]
        if gated:
            made.append(draw_histogram(gated, out / f"{set_}-k.png"))
            if set_ in FILES:
                made.append(draw_piece(gated[0].rows[0], out / f"{set_}-gate.png"))
    return made


def draw_loss(groups: Sequence[Group], path: Path) -> Path:
    """Draw each model's mean test loss against its MACs a step, with the seeds' spread as a bar."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for group in groups:
        loss, macs = group.loss, group.macs("all").mean
        colour = BLUE if group.model in GATED else GREY if group.model in DENSE else ORANGE
        axes.errorbar(macs / 1000, loss.mean, yerr=loss.spread or 0.0, fmt="o", color=colour, capsize=3)
        axes.annotate(f"{group.model}", (macs / 1000, loss.mean), xytext=(6, 4), textcoords="offset points", fontsize=9)
    axes.set_xscale("log")
    axes.set_xlabel("thousand multiply-accumulates a step, head included")
    axes.set_ylabel("test loss, nats a step")
    return _save(figure, path)


def draw_curves(groups: Sequence[Group], path: Path) -> Path:
    """Draw each model's validation loss by epoch, averaged over seeds, which shows whether training has converged."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    lowest, middle = [], []
    for i, group in enumerate(groups):
        curves = [[epoch[1] for epoch in row["history"]] for row in group.rows]
        length = min(map(len, curves))
        mean = np.mean([curve[:length] for curve in curves], axis=0)
        axes.plot(np.arange(1, length + 1), mean, color=f"C{i % 10}", ls="-" if i < 10 else "--", label=group.model)
        lowest.append(mean.min())
        middle.append(mean[length // 10])
    axes.set_ylim(0.98 * min(lowest), max(middle))
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation loss, nats a step")
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return _save(figure, path)


def draw_histogram(groups: Sequence[Group], path: Path) -> Path:
    """Draw how often each number of dimensions is updated on the test pieces, over all seeds."""
    figure, every = plt.subplots(1, len(groups), figsize=(4 * len(groups), 3.2), layout="constrained", squeeze=False)
    for group, axes in zip(groups, every[0], strict=True):
        counts: dict[int, int] = {}
        for row in group.rows:
            for k, number in row["histogram"].items():
                counts[int(k)] = counts.get(int(k), 0) + number
        total = sum(counts.values())
        width = 0.8 * group.size / 8
        axes.bar(list(counts), [100 * number / total for number in counts.values()], width=width, color=BLUE)
        axes.set_title(f"{group.model}-{group.size}", loc="left", fontsize=10)
        axes.set_xlabel("updated dimensions k")
    every[0][0].set_ylabel("% of steps")
    return _save(figure, path)


def draw_piece(row: ResultRow, path: Path) -> Path:
    """Draw the notes of the first test piece, and the share that the gate updates at each step."""
    data = data_folder()
    roll = load_set(row["set"], data).test[0][:200]
    steps, keys = np.nonzero(roll)
    figure, (top, gate) = plt.subplots(2, 1, figsize=(10, 4.5), sharex=True, layout="constrained", height_ratios=(3, 2))
    top.scatter(steps, keys, marker="s", s=6, color=GREY, lw=0)
    top.set_ylabel("key")
    trace = np.array(row["trace"][: len(roll)])
    gate.bar(np.arange(len(trace)), 100 * trace / row["hidden"], width=1.0, color=BLUE)
    gate.set_ylabel("updated, %")
    gate.set_ylim(0, 100)
    gate.set_xlabel("frame")
    gate.margins(x=0)
    return _save(figure, path)


def _save(figure: Figure, path: Path) -> Path:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    return path
