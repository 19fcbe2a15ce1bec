"""The comparison in plain words: what the numbers say, and what they do not."""

from __future__ import annotations

import math

from vcedge.evaluation.metrics import segments
from vcedge.schema import NS_PER_S
from vcedge.train.compare.comparison import Comparison, Result
from vcedge.train.compare.methods import MAIN, OFF, SAME_COST, SAME_SIZE
from vcedge.train.compare.summary import truth_of
from vcedge.train.report.words import Paragraph
from vcedge.wording import DAY_S, count, duration, number, percent

NOISE = 0.01
"""Differences of VUS-PR below this are within what another seed of the training changes."""
TRIVIAL = ("random", "all ones")
DASH = "–"


def best_simple(comparison: Comparison) -> Result:
    """The simple detector with the highest VUS-PR; the first where none was measured."""
    simple = [
        one for one in comparison.results if not one.method.hidden and one.method.name not in (OFF, MAIN, *TRIVIAL)
    ]
    return max(simple, key=lambda one: -1.0 if math.isnan(one.mean["vus_pr"]) else one.mean["vus_pr"])


def summary(comparison: Comparison) -> list[Paragraph]:
    """The whole page in a few paragraphs."""
    return [
        Paragraph("What was compared", _compared(comparison)),
        Paragraph("What is found", _found(comparison)),
        Paragraph("What the network is worth here", _network(comparison)),
        Paragraph("What it costs", _cost(comparison)),
        Paragraph("Is the promise kept?", _promise(comparison)),
    ]


def subtitle(comparison: Comparison) -> str:
    """One line on what was tested."""
    rows = sum(len(case.values) for case in comparison.cases)
    channels = count(comparison.trained.detector.channels, "channel")
    return f"{count(len(comparison.results), 'method')} on {count(rows, 'test row')} of {channels}"


def _compared(comparison: Comparison) -> str:
    events = sum(len(segments(case.labels)) for case in comparison.cases)
    names = count(len(comparison.cases), "test recording")
    truth = {
        "labels": f"The truth is the column {comparison.config.data.label!r}: {count(events, 'event')}.",
        "injected faults": (
            f"There are no labels: {count(events, 'fault')} of ten kinds were put into copies of normal rows, in "
            "lengths and sizes that belong to this plant. Real faults are less tidy: take the order of the methods "
            "from it rather than the numbers."
        ),
        "none": "There is nothing wrong in the test rows: only false alarms can be counted.",
    }[truth_of(comparison)]
    return (
        f"All methods learnt from the same rows, got their threshold from the same held-out rows by the same rule, and "
        f"were tested on {names} that none has seen. {truth} One seed was trained: differences in VUS-PR of less than "
        f"about {NOISE:g} say nothing."
    )


def _found(comparison: Comparison) -> str:
    main, rival, random = comparison.main, best_simple(comparison), comparison.of("random")
    if math.isnan(main.mean["vus_pr"]):
        return "Nothing is wrong in the test rows, so nothing could be found."
    difference = main.mean["vus_pr"] - rival.mean["vus_pr"]
    verdict = "level with" if abs(difference) < NOISE else "ahead of" if difference > 0 else "behind"
    delay = main.mean["delay_rows"]
    soon = "" if math.isnan(delay) else f" (median delay: {delay_words(comparison, delay)})"
    return (
        f"{MAIN} reaches a VUS-PR of {main.mean['vus_pr']:.3f} (random scores {random.mean['vus_pr']:.3f}). That is "
        f"{verdict} the best simple detector here, {rival.method.name}, with {rival.mean['vus_pr']:.3f}. At its "
        f"threshold it finds {percent(main.mean['event_recall'])} of the events{soon}; {rival.method.name} finds "
        f"{percent(rival.mean['event_recall'])}."
    )


def _network(comparison: Comparison) -> str:
    main, off = comparison.main.mean["vus_pr"], comparison.of(OFF).mean["vus_pr"]
    if math.isnan(main):
        return "Without anything to find it cannot be told."
    gain = main - off
    if gain > NOISE:
        return f"Switched off, the same scorer reaches {off:.3f}: the network adds {gain:.3f}."
    if gain < -NOISE:
        return (
            f"Switched off, the same scorer reaches {off:.3f}, which is {-gain:.3f} more: here the network does harm, "
            "and the linear forecaster alone is the better detector."
        )
    return (
        f"Switched off, the same scorer reaches {off:.3f}: the detection here is the linear forecaster's and the "
        "scorer's, and the network adds nothing that can be told from chance."
    )


def _cost(comparison: Comparison) -> str:
    main, dense = comparison.main, comparison.of(SAME_SIZE)
    small = next(one for one in comparison.results if one.method.name.startswith(SAME_COST))
    text = (
        f"On normal rows {percent(main.mean['updated_normal'])} of the {main.method.hidden} hidden dimensions are "
        f"updated. A row costs {number(main.macs)} multiply-adds, the GRU of the same size {number(dense.macs)}"
    )
    if not math.isnan(main.mean["vus_pr"]):
        text += (
            f" (VUS-PR {dense.mean['vus_pr']:.3f}), and a dense GRU of the same cost has {small.method.hidden} "
            f"dimensions ({small.mean['vus_pr']:.3f})"
        )
    return text + (
        f". In time on this machine that is {microseconds(main.us)} against {microseconds(dense.us)} µs: at small "
        "sizes the call decides, not the arithmetic."
    )


def _promise(comparison: Comparison) -> str:
    main, rate = comparison.main.mean, comparison.config.score.false_alarms_per_day
    days = main["normal_days"]
    text = (
        f"The promise is {count(rate, 'false alarm')} a day. In {duration(DAY_S * days)} of "
        f"normal test rows {rate * days:.2g} were to be expected, and {MAIN} raised {main['false_alarms']:.0f}."
    )
    if rate * days < 5:
        text += " That is too short to tell: test on more normal rows to know."
    return text


def three(value: float) -> str:
    """A measure from 0 to 1, or a dash where there is none."""
    return DASH if math.isnan(value) else f"{value:.3f}"


def microseconds(value: float) -> str:
    """Times are no better known than to two or three digits."""
    return number(value) if value >= 1000 else f"{value:.3g}"


def delay_words(comparison: Comparison, rows: float) -> str:
    """From the start of an event to its first alarm."""
    return lasting(comparison, rows) if rows else "none"


def lasting(comparison: Comparison, rows: float) -> str:
    """So many rows as a time."""
    return duration(rows * comparison.trained.detector.schema.period_ns / NS_PER_S)


def how_measured(comparison: Comparison) -> list[str]:
    """The protocol, a line each, so that nobody has to trust the page."""
    trained, split = comparison.trained, comparison.trained.split
    rows = [sum(b - a for a, b in part) for part in (split.fit, split.validation, split.tail)]
    span, rate = comparison.config.score.span, comparison.config.score.false_alarms_per_day
    lines = [
        f"Training rows: {rows[0]:,} for the networks' weights, {rows[1]:,} to choose their best epoch (the linear "
        f"parts are fitted on both), {rows[2]:,} held out for every threshold.",
        f"Every method's statistic is smoothed over {span:g} rows in the same way, unless its name says otherwise; "
        "window-PCA and the isolation forest too.",
        f"Every threshold keeps {rate:g} false alarms a day on the held-out rows by the same rule, and rows become "
        "events by the same rule. Thresholds stand still: what the running service adapts is not part of this.",
        "Every row is scored from earlier rows alone; nothing is adjusted to the test rows. After a gap each method "
        f"starts anew, and {trained.detector.calibration.warmup_rows} rows raise no alarm.",
        f"{OFF}: the same features, linear forecaster and scorer, with a threshold of its own.",
        f"{SAME_COST}: a dense GRU with about as many multiply-adds a row as {MAIN} was measured to need.",
        "Memory: weights and state, four bytes a number; the program itself is not counted.",
    ]
    if not comparison.labelled and any(case.faults for case in comparison.cases):
        lines.append(
            "Injected: offset, drift, stuck, spike, noise, gain, swap, decoupled, oscillation and delay take turns "
            "over the channels; lengths follow how long the channels remember, sizes run from hopeless to plain, so "
            "that no method can find all."
        )
    return lines
