"""Draws charts of the statistic that alarms are decided on, beside its threshold."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from vcedge.schema import F64
from vcedge.train.pipeline import Trained
from vcedge.train.report.figure import COLOUR, Chart, LegendEntry, inline_svg, panels, quantity
from vcedge.train.report.series import stretches, time_unit
from vcedge.wording import number, percent

HEIGHT = 250


def spread_chart(trained: Trained) -> Chart:
    """Draw the distribution of the statistic on the held-out rows, on which the threshold was measured."""
    detector = trained.detector
    raw = _settled_raw(trained)
    limit = detector.calibration.threshold
    low, high = _range(raw, limit)
    edges = np.linspace(low, high, 49)
    counts = np.histogram(np.clip(raw, low, high), edges)[0] / len(raw)
    legend = (
        LegendEntry("area", "measured", "held-out rows"),
        LegendEntry("dashed", "limit", f"threshold, {number(limit)}"),
    )
    with panels("spread", HEIGHT) as (figure, (ax,)):
        ax.stairs(counts, edges, fill=True, color=COLOUR["measured"])
        ax.axvline(limit, color=COLOUR["limit"], dashes=(5, 3))
        ax.set_xlim(low, high)
        ax.set_ylim(0, max(float(counts.max()) * 1.1, 1e-3))
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
        quantity(ax, "share of the held-out rows")
        ax.set_xlabel("statistic raw (nats)")
        above = percent(float((raw > limit).mean()))
        description = (
            f"Median {number(float(np.median(raw)))}, threshold {number(limit)}, above it {above} of the rows."
        )
        svg = inline_svg(figure, "spread", "Distribution of the statistic on the held-out rows", description)
    caption = (
        "Normal rows should form one peak well to the left of the threshold. A second peak close to it is an operating "
        "mode of which the recording holds too few rows: it will raise false alarms. In this section the rows are "
        "scored by a model that was not fitted on them, with its own threshold."
    )
    return Chart("Distance of normal rows from an alarm", caption, legend, svg)


def statistic_chart(trained: Trained) -> Chart:
    """Draw the statistic over the held-out rows."""
    detector = trained.detector
    trace = trained.device_trace.within(trained.split.tail)
    limit = detector.calibration.threshold
    low, high = _range(_settled_raw(trained), limit)
    unit, size = time_unit(len(trace.rows), detector.schema.period_ns)
    line = stretches(np.clip(trace.raw, low, high))
    legend = (
        LegendEntry("line", "measured", "mean of a stretch"),
        LegendEntry("area", "context", "smallest to largest value"),
        LegendEntry("dashed", "limit", f"threshold, {number(limit)}"),
    )
    with panels("statistic", HEIGHT) as (figure, (ax,)):
        middle = (line.edges[1:] + line.edges[:-1]) / 2 * size
        ax.fill_between(middle, line.low, line.high, color=COLOUR["context"], alpha=0.45, linewidth=0)
        ax.plot(middle, line.mean, color=COLOUR["measured"])
        ax.axhline(limit, color=COLOUR["limit"], dashes=(5, 3))
        ax.set_ylim(low, high)
        quantity(ax, "statistic raw (nats)")
        ax.set_xlabel(f"{unit} of held-out rows")
        description = f"Largest value {number(float(trace.raw.max()))}, threshold {number(limit)}."
        svg = inline_svg(figure, "statistic", "The statistic over the held-out rows", description)
    caption = (
        "The statistic should vary without a trend and stay below the threshold. An upward trend means that the "
        "machine was already changing at the end of the recording."
    )
    return Chart("The statistic over time", caption, legend, svg)


def _settled_raw(trained: Trained) -> F64:
    """Return the statistic of the held-out rows after the warm-up, or of all of them if none are after it."""
    trace = trained.device_trace.within(trained.split.tail)
    kept = trace.raw[trace.since >= trained.detector.calibration.warmup_rows]
    return kept if len(kept) else trace.raw


def _range(raw: F64, limit: float) -> tuple[float, float]:
    """Return the limits of an axis for the statistic and its threshold."""
    low, high = float(np.quantile(raw, 0.001)), max(float(raw.max()), limit)
    margin = 0.05 * max(high - low, 1.0)
    return low - margin, high + margin
