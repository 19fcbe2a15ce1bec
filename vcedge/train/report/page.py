"""Fills the page's template with texts, tables and charts; the template escapes all text."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from vcedge.history import DataReport
from vcedge.train.pipeline import Trained
from vcedge.train.report.alarm_charts import spread_chart, statistic_chart
from vcedge.train.report.choice_text import order_section, regime_section, score_section
from vcedge.train.report.figure import Chart
from vcedge.train.report.gate_charts import closer_chart, gate_chart, level_chart
from vcedge.train.report.sensitivity_charts import map_chart
from vcedge.train.report.sensitivity_text import MEANINGS, TITLES, examples, name_rows, table
from vcedge.train.report.summary_text import model_line, origin_line, summary, target_share
from vcedge.train.report.template import fill, resource
from vcedge.train.report.training_charts import loss_chart, share_chart
from vcedge.wording import alarm_rate, count, number, percent

BAR_LEAST = 0.1
"""Least share that the full width of a bar stands for, so that a gain of one or two per cent looks small."""


def render(trained: Trained, metrics: dict[str, Any], recording_report: DataReport) -> str:
    """Return the page as text."""
    return fill(
        "page.html.j2",
        asset=trained.detector.asset,
        model=model_line(trained),
        css=Markup(resource("page.css")),  # noqa: S704  # a file of this package
        verdict=metrics["verdict"],
        tiles=_tiles(trained, metrics),
        summary=summary(trained, metrics),
        training=_training_charts(trained),
        gate=_gate_charts(trained),
        regimes=regime_section(metrics["regimes"]),
        score=score_section(trained.finished),
        order=order_section(trained),
        alarm=[spread_chart(trained), statistic_chart(trained)],
        sensitivity=_sensitivity(trained),
        shares=_shares(trained, metrics),
        channels=_channel_rows(metrics["channels"]),
        data=recording_report.lines(),
        origin=origin_line(trained),
    )


def _training_charts(trained: Trained) -> list[Chart]:
    if not trained.result.epochs:
        return []
    gated = trained.detector.levels > 1
    return [loss_chart(trained), *([share_chart(trained, target_share(trained))] if gated else [])]


def _gate_charts(trained: Trained) -> list[Chart]:
    if trained.detector.levels == 1:
        return []
    return [gate_chart(trained, target_share(trained)), closer_chart(trained), level_chart(trained)]


def _sensitivity(trained: Trained) -> dict[str, Any] | None:
    """Return chart, examples and table of the faults found, or None if they were not measured."""
    if trained.sensitivity is None:
        return None
    return {
        "chart": map_chart(trained.sensitivity),
        "examples": examples(trained.sensitivity),
        "kinds": TITLES.values(),
        "meanings": [(TITLES[kind], meaning) for kind, meaning in MEANINGS.items()],
        "rows": table(trained.sensitivity),
        "names": [] if trained.recognition is None else name_rows(trained.recognition),
    }


def _tiles(trained: Trained, metrics: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the key figures as (title, value, remark)."""
    channels, limits = metrics["channels"], metrics["calibration"]
    helped = sum(channel["shrink"] > 0 for channel in channels)
    tiles = [("Rows", f"{sum(metrics['rows'].values()):,}", count(len(channels), "channel"))]
    if trained.detector.cell is not None:
        remark = "channels where it forecasts better" if helped else "the network adds nothing"
        tiles.append(("Network helps on", f"{helped} of {len(channels)}", remark))
    target = target_share(trained)
    if trained.detector.levels > 1:
        remark = (
            "on held-out normal rows" if target is None else f"of the hidden state; target at most {percent(target)}"
        )
        tiles.append(("Updated share", percent(metrics["updated_share"]["tail"]), remark))
    remark = f"for about {alarm_rate(limits['false_alarms_per_day'])}"
    return [*tiles, ("Threshold", number(limits["threshold"]), remark)]


def _shares(trained: Trained, metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers of the gate as (name, value), empty without a gate."""
    if trained.detector.levels == 1:
        return []
    share, macs, target = metrics["updated_share"], metrics["macs"], target_share(trained)
    together = metrics["change_correlation"]
    moves = "none: the gate or the input is constant" if together is None else f"{together:.2f}"
    return [
        ("Updated share, held-out rows", percent(share["tail"])),
        *([("Target, at most", percent(target))] if target is not None else []),
        ("Multiply-adds a row, mean", number(macs["mean"])),
        ("Multiply-adds a row, all updated", number(macs["dense"])),
        ("Correlation with the input's change", moves),
    ]


def _channel_rows(channels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    explained = [float(channel["explained_by_network"]) for channel in channels]
    full = max([BAR_LEAST, *(value for value in explained if math.isfinite(value))])
    return [
        {
            "name": channel["name"],
            "unit": channel["unit"],
            "highway": number(channel["highway_rmse"]),
            "combined": number(channel["combined_rmse"]),
            "explained": "adds nothing" if channel["shrink"] == 0 else percent(value),
            "bar": round(100 * min(max(value, 0.0) / full, 1.0), 1),
            "idle": channel["shrink"] == 0,
            "missing": percent(channel["missing"]),
        }
        for channel, value in zip(channels, explained, strict=True)
    ]
