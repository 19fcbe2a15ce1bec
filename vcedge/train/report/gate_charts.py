"""Draws charts of the gate: when it opens and how far."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from vcedge.train.pipeline import Trained
from vcedge.train.report.figure import (
    COLOUR,
    Chart,
    LegendEntry,
    Role,
    filled,
    inline_svg,
    mark_target,
    panels,
    quantity,
    share_axis,
)
from vcedge.train.report.series import Stretches, liveliest, stretches, time_unit
from vcedge.train.summary import input_change
from vcedge.wording import percent

HEIGHT, TALL = 250, 340
CLOSER_ROWS = 300
FEW_LEVELS = 8
"""Most levels for which each bar has a number."""
TICKS = 8


def gate_chart(trained: Trained, target: float | None) -> Chart:
    """Draw the updated share over all of the recording, above the size of the input's change."""
    detector, trace = trained.detector, trained.device_trace
    unit, size = time_unit(len(trace.rows), detector.schema.period_ns)
    share = stretches(trace.updated / detector.hidden)
    change = stretches(input_change(trace, detector))
    tail = float(np.searchsorted(trace.rows, trained.split.tail[0][0]))
    legend = [LegendEntry("area", "measured", "updated share")]
    with panels("gate", TALL, 2) as (figure, (upper, lower)):
        _means(upper, share, size, "measured")
        _means(lower, change, size, "context")
        legend += mark_target(upper, target)
        legend.append(LegendEntry("area", "context", "change of the input"))
        for ax in (upper, lower):
            ax.axvline(tail * size, color=COLOUR["ink"], linewidth=1.0, dashes=(1, 2))
        legend.append(LegendEntry("dotted", "ink", "held-out rows begin"))
        _name_panels(upper, lower, f"{unit} of recording, gaps left out")
        each = percent(float(share.mean.min())), percent(float(share.mean.max()))
        description = f"Means of {len(share.mean)} stretches, between {each[0]} and {each[1]} updated."
        svg = inline_svg(figure, "gate", "Updated share and change of the input over the recording", description)
    caption = (
        "Where the change in the lower panel is large, the upper panel should be high: the network updates more when "
        "the machine changes. If the shares left and right of the dotted line differ, the held-out rows are another "
        "operating mode."
    )
    return Chart("Updated share and change of the input", caption, tuple(legend), svg)


def closer_chart(trained: Trained) -> Chart:
    """Draw updated share and change row by row, over the held-out stretch in which the input changes most."""
    detector = trained.detector
    trace = trained.device_trace.within(trained.split.tail)
    change = input_change(trace, detector)
    rows = liveliest(np.minimum(change, detector.features.clip), CLOSER_ROWS)
    count = rows.stop - rows.start
    unit, size = time_unit(count, detector.schema.period_ns)
    legend = (LegendEntry("area", "measured", "updated share"), LegendEntry("area", "context", "change of the input"))
    with panels("closer", TALL, 2) as (figure, (upper, lower)):
        _means(upper, stretches(trace.updated[rows] / detector.hidden, count), size, "measured")
        _means(lower, stretches(change[rows], count), size, "context")
        _name_panels(upper, lower, f"{unit}, from row {int(trace.rows[rows.start]):,}")
        description = (
            f"{count} rows; mean updated share {percent(float(trace.updated[rows].mean() / detector.hidden))}."
        )
        svg = inline_svg(figure, "closer", "Updated share and change of the input, row by row", description)
    caption = (
        f"The {count} liveliest held-out rows one by one. The upper panel should follow each step of the lower one and "
        "stay low on calm rows."
    )
    return Chart("A closer look", caption, legend, svg)


def level_chart(trained: Trained) -> Chart:
    """Draw how often each level was used on the held-out rows."""
    detector = trained.detector
    assert detector.cell is not None
    sizes = detector.cell.spec.boundaries
    updated = trained.device_trace.within(trained.split.tail).updated
    shares = np.array([float((updated == k).mean()) for k in sizes])
    with panels("levels", HEIGHT) as (figure, (ax,)):
        bars = ax.bar(np.arange(len(sizes)), shares, 0.8, color=COLOUR["measured"])
        if len(sizes) <= FEW_LEVELS:
            ax.bar_label(bars, [percent(share) for share in shares], padding=2, color=COLOUR["ink"], fontsize=10)
        shown = np.unique(np.linspace(0, len(sizes) - 1, min(len(sizes), TICKS)).round().astype(int))
        ax.set_xticks(shown, [str(sizes[i]) for i in shown])
        ax.margins(x=0.01)
        share_axis(ax, "share of the held-out rows")
        ax.set_xlabel(f"dimensions updated, of {detector.hidden}")
        description = "; ".join(f"{k}: {percent(share)}" for k, share in zip(sizes, shares, strict=True) if share > 0)
        svg = inline_svg(figure, "levels", "How often each level was used", f"Dimensions updated: {description}.")
    caption = (
        "A tall first bar and short others save work: most rows need few updates, few rows need all. A single bar "
        "means that the gate never changes."
    )
    return Chart("Updates a row", caption, (), svg)


def _means(ax: Axes, line: Stretches, size: float, role: Role) -> None:
    filled(ax, line.mean, line.edges * size, role)


def _name_panels(upper: Axes, lower: Axes, time: str) -> None:
    share_axis(upper)
    quantity(lower, "change since the last row; 1 = usual")
    lower.set_ylim(bottom=0)
    lower.set_xlabel(time)
