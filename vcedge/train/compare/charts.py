"""Draws charts of a comparison: scores beside the truth, the gate beside the signal, updates by regime."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from vcedge.evaluation.vus import segments
from vcedge.imputation import hold_last
from vcedge.schema import F64
from vcedge.train.compare.comparison import REGIMES, Comparison, EventOutcome
from vcedge.train.compare.methods import MAIN, OFF
from vcedge.train.compare.summary_text import measure_text
from vcedge.train.compare.verdict import best_baseline
from vcedge.train.report.figure import (
    COLOUR,
    Chart,
    LegendEntry,
    filled,
    inline_svg,
    log_axis,
    mark_target,
    panels,
    quantity,
    share_axis,
)
from vcedge.train.report.series import stretches, time_unit
from vcedge.wording import percent

HEIGHT, TALL = 250, 440
SHOWN = 3
"""Most recordings that are drawn."""
NARROWEST = 250
"""An event is shaded over at least 1/NARROWEST of the chart, so that it is visible."""
AROUND, FAR = 150, 4
"""Least rows shown before and after an event in the closer look, and least length of the recording in such views."""
LOWEST, HIGHEST = 1e-4, 1e6
"""Range of the statistic that is drawn, relative to the threshold; the axis ends higher if calm rows are higher."""


def shown_cases(comparison: Comparison) -> list[int]:
    """Return the recordings to draw: those with the most events, in their own order."""
    events = [len(segments(case.labels)) for case in comparison.cases]
    order = sorted(range(len(events)), key=lambda case: (-events[case], case))
    return sorted(order[:SHOWN])


def score_chart(comparison: Comparison, case: int) -> Chart:
    """Draw the statistics of the detector, of the detector without its network, and of the best baseline."""
    shown = [comparison.main, comparison.of(OFF), best_baseline(comparison)]
    unit, size = _unit(comparison, case)
    legend = (
        LegendEntry("area", "measured", "largest value of a stretch"),
        LegendEntry("dashed", "limit", "threshold"),
        LegendEntry("area", "context", truth_label(comparison)),
    )
    with panels(f"scores{case}", TALL, len(shown)) as (figure, axes):
        ratios = [np.minimum(one.scores[case].ratio, HIGHEST) for one in shown]
        top = max(2.0, *(float(ratio.max()) for ratio in ratios)) * 1.2
        low = max(min(0.2, *(float(np.quantile(ratio, 0.05)) / 2 for ratio in ratios)), LOWEST)
        for ax, one, ratio in zip(axes, shown, ratios, strict=True):
            _shade(ax, comparison, case, size)
            line = stretches(np.clip(ratio, low, top))
            filled(ax, line.high, line.edges * size, "measured", baseline=low)
            ax.axhline(1, color=COLOUR["limit"], dashes=(5, 3))
            log_axis(ax, "y", low, top)
            quantity(ax, one.method.name)
        axes[-1].set_xlabel(unit)
        description = "; ".join(f"{one.method.name} VUS-PR {measure_text(one.each[case]['vus_pr'])}" for one in shown)
        svg = inline_svg(figure, f"scores{case}", "Statistics over time beside the truth", description)
    caption = (
        "Each statistic relative to its own threshold, on a logarithmic scale: a nat is a factor of e. It should rise "
        "within the shaded stretches and nowhere else; above the dashed line it raises an alarm."
    )
    return Chart(f"{comparison.cases[case].name}: scores", caption, legend, svg)


def gate_chart(comparison: Comparison, case: int) -> Chart:
    """Draw the updated share below the channel with the largest share of the statistic during events."""
    unit, size = _unit(comparison, case)
    channel = _telling_channel(comparison, case)
    name, z = comparison.trained.detector.schema.names[channel], _in_deviations(comparison, case, channel)
    share = stretches(comparison.main.scores[case].share)
    legend = [
        LegendEntry("area", "measured", "updated share, mean of a stretch"),
        LegendEntry("line", "ink", f"{name}, smallest to largest"),
        LegendEntry("area", "context", truth_label(comparison)),
    ]
    with panels(f"gate{case}", TALL, 2) as (figure, (upper, lower)):
        for ax in (upper, lower):
            _shade(ax, comparison, case, size)
        line = stretches(z)
        middle = (line.edges[1:] + line.edges[:-1]) / 2 * size
        upper.fill_between(middle, line.low, line.high, color=COLOUR["ink"], linewidth=0.8, alpha=0.75)
        quantity(upper, f"{name}, in standard deviations")
        filled(lower, share.mean, share.edges * size, "measured")
        share_axis(lower)
        legend += mark_target(lower, comparison.config.model.target)
        lower.set_xlabel(unit)
        description = f"Mean updated share {percent(float(np.nanmean(comparison.main.scores[case].share)))}."
        svg = inline_svg(figure, f"gate{case}", "Opening of the gate under the signal", description)
    caption = (
        f"Above: {name}, the channel with the largest share of the statistic during events. Below: how far the gate "
        "opens. It should open where the signal moves or an event lasts, and stay nearly shut on calm rows."
    )
    return Chart(f"{comparison.cases[case].name}: the gate", caption, tuple(legend), svg)


def closer_chart(comparison: Comparison, case: int) -> Chart | None:
    """Draw signal, statistic and gate row by row around the shortest event found.

    The result is None if no event was found, or if the recording is not much longer than the event.
    """
    events = [one for one in comparison.outcomes if one.case == case and one.real and one.delay_rows is not None]
    if not events:
        return None
    event = min(events, key=lambda one: one.rows[1] - one.rows[0])
    start, stop = event.rows
    margin, rows = max(AROUND, stop - start), len(comparison.cases[case].values)
    shown = slice(max(start - margin, 0), min(stop + margin, rows))
    if rows < FAR * (shown.stop - shown.start):
        return None
    names = comparison.trained.detector.schema.names
    name = event.top[0][0] if event.top else names[0]
    with panels(f"closer{case}", TALL, 3) as (figure, axes):
        _draw_closer(axes, comparison, event, names.index(name), shown)
        description = f"Found {event.delay_rows} rows after its start; {name} has the largest share."
        svg = inline_svg(figure, f"closer{case}", "One event row by row", description)
    legend = (
        LegendEntry("area", "measured", MAIN),
        LegendEntry("dashed", "limit", "threshold"),
        LegendEntry("line", "ink", name),
        LegendEntry("area", "context", truth_label(comparison)),
    )
    caption = (
        "The shortest event that was found: the channel with the largest share of the statistic, the statistic on a "
        "logarithmic scale, and how far the gate opens."
    )
    return Chart(f"{comparison.cases[case].name}: a closer look", caption, legend, svg)


def _draw_closer(axes: list[Axes], comparison: Comparison, event: EventOutcome, channel: int, shown: slice) -> None:
    schema, scores = comparison.trained.detector.schema, comparison.main.scores[event.case]
    ratio = np.clip(scores.ratio[shown], LOWEST, HIGHEST)
    unit, size = time_unit(len(ratio), schema.period_ns)
    for ax in axes:
        start, stop = ((row - shown.start) * size for row in event.rows)
        ax.axvspan(start, stop, color=COLOUR["context"], alpha=0.3, linewidth=0)
    signal, statistic, gate = axes
    edges = np.arange(len(ratio) + 1) * size
    signal.plot(edges[:-1], _in_deviations(comparison, event.case, channel)[shown], color=COLOUR["ink"], linewidth=1.2)
    quantity(signal, f"{schema.names[channel]}, in standard deviations")
    low = float(ratio.min()) / 2
    filled(statistic, ratio, edges, "measured", baseline=low)
    statistic.axhline(1, color=COLOUR["limit"], dashes=(5, 3))
    log_axis(statistic, "y", low, max(2.0, float(ratio.max())) * 1.2)
    quantity(statistic, "statistic relative to its threshold")
    filled(gate, scores.share[shown], edges, "measured")
    share_axis(gate)
    gate.set_xlabel(f"{unit}, from row {shown.start:,}")


def regime_chart(comparison: Comparison) -> Chart:
    """Draw the updated share in each of REGIMES."""
    shares = np.array(comparison.regimes[MAIN])
    with panels("regimes", HEIGHT) as (figure, (ax,)):
        ax.bar(np.arange(len(REGIMES)), np.nan_to_num(shares), 0.6, color=COLOUR["measured"])
        named = [f"{name}: {percent(s)}" for name, s in zip(REGIMES, np.nan_to_num(shares), strict=True)]
        ax.set_xticks(np.arange(len(REGIMES)), named)
        ax.margins(x=0.05)
        share_axis(ax)
        legend = (LegendEntry("area", "measured", MAIN), *mark_target(ax, comparison.config.model.target))
        ax.set_xlabel("normal rows in thirds, by how much the input changes")
        svg = inline_svg(figure, "regimes", "Updated share by regime", "; ".join(named))
    caption = (
        "If the gate follows the input, the bars rise. A dense GRU or RNN updates everything on every row: all its "
        "bars would be 100%."
    )
    return Chart("Updates by regime", caption, legend, svg)


def truth_label(comparison: Comparison) -> str:
    """Return the name of the shaded stretches for the legend."""
    return "labelled as anomalous" if comparison.labelled else "injected fault"


def _telling_channel(comparison: Comparison, case: int) -> int:
    """Return the channel with the largest share of the statistic during events, or overall if there are none."""
    decisions, labels = comparison.main.scores[case].stream, comparison.cases[case].labels
    assert decisions is not None
    parts = decisions.contributions
    chosen = parts[labels] if labels.any() else parts
    share = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-12)
    return int(share.mean(axis=0).argmax())


def _in_deviations(comparison: Comparison, case: int, channel: int) -> F64:
    """Return one channel (N,), standardised as in the detector but not clipped; missing values hold the last one."""
    features = comparison.trained.detector.features
    values = comparison.cases[case].values[:, channel]
    return hold_last((values - features.center[channel]) / features.scale[channel], ~np.isfinite(values), 0.0)


def _shade(ax: Axes, comparison: Comparison, case: int, size: float) -> None:
    labels = comparison.cases[case].labels
    least = len(labels) / NARROWEST
    for start, stop in segments(labels):
        more = max(least - (stop - start), 0) / 2
        ax.axvspan((start - more) * size, (stop + more) * size, color=COLOUR["context"], alpha=0.3, linewidth=0)


def _unit(comparison: Comparison, case: int) -> tuple[str, float]:
    rows = len(comparison.cases[case].values)
    unit, size = time_unit(rows, comparison.trained.detector.schema.period_ns)
    return f"{unit} of recording, gaps left out", size
