"""Puts the words, tables and charts of a comparison into the page's template."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup

from vcedge.evaluation.metrics import segments
from vcedge.history.writer import iso_time
from vcedge.train.compare.charts import closer_chart, gate_chart, regime_chart, score_chart, shown_cases
from vcedge.train.compare.comparison import REGIMES, Comparison, Found
from vcedge.train.compare.methods import MAIN
from vcedge.train.compare.tables import cost_rows, cost_titles, detection_rows, detection_titles
from vcedge.train.compare.words import best_simple, delay_words, how_measured, lasting, subtitle, summary
from vcedge.train.report.figure import Chart
from vcedge.train.report.template import fill, resource
from vcedge.wording import count, duration, number, percent

PACKAGE = "vcedge.train.compare"
EVENTS_SHOWN = 40


@dataclass(frozen=True)
class EventRow:
    """One row of the table of events, ready to print."""

    recording: str
    begins: str
    lasts: str
    truth: str
    found: str
    missed: bool
    top: str


def render(comparison: Comparison) -> str:
    """The whole page as text."""
    shown = shown_cases(comparison)
    counted = comparison.main.energy_uj is not None
    return fill(
        "compare.html.j2",
        PACKAGE,
        asset=comparison.config.asset,
        css=Markup(resource("page.css") + resource("compare.css", PACKAGE)),  # noqa: S704  # files of this package
        subtitle=subtitle(comparison),
        tiles=_tiles(comparison),
        summary=summary(comparison),
        recordings=count(len(comparison.cases), "recording"),
        detection_heading=detection_titles(),
        detection=detection_rows(comparison),
        cost_heading=cost_titles(counted),
        costs=cost_rows(comparison),
        energy=_energy_words(counted),
        over_time=_over_time(comparison, shown),
        regimes=regime_chart(comparison),
        shares=_shares(comparison),
        events=[_event(found, comparison) for found in comparison.found[:EVENTS_SHOWN]],
        events_title=_events_title(comparison),
        events_caption=_events_caption(comparison),
        injected=any(found.truth for found in comparison.found),
        how=how_measured(comparison),
        origin=_origin(comparison),
    )


def _over_time(comparison: Comparison, shown: list[int]) -> list[Chart]:
    """Scores and gate of each recording side by side, then the closer looks."""
    wide = [chart(comparison, case) for case in shown for chart in (score_chart, gate_chart)]
    closer = (closer_chart(comparison, case) for case in shown)
    return [*wide, *(chart for chart in closer if chart is not None)]


def _tiles(comparison: Comparison) -> list[tuple[str, str, str]]:
    """The few numbers to remember: what, value, remark."""
    main, rival = comparison.main, best_simple(comparison)
    found = [one for one in comparison.found if one.real]
    hit = sum(one.delay_rows is not None for one in found)
    days = main.mean["normal_days"]
    expected = comparison.config.score.false_alarms_per_day * days
    remark = f"in {duration(86_400 * days)} of normal rows; {expected:.2g} expected"
    tiles = []
    if found:
        best = f"{rival.method.name}: {rival.mean['vus_pr']:.3f}"
        tiles.append(("VUS-PR", f"{main.mean['vus_pr']:.3f}", f"best simple detector, {best}"))
        delay = main.mean["delay_rows"]
        soon = "none in time" if math.isnan(delay) else f"median delay: {delay_words(comparison, delay)}"
        tiles.append(("Events found", f"{hit} of {len(found)}", soon))
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
        rows.append(("Updated share where something is wrong", percent(main.mean["updated_anomalous"])))
    dense = comparison.trained.detector.macs(comparison.trained.detector.hidden)
    return [*rows, ("Multiply-adds of a row, mean", number(main.macs)), ("With everything updated", number(dense))]


def _event(found: Found, comparison: Comparison) -> EventRow:
    case, (start, stop) = comparison.cases[found.case], found.rows
    late = "not found" if found.delay_rows is None else delay_words(comparison, found.delay_rows)
    return EventRow(
        recording=case.name,
        begins=iso_time(int(case.time_ns[start])).replace("T", " ").removesuffix("Z").partition(".")[0],
        lasts=lasting(comparison, stop - start),
        truth=found.truth,
        found=late if found.real else "false alarm",
        missed=found.delay_rows is None or not found.real,
        top=", ".join(f"{name} {percent(share)}" for name, share in found.top),
    )


def _events_title(comparison: Comparison) -> str:
    wrong = any(segments(case.labels) for case in comparison.cases)
    return "Which channels caused what" if wrong else "What was reported"


def _events_caption(comparison: Comparison) -> str:
    text = f"Causes are {MAIN}'s own, in the row of each event where its statistic peaks. Times are UTC."
    more = len(comparison.found) - EVENTS_SHOWN
    return f"{text} The first {EVENTS_SHOWN} of {len(comparison.found)}." if more > 0 else text


def _energy_words(counted: bool) -> str:
    if counted:
        return (
            "Energy is the processor package's own counter over half a second of each method; what else ran counts too."
        )
    return "This machine has no energy counter that can be read, so there is no estimate of energy."


def _origin(comparison: Comparison) -> str:
    made = comparison.trained.detector.provenance
    versions = [f"{name} {version}" for name, version in made.get("versions", {}).items()]
    return ", ".join([*versions, f"seed {comparison.config.train.seed}"])
