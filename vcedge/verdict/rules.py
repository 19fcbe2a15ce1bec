"""Judges the facts of a training: FAIL, WARN or PASS, with a sentence for each reason."""

from __future__ import annotations

from vcedge.sensitivity.findings import short
from vcedge.verdict.detection import found, missed
from vcedge.verdict.facts import EVENTS_TO_SHOW, Facts, NetworkFacts
from vcedge.verdict.verdict import Reason, Verdict
from vcedge.wording import DAY_S, alarm_rate, count, duration, percent

FEW_ROWS = 1000
"""Rows below which a recording is too short for the distance to what was seen to count in full."""
MUCH_MORE = 3.0
"""False alarms over the wanted ones, or over as few as the rows can show, that are a warning."""
HOURLY = 24.0
"""False alarms a day beyond which an alarm is useless, unless they are wanted."""
NEW_STATES = 0.05
"""Share of unlike rows in the last quarter that shows operating states beyond the recording."""


def judge(facts: Facts) -> Verdict:
    """Return the verdict on a training."""
    reasons = [
        *found(facts),
        *missed(facts),
        *_false_alarms(facts),
        *_recording(facts),
        *_states(facts),
        *_network(facts.network),
    ]
    return Verdict((*reasons, _advice(facts, Verdict(tuple(reasons)))))


def _false_alarms(facts: Facts) -> list[Reason]:
    """Judge the expected rate of false alarms."""
    expected, wanted = facts.expected_per_day, facts.wanted_per_day
    if expected is None or facts.rows == 0:
        text = f"No rate of false alarms can be stated: {count(facts.rows, 'row')} are too few."
        return [Reason("FAIL", "false_alarms", text)]
    length = duration(facts.days * DAY_S, 2)
    if expected == 0:
        return [Reason("PASS", "false_alarms", f"No false alarm occurs on {length} of normal rows.")]
    measured = f"{count(round(expected * facts.days), 'event')} on {length} of normal rows"
    if expected > MUCH_MORE * max(wanted, EVENTS_TO_SHOW / facts.days):
        text = f"About {short(expected)} false alarms a day are expected ({measured}); wanted: {short(wanted)}."
        return [Reason("FAIL" if expected > HOURLY else "WARN", "false_alarms", text)]
    return [Reason("PASS", "false_alarms", f"About {short(expected)} false alarms a day are expected ({measured}).")]


def _recording(facts: Facts) -> list[Reason]:
    """Judge the length of the recording."""
    reasons = []
    if facts.interrupted:
        reasons.append(Reason("WARN", "recording", "The training was stopped early: the network is half trained."))
    if facts.rows < FEW_ROWS:
        text = (
            f"{count(facts.rows, 'row')} show little of the machine: {FEW_ROWS:,} are the least that show its states."
        )
        reasons.append(Reason("WARN", "recording", text))
    if facts.days >= facts.days_needed:
        length, needed = duration(facts.days * DAY_S, 2), duration(facts.days_needed * DAY_S, 2)
        text = f"{length} of recording suffice to show the wanted rate of false alarms, which takes {needed}."
        reasons.append(Reason("PASS", "recording", text))
    elif facts.expected_per_day is not None and facts.rows:
        text = (
            f"{duration(facts.days * DAY_S, 2)} of recording cannot show a rate of {alarm_rate(facts.wanted_per_day)}: "
            f"the threshold is for {short(facts.promised_per_day)} a day, the fewest that so short a recording can "
            f"show; {duration(facts.days_needed * DAY_S, 2)} would suffice."
        )
        useless = facts.promised_per_day > max(HOURLY, facts.wanted_per_day)
        reasons.append(Reason("FAIL" if useless else "WARN", "recording", text))
    return reasons


def _states(facts: Facts) -> list[Reason]:
    """Judge whether the recording covers the operating states."""
    share = facts.new_states
    if share is None:
        return []
    if share < NEW_STATES:
        text = (
            f"The last quarter of the recording shows no new operating states ({percent(share)} of its rows are new)."
        )
        return [Reason("PASS", "states", text)]
    text = (
        f"In the last quarter of the recording, {percent(share)} of the rows are unlike all rows before: the recording "
        "does not cover the operating states of this machine, and new ones raise alarms."
    )
    return [Reason("WARN", "states", text)]


def _network(network: NetworkFacts | None) -> list[Reason]:
    """Return what the network adds and costs; the detector is sound without it, so the level is PASS."""
    if network is None:
        return []
    cost = f"{percent(network.cost)} of a row's multiply-adds, with {percent(network.updated)} of its state updated"
    if network.helped == 0:
        text = f"The network adds nothing here and costs {cost}: switch it off with model: {{cell: none}}."
    else:
        most = f"{network.best}:" if network.helped == 1 else f"most that of {network.best}:"
        text = (
            f"The network improves the forecast of {network.helped} of {count(network.channels, 'channel')}, {most} "
            f"it removes {percent(network.removed)} of the squared error there; it costs {cost}."
        )
    return [Reason("PASS", "network", text)]


def _advice(facts: Facts, verdict: Verdict) -> Reason:
    """Return what to do now, by the most serious reasons."""
    worse = {reason.about for reason in verdict.reasons if reason.level != "PASS"}
    steps = []
    if "false_alarms" in worse and facts.expected_per_day is not None:
        steps.append("leave out stretches that are not normal operation, or allow more with score.false_alarms_per_day")
    if "recording" in worse and facts.interrupted:
        steps.append("run the same command again to complete the training")
    if worse & {"recording", "false_alarms"} and facts.days < facts.days_needed:
        steps.append(f"record {duration(facts.days_needed * DAY_S, 2)} or more and train again")
    if "states" in worse:
        steps.append("record until all operating states have occurred more than once")
    if "missed" in worse:
        steps.append("watch the named channels by other means, or allow more false alarms")
    if "found" in worse and facts.channels:
        steps.append("record more, and channels that move with the faults that matter")
    start = {
        "PASS": "Put the model into service",
        "WARN": "The model can go into service; for a better one",
        "FAIL": "Do not rely on this model",
    }[verdict.result]
    text = f"{start}: {'; '.join(dict.fromkeys(steps))}." if steps else f"{start}."
    return Reason("PASS", "advice", text)
