"""Fills the page's template with the texts, tables and charts of a comparison."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from vcedge.evaluation.vus import segments
from vcedge.train.compare.charts import closer_chart, gate_chart, regime_chart, score_chart, shown_cases
from vcedge.train.compare.comparison import REGIMES, Comparison, EventOutcome
from vcedge.train.compare.methods import MAIN
from vcedge.train.compare.summary_text import delay_text, how_measured, rows_text, subtitle, summary
from vcedge.train.compare.tables import DETECTION, cost_rows, cost_titles, detection_rows
from vcedge.train.compare.verdict import best_baseline, worth_of
from vcedge.train.report.figure import Chart
from vcedge.train.report.summary_text import origin_line
from vcedge.train.report.template import fill, resource
from vcedge.wording import count, duration, number, percent, utc_time

PACKAGE = "vcedge.train.compare"
EVENTS_SHOWN = 40


def render(comparison: Comparison) -> str:
    """Return the page as text."""
    shown = shown_cases(comparison)
    counted = comparison.main.energy_uj is not None
    return fill(
        "compare.html.j2",
        PACKAGE,
        asset=comparison.config.asset,
        css=Markup(resource("page.css") + resource("compare.css", PACKAGE)),  # noqa: S704  # files of this package
        subtitle=subtitle(comparison),
        worth=worth_of(comparison),
        tiles=_tiles(comparison),
        summary=summary(comparison),
        recordings=count(len(comparison.cases), "recording"),
        detection_heading=DETECTION,
        detection=detection_rows(comparison),
        cost_heading=cost_titles(energy=counted),
        costs=cost_rows(comparison),
        energy=_energy_words(counted=counted),
        over_time=_over_time(comparison, shown),
        regimes=regime_chart(comparison),
        shares=_shares(comparison),
        events=[_event(one, comparison) for one in comparison.outcomes[:EVENTS_SHOWN]],
        events_title=_events_title(comparison),
        events_caption=_events_caption(comparison),
        injected=any(one.truth for one in comparison.outcomes),
        how=how_measured(comparison),
        origin=origin_line(comparison.trained),
    )


def _over_time(comparison: Comparison, shown: list[int]) -> list[Chart]:
    """Return scores and gate of each recording side by side, then the closer looks."""
    wide = [chart(comparison, case) for case in shown for chart in (score_chart, gate_chart)]
    closer = (closer_chart(comparison, case) for case in shown)
    return [*wide, *(chart for chart in closer if chart is not None)]


def _tiles(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return the key figures as (title, value, remark)."""
    main, baseline = comparison.main, best_baseline(comparison)
    events = [one for one in comparison.outcomes if one.real]
    found = sum(one.delay_rows is not None for one in events)
    days = main.mean["normal_days"]
    expected = comparison.promised_per_day * days
    remark = f"in {duration(86_400 * days)} of normal rows; {expected:.2g} expected"
    tiles = []
    if events:
        best = f"{baseline.method.name}: {baseline.mean['vus_pr']:.3f}"
        tiles.append(("VUS-PR", f"{main.mean['vus_pr']:.3f}", f"best baseline, {best}"))
        delay = main.mean["delay_rows"]
        soon = "none found" if math.isnan(delay) else f"median delay: {delay_text(comparison, delay)}"
        tiles.append(("Events found", f"{found} of {len(events)}", soon))
    tiles.append(("False alarms", f"{main.mean['false_alarms']:.0f}", remark))
    target = f"target at most {percent(comparison.config.model.target)}"
    return [*tiles, ("Updated share", percent(main.mean["updated_normal"]), f"on normal rows; {target}")]


def _shares(comparison: Comparison) -> list[tuple[str, str]]:
    main = comparison.main
    rows = [
        (f"Updated share, {name} rows", percent(share))
        for name, share in zip(REGIMES, comparison.regimes[MAIN], strict=True)
        if not math.isnan(share)
    ]
    rows.append(("Updated share, all normal rows", percent(main.mean["updated_normal"])))
    if not math.isnan(main.mean["updated_anomalous"]):
        rows.append(("Updated share, anomalous rows", percent(main.mean["updated_anomalous"])))
    dense = comparison.trained.detector.macs(comparison.trained.detector.hidden)
    return [
        *rows,
        ("Multiply-adds a row, mean", number(main.macs)),
        ("Multiply-adds a row, all updated", number(dense)),
    ]


def _event(outcome: EventOutcome, comparison: Comparison) -> dict[str, Any]:
    case, (start, stop) = comparison.cases[outcome.case], outcome.rows
    late = "not found" if outcome.delay_rows is None else delay_text(comparison, outcome.delay_rows)
    return {
        "recording": case.name,
        "begins": utc_time(int(case.time_ns[start])),
        "lasts": rows_text(comparison, stop - start),
        "truth": outcome.truth,
        "found": late if outcome.real else "false alarm",
        "missed": outcome.delay_rows is None or not outcome.real,
        "top": ", ".join(f"{name} {percent(share)}" for name, share in outcome.top),
    }


def _events_title(comparison: Comparison) -> str:
    if any(segments(case.labels) for case in comparison.cases):
        return "Events and their channels"
    return "Reported events"


def _events_caption(comparison: Comparison) -> str:
    text = f"Channels are those of {MAIN}, on the row of each event where its statistic peaks. Times are UTC."
    total = len(comparison.outcomes)
    return f"{text} The table shows the first {EVENTS_SHOWN} of {total} events." if total > EVENTS_SHOWN else text


def _energy_words(*, counted: bool) -> str:
    if counted:
        return (
            "Energy is read from the processor package's counter over half a second of each method; it includes other "
            "programs that ran at the time."
        )
    return "Energy is not estimated: this machine has no readable energy counter."
