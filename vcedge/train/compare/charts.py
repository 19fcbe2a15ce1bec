"""Charts of a comparison: scores over time beside the truth, the gate under the signal, and updates by regime."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from vcedge.evaluation.metrics import segments
from vcedge.imputation import hold_last
from vcedge.schema import F64
from vcedge.train.compare.comparison import REGIMES, Comparison
from vcedge.train.compare.methods import MAIN, OFF
from vcedge.train.compare.words import best_simple, three
from vcedge.train.report.figure import (
    COLOUR,
    Chart,
    Key,
    Role,
    inline_svg,
    log_axis,
    mark_target,
    panels,
    percent_axis,
    quantity,
    style,
)
from vcedge.train.report.series import stretches, time_unit
from vcedge.wording import percent

HEIGHT, TALL = 250, 440
SHOWN = 3
"""Recordings that are drawn."""
NARROWEST = 250
"""An event is shaded for at least one such part of the chart: shorter could not be seen."""
AROUND, FAR = 150, 4
"""Rows shown before and after an event in the closer look, at least; recordings FAR times longer than it have one."""
LOWEST = 1e-4
"""Statistics are drawn down to this share of the threshold at most; usually their own calm level ends the axis."""


def shown_cases(comparison: Comparison) -> list[int]:
    """The recordings to draw: those with the most that is wrong in them, in their own order."""
    wrong = [len(segments(case.labels)) for case in comparison.cases]
    order = sorted(range(len(wrong)), key=lambda case: (-wrong[case], case))
    return sorted(order[:SHOWN])


def score_chart(comparison: Comparison, case: int) -> Chart:
    """Statistics of the detector, of the detector without its network and of the best simple detector."""
    rivals = [comparison.main, comparison.of(OFF), best_simple(comparison)]
    unit, size = _unit(comparison, case)
    keys = (
        Key("area", "measured", "largest value of a stretch"),
        Key("dashed", "limit", "threshold"),
        Key("area", "context", truth_words(comparison)),
    )
    with style(f"scores{case}"):
        figure, axes = panels(TALL, len(rivals))
        ratios = [one.scored[case].raw / one.method.threshold for one in rivals]
        top = max(2.0, *(float(ratio.max()) for ratio in ratios)) * 1.2
        low = max(min(0.2, *(float(np.quantile(ratio, 0.05)) / 2 for ratio in ratios)), LOWEST)
        for ax, one, ratio in zip(axes, rivals, ratios, strict=True):
            _shade(ax, comparison, case, size)
            line = stretches(np.clip(ratio, low, top))
            ax.stairs(line.high, line.edges * size, baseline=low, fill=True, color=COLOUR["measured"], linewidth=0)
            ax.axhline(1, color=COLOUR["limit"], dashes=(5, 3))
            log_axis(ax, "y", low, top)
            quantity(ax, one.method.name)
        axes[-1].set_xlabel(unit)
        words = "; ".join(f"{one.method.name} VUS-PR {three(one.each[case]['vus_pr'])}" for one in rivals)
        svg = inline_svg(figure, f"scores{case}", "Statistics over time beside the truth", words)
    caption = (
        "Each statistic over its own threshold, on a logarithmic scale. It should leave the ground within the shaded "
        "stretches and nowhere else, and above the dashed line it raises an alarm."
    )
    return Chart(f"{comparison.cases[case].name}: scores", caption, keys, svg)


def gate_chart(comparison: Comparison, case: int) -> Chart:
    """The updated share under the signal that moves most where something is wrong."""
    unit, size = _unit(comparison, case)
    channel = _telling_channel(comparison, case)
    name, z = comparison.trained.detector.schema.names[channel], _in_deviations(comparison, case, channel)
    share = stretches(comparison.main.scored[case].share)
    keys = [
        Key("area", "measured", "updated share, mean of a stretch"),
        Key("line", "ink", f"{name}, smallest to largest"),
        Key("area", "context", truth_words(comparison)),
    ]
    with style(f"gate{case}"):
        figure, (upper, lower) = panels(TALL, 2)
        for ax in (upper, lower):
            _shade(ax, comparison, case, size)
        line = stretches(_held(z))
        middle = (line.edges[1:] + line.edges[:-1]) / 2 * size
        upper.fill_between(middle, line.low, line.high, color=COLOUR["ink"], linewidth=0.8, alpha=0.75)
        quantity(upper, f"{name}, in standard deviations")
        lower.stairs(share.mean, share.edges * size, fill=True, color=COLOUR["measured"], linewidth=0)
        percent_axis(lower)
        keys += mark_target(lower, comparison.config.model.target)
        quantity(lower, "updated share of the hidden state")
        lower.set_xlabel(unit)
        words = f"Mean updated share {percent(float(np.nanmean(comparison.main.scored[case].share)))}."
        svg = inline_svg(figure, f"gate{case}", "Opening of the gate under the signal", words)
    caption = (
        f"Above, {name}, the channel that says most of what is wrong here; below, how far the gate opens. Work should "
        "follow what happens: much of it where the signal moves or something is wrong, little where all is calm."
    )
    return Chart(f"{comparison.cases[case].name}: the gate", caption, tuple(keys), svg)


def closer_chart(comparison: Comparison, case: int) -> Chart | None:
    """Signal, statistic and gate row by row around the shortest event found; None where the recording is short."""
    events = [one for one in comparison.found if one.case == case and one.real and one.delay_rows is not None]
    rows = len(comparison.cases[case].values)
    if not events:
        return None
    event = min(events, key=lambda one: one.rows[1] - one.rows[0])
    start, stop = event.rows
    margin = max(AROUND, stop - start)
    first, last = max(start - margin, 0), min(stop + margin, rows)
    if rows < FAR * (last - first):
        return None
    names, scored = comparison.trained.detector.schema.names, comparison.main.scored[case]
    name = event.top[0][0] if event.top else names[0]
    ratio = np.maximum(scored.raw[first:last] / comparison.main.method.threshold, LOWEST)
    unit, size = time_unit(last - first, comparison.trained.detector.schema.period_ns)
    with style(f"closer{case}"):
        figure, (signal, statistic, gate) = panels(TALL, 3)
        for ax in (signal, statistic, gate):
            ax.axvspan((start - first) * size, (stop - first) * size, color=COLOUR["context"], alpha=0.3, linewidth=0)
        edges = np.arange(last - first + 1) * size
        values = _held(_in_deviations(comparison, case, names.index(name))[first:last])
        signal.plot(edges[:-1], values, color=COLOUR["ink"], linewidth=1.2)
        quantity(signal, f"{name}, in standard deviations")
        low = float(ratio.min()) / 2
        statistic.stairs(ratio, edges, baseline=low, fill=True, color=COLOUR["measured"], linewidth=0)
        statistic.axhline(1, color=COLOUR["limit"], dashes=(5, 3))
        log_axis(statistic, "y", low, max(2.0, float(ratio.max())) * 1.2)
        quantity(statistic, "statistic over its threshold")
        gate.stairs(scored.share[first:last], edges, fill=True, color=COLOUR["measured"], linewidth=0)
        percent_axis(gate)
        quantity(gate, "updated share of the hidden state")
        gate.set_xlabel(f"{unit}, from row {first:,}")
        words = f"Found {event.delay_rows} rows after its start; {name} has the largest part."
        svg = inline_svg(figure, f"closer{case}", "One event row by row", words)
    keys = (
        Key("area", "measured", MAIN),
        Key("dashed", "limit", "threshold"),
        Key("line", "ink", name),
        Key("area", "context", truth_words(comparison)),
    )
    caption = (
        "The shortest event that was found: the channel that says most of it, the statistic on a logarithmic "
        "scale, and how far the gate opens."
    )
    return Chart(f"{comparison.cases[case].name}: a closer look", caption, keys, svg)


def regime_chart(comparison: Comparison) -> Chart:
    """Updated share where the input changes little, as usual and much."""
    shares = np.array(comparison.regimes[MAIN])
    with style("regimes"):
        figure, (ax,) = panels(HEIGHT)
        ax.bar(np.arange(len(REGIMES)), np.nan_to_num(shares), 0.6, color=COLOUR["measured"])
        named = [f"{name}: {percent(s)}" for name, s in zip(REGIMES, np.nan_to_num(shares), strict=True)]
        ax.set_xticks(np.arange(len(REGIMES)), named)
        ax.margins(x=0.05)
        percent_axis(ax)
        keys = (Key("area", "measured", MAIN), *mark_target(ax, comparison.config.model.target))
        quantity(ax, "updated share of the hidden state")
        ax.set_xlabel("normal rows in thirds, by how much the input changes")
        svg = inline_svg(figure, "regimes", "Updated share by regime", "; ".join(named))
    caption = (
        "A gate that has learnt when to work has rising bars. A dense GRU or RNN updates everything on every row: its "
        "bars would all be 100%."
    )
    return Chart("Updates by regime", caption, keys, svg)


def truth_words(comparison: Comparison) -> str:
    """What the shaded stretches are."""
    return "labelled as wrong" if comparison.labelled else "injected fault"


def _telling_channel(comparison: Comparison, case: int) -> int:
    """The channel with the largest part in the statistic where something is wrong, or anywhere."""
    parts, labels = comparison.main.scored[case].contributions, comparison.cases[case].labels
    assert parts is not None
    chosen = parts[labels] if labels.any() else parts
    share = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-12)
    return int(share.mean(axis=0).argmax())


def _in_deviations(comparison: Comparison, case: int, channel: int) -> F64:
    """One channel (N,) of a recording, standardised as the detector does it, not clipped."""
    features = comparison.trained.detector.features
    values = comparison.cases[case].values[:, channel]
    return np.asarray((values - features.center[channel]) / features.scale[channel])


def _shade(ax: Axes, comparison: Comparison, case: int, size: float) -> None:
    role: Role = "context"
    labels = comparison.cases[case].labels
    least = len(labels) / NARROWEST
    for start, stop in segments(labels):
        more = max(least - (stop - start), 0) / 2
        ax.axvspan((start - more) * size, (stop + more) * size, color=COLOUR[role], alpha=0.3, linewidth=0)


def _unit(comparison: Comparison, case: int) -> tuple[str, float]:
    rows = len(comparison.cases[case].values)
    unit, size = time_unit(rows, comparison.trained.detector.schema.period_ns)
    return f"{unit} of recording, gaps left out", size


def _held(values: F64) -> F64:
    """Missing values hold the last one, so that stretches have extremes; 0 before any."""
    return hold_last(values, ~np.isfinite(values), 0.0)
