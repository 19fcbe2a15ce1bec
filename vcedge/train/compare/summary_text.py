"""Writes the texts of the comparison page: a summary of the numbers, and how they were measured."""

from __future__ import annotations

import math

from vcedge.evaluation.vus import segments
from vcedge.schema import NS_PER_S
from vcedge.train.compare.comparison import Comparison
from vcedge.train.compare.fitting import QUANTILE
from vcedge.train.compare.methods import MAIN, OFF, SAME_COST, SAME_SIZE
from vcedge.train.compare.summary import truth_of
from vcedge.train.compare.verdict import best_baseline
from vcedge.train.report.summary_text import Paragraph
from vcedge.verdict.worth import NOISE
from vcedge.wording import DAY_S, count, duration, number, percent

DASH = "–"


def summary(comparison: Comparison) -> list[Paragraph]:
    """Summarise the page in a few paragraphs."""
    return [
        Paragraph("What was compared", _compared(comparison)),
        Paragraph("What is found", _found(comparison)),
        Paragraph("What the network adds", _network(comparison)),
        Paragraph("What it costs", _cost(comparison)),
        Paragraph("False alarms", _promise(comparison)),
    ]


def subtitle(comparison: Comparison) -> str:
    """Return one line on what was tested."""
    rows = sum(len(case.values) for case in comparison.cases)
    channels = count(comparison.trained.detector.channels, "channel")
    return f"{count(len(comparison.results), 'method')} on {count(rows, 'test row')} of {channels}"


def _compared(comparison: Comparison) -> str:
    events = sum(len(segments(case.labels)) for case in comparison.cases)
    names = count(len(comparison.cases), "test recording")
    truth = {
        "labels": f"The truth is the column {comparison.config.data.label!r}: {count(events, 'event')}.",
        "injected faults": (
            f"There are no labels: {count(events, 'fault')} of ten kinds were injected into copies of normal rows, "
            "with lengths and sizes that fit this machine. Real faults are more irregular: rely on the order of the "
            "methods rather than on the numbers."
        ),
        "none": "The test rows hold no events: only false alarms can be counted.",
    }[truth_of(comparison)]
    return (
        f"All methods were fitted on the same rows, have a threshold from the same held-out rows by the same rule, and "
        f"were tested on {names} that none was fitted on. {truth} One seed was trained: differences in VUS-PR of less "
        f"than about {NOISE:g} are not significant."
    )


def _found(comparison: Comparison) -> str:
    main, baseline, random = comparison.main, best_baseline(comparison), comparison.of("random")
    if math.isnan(main.mean["vus_pr"]):
        return "The test rows hold no events, so there is nothing to find."
    difference = main.mean["vus_pr"] - baseline.mean["vus_pr"]
    verdict = "ahead of" if difference >= NOISE else "behind" if difference <= -NOISE else "within noise of"
    delay = main.mean["delay_rows"]
    soon = "" if math.isnan(delay) else f" (median delay: {delay_text(comparison, delay)})"
    return (
        f"{MAIN} reaches a VUS-PR of {main.mean['vus_pr']:.3f} (random scores {random.mean['vus_pr']:.3f}). That is "
        f"{verdict} the best baseline, {baseline.method.name}, with {baseline.mean['vus_pr']:.3f}. At its threshold "
        f"it finds {percent(main.mean['event_recall'])} of the events{soon}; {baseline.method.name} finds "
        f"{percent(baseline.mean['event_recall'])}."
    )


def _network(comparison: Comparison) -> str:
    main, off = comparison.main.mean["vus_pr"], comparison.of(OFF).mean["vus_pr"]
    if math.isnan(main):
        return "The network's contribution cannot be measured without events."
    gain = main - off
    if gain > NOISE:
        return f"With the network switched off, the same scorer reaches {off:.3f}: the network adds {gain:.3f}."
    if gain < -NOISE:
        return (
            f"With the network switched off, the same scorer reaches {off:.3f}, which is {-gain:.3f} more: on this "
            "recording the network does harm, and the linear forecaster alone is the better detector."
        )
    return (
        f"With the network switched off, the same scorer reaches {off:.3f}: the linear forecaster and the scorer "
        "detect the events, and the network adds nothing that can be distinguished from chance."
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
        f". On this machine a row takes {microseconds_text(main.us)} µs, with the GRU {microseconds_text(dense.us)} "
        "µs; at small sizes the overhead of a call outweighs the arithmetic."
    )


def _promise(comparison: Comparison) -> str:
    main, rate = comparison.main.mean, comparison.promised_per_day
    days = main["normal_days"]
    text = (
        f"The threshold promises {count(rate, 'false alarm')} a day. In {duration(DAY_S * days)} of normal test rows "
        f"{rate * days:.2g} were expected, and {MAIN} raised {main['false_alarms']:.0f}."
    )
    if rate * days < 5:
        text += " These rows are too few to check the rate: test on more normal rows."
    return text


def measure_text(value: float) -> str:
    """Return a measure from 0 to 1 with three digits, or a dash for NaN."""
    return DASH if math.isnan(value) else f"{value:.3f}"


def microseconds_text(value: float) -> str:
    """Return microseconds with three digits, the precision of the measurement."""
    return number(value) if value >= 1000 else f"{value:.3g}"


def delay_text(comparison: Comparison, rows: float) -> str:
    """Return the time from the start of an event to its first alarm."""
    return rows_text(comparison, rows) if rows else "0 s"


def rows_text(comparison: Comparison, rows: float) -> str:
    """Return the duration of this many rows."""
    return duration(rows * comparison.trained.detector.schema.period_ns / NS_PER_S)


def how_measured(comparison: Comparison) -> list[str]:
    """Return the protocol, one line an item."""
    trained, split = comparison.trained, comparison.trained.split
    rows = [sum(b - a for a, b in part) for part in (split.fit, split.validation, split.tail)]
    rate = comparison.config.score.false_alarms_per_day
    span = trained.detector.scorer.span
    lines = [
        f"Training rows: {rows[0]:,} for the networks' weights, {rows[1]:,} to choose their best epoch (the linear "
        f"parts are fitted on both), {rows[2]:,} held out for the baselines' thresholds and to measure the network.",
        f"The statistic of each simple detector is smoothed over {span:g} rows, unless its name says otherwise. That "
        "of the networks is smoothed on several scales.",
        f"The threshold of a network is the one that `vcedge train` sets for {rate:g} false alarms a day, or for as "
        f"few as the recording can show. That of a simple detector is the {QUANTILE:g} quantile of its held-out rows. "
        "The alarms of a network are those of the service, whose threshold follows the level of normal operation; that "
        "of a simple detector is fixed.",
        "Every row is scored from it and earlier rows alone; nothing is adjusted to the test rows. After a gap each "
        f"method restarts, and {trained.detector.calibration.warmup_rows} rows raise no alarm (warm-up).",
        f"{OFF}: the same features, linear forecaster and scorer, with a threshold of its own.",
        f"{SAME_COST}: a dense GRU with about as many multiply-adds a row as {MAIN} was measured to need.",
        "Memory: weights and state at four bytes a number, without the program itself.",
    ]
    if not comparison.labelled and any(case.faults for case in comparison.cases):
        lines.append(
            "Injected faults: offset, drift, stuck, spike, noise, gain, swap, decoupled, oscillation and delay, in "
            "turn over the channels. Lengths follow the channels' autocorrelation; sizes range from undetectable to "
            "obvious, so that no method can find all."
        )
    return lines
