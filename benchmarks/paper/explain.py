"""Draws the three pictures of docs/variable-computation.md: weights of a step, the gate over time, cost of a step.

scripts/bench paper --pictures    the second and third from the results of vcgru-128 on Nottingham, seed 0
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.paper.experiments import Experiment, ResultStore
from benchmarks.paper.plots import BLUE, GREY, draw_piece
from benchmarks.paper.summary import ResultRow
from vcedge.errors import InputNotFound
from vcedge.train.schedule import mask_mode

HIDDEN, INPUTS, LEVELS = 128, 16, 8
SHOWN = Experiment("nottingham", "vcgru", HIDDEN, 0)


def draw_pictures(out: Path, images: Path) -> None:
    """Draw all three into a folder; InputNotFound if `SHOWN` is not measured yet."""
    row = ResultStore(out).get(SHOWN)
    if row is None:
        raise InputNotFound(f"{out}: no result of {SHOWN.model} on {SHOWN.set}; run scripts/bench paper first")
    _save(draw_step(), images / "variable-step.png")
    draw_piece(row, images / "variable-gate.png")
    _save(draw_cost(row), images / "variable-cost.png")


def draw_step() -> Figure:
    """Draw the weights that a step of k = 32 multiplies (left), and the mask in training and on the device (right)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=(3, 2))
    k = HIDDEN // 4
    for offset, width, name in ((0, INPUTS, "V"), (INPUTS + 8, HIDDEN, "U")):
        left.add_patch(Rectangle((offset, 0), width, HIDDEN, fc="#eceff3", ec=GREY))
        left.add_patch(Rectangle((offset, 0), INPUTS if name == "V" else k, k, fc=BLUE, ec=BLUE))
        left.text(offset + width / 2, -6, name, ha="center", fontsize=12)
    place = INPUTS + HIDDEN + 24
    left.add_patch(Rectangle((place, k), 8, HIDDEN - k, fc="#eceff3", ec=GREY))
    left.add_patch(Rectangle((place, 0), 8, k, fc=BLUE, ec=BLUE))
    left.text(place + 4, -6, "h", ha="center", fontsize=12)
    left.text(place + 14, k / 2, "updated", va="center", color=BLUE)
    left.text(place + 14, (HIDDEN + k) / 2, "keeps its bits", va="center", color=GREY)
    left.set_xlim(-4, place + 60)
    left.set_ylim(HIDDEN + 4, -16)
    left.set_aspect("equal")
    left.axis("off")
    left.set_title(
        f"a step with k = {k} of {HIDDEN}: {3 * k * (k + INPUTS):,} instead of {3 * HIDDEN * (HIDDEN + INPUTS):,} MACs",
        loc="left",
        fontsize=10,
    )
    share = np.linspace(0, 1, 501)
    middle = 3.5 / LEVELS
    for progress, name, colour in ((0.0, "start of training", "#b7cdea"), (0.5, "half-way", "#6d9bd6")):
        sharpness = mask_mode(progress, LEVELS).sharpness
        right.plot(share, 1 / (1 + np.exp(-sharpness * (share - middle))), color=colour, label=name)
    right.plot(share, share >= middle, color=BLUE, label="last third, and the device")
    right.set_xlabel("m, output of the scheduler")
    right.set_ylabel("mask of the fourth block")
    right.legend(frameon=False, fontsize=9)
    return figure


def draw_cost(row: ResultRow) -> Figure:
    """Draw the cost of a step of each k, and how often the trained gate chooses it."""
    hidden = row["hidden"]
    figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
    ks = np.array([int(k) for k in row["histogram"]])
    often = np.array(list(row["histogram"].values()), float)
    axes.bar(ks, 100 * often / often.sum(), width=0.7 * hidden / LEVELS, color="#b7cdea", label="% of the steps")
    every = np.arange(hidden + 1)
    axes.plot(every, 100 * (every / hidden) ** 2, color=BLUE, label="recurrent MACs, % of dense: (k/D)²")
    mean = 100 * row["test"]["square"]
    axes.axhline(mean, color=GREY, ls="--", lw=1)
    axes.text(hidden, mean, f"mean {mean:.0f}%", ha="right", va="bottom", color=GREY)
    axes.set_xlabel("updated dimensions k")
    axes.legend(frameon=False, loc="upper left")
    return figure


def _save(figure: Figure, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
