"""Findings of the demonstration: detected faults, false alarms, and the hours over which they are counted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.demo.findings import TAIL_NS, FaultFinding, Findings, Label, ReportedEvent, match_events
from vcedge.schema import NS_PER_S

TIMES = np.arange(3600, dtype=np.int64) * NS_PER_S
SHARES = np.full(3600, 0.25)
FAULT = Label("bearing_wear", "bearing wear: slowly", ("Vibration",), 1000 * NS_PER_S, 2000 * NS_PER_S)
LATER = Label("cavitation", "cavitation: bursts", ("Flow",), 2100 * NS_PER_S, 2400 * NS_PER_S)
TAIL_S = TAIL_NS // NS_PER_S


def event(start_s: float, *channels: str, kind: str = "anomaly") -> ReportedEvent:
    top = tuple((name, 0.5) for name in channels or ("Vibration",))
    return ReportedEvent(f"{kind}-{start_s}", kind, round(start_s * NS_PER_S), top)


def one(*events: ReportedEvent) -> tuple[FaultFinding, Findings]:
    findings = match_events([FAULT], events, TIMES, SHARES)
    return findings.faults[0], findings


def test_first_event_within_a_fault_gives_its_delay() -> None:
    finding, findings = one(event(1500, "Flow"), event(1060, "Vibration", "Flow"), event(1700))
    assert finding.by == event(1060, "Vibration", "Flow")
    assert finding.delay_s == 60.0
    assert finding.events == 3
    assert finding.cause_is_right
    assert findings.found == 1
    assert findings.false_alarms == ()


def test_sentence_of_a_range_event_belongs_to_the_fault() -> None:
    text = "Vibration 2.3 mm/s, never above 1.8 in training"
    beyond = replace(event(1300, kind="range"), text=text)
    finding, _ = one(event(1060), beyond, event(1700))
    assert (finding.by, finding.text) == (event(1060), text)
    assert one(beyond)[0].by == beyond


def test_fault_without_events_is_missed() -> None:
    finding, findings = one()
    assert (finding.by, finding.delay_s, finding.cause_is_right, findings.found) == (None, None, False, 0)


@pytest.mark.parametrize(
    ("start_s", "within", "afterwards", "false"),
    [
        (999.999, 0, 0, 1),
        (1000, 1, 0, 0),
        (1999.999, 1, 0, 0),
        (2000, 0, 1, 0),
        (2000 + TAIL_S - 0.001, 0, 1, 0),
        (2000 + TAIL_S, 0, 0, 1),
    ],
)
def test_events_count_for_a_fault_within_its_bounds(start_s: float, within: int, afterwards: int, false: int) -> None:
    finding, findings = one(event(start_s))
    assert (finding.events, finding.afterwards, len(findings.false_alarms)) == (within, afterwards, false)
    assert (finding.by is not None) == bool(within), "what comes when it is over has not found it"


def test_event_within_a_fault_belongs_to_it() -> None:
    findings = match_events([LATER, FAULT], [event(2150, "Flow"), event(2050)], TIMES, SHARES)
    first, second = findings.faults
    assert (first.label, first.afterwards, first.events) == (FAULT, 1, 0)
    assert (second.label, second.by) == (LATER, event(2150, "Flow"))


def test_cause_is_right_if_its_first_channel_is_faulty() -> None:
    assert not one(event(1100, "Flow", "Vibration"))[0].cause_is_right
    nameless = ReportedEvent("anomaly-1", "anomaly", 1100 * NS_PER_S, ())
    assert not one(nameless)[0].cause_is_right


def test_normal_time_excludes_faults_and_their_aftermath() -> None:
    findings = one()[1]
    assert findings.normal_hours == pytest.approx((3600 - 1000 - TAIL_S) / 3600)
    overlapping = match_events([FAULT, LATER], [], TIMES, SHARES)
    assert overlapping.normal_hours == pytest.approx((3600 - 1400 - TAIL_S) / 3600), "nothing is subtracted twice"


def test_updated_shares_within_and_outside_faults() -> None:
    shares = np.full(3600, 0.125)
    shares[1000:2000] = 0.75
    findings = match_events([FAULT], [], TIMES, shares)
    assert (findings.share_normal, findings.share_faults) == (0.125, 0.75)


def test_recording_without_faults_or_rows() -> None:
    healthy = match_events([], [event(10)], TIMES, SHARES)
    assert (healthy.faults, len(healthy.false_alarms), healthy.normal_hours) == ((), 1, 1.0)
    assert math.isnan(healthy.share_faults)
    empty = match_events([FAULT], [], TIMES[:0], SHARES[:0])
    assert (empty.normal_hours, empty.found) == (0.0, 0)
    assert math.isnan(empty.share_normal)


@given(st.lists(st.floats(0, 3600), max_size=20))
def test_every_event_counts_exactly_once(starts: list[float]) -> None:
    events = [event(start, kind=str(i)) for i, start in enumerate(starts)]
    findings = match_events([FAULT, LATER], events, TIMES, SHARES)
    counted = sum(finding.events + finding.afterwards for finding in findings.faults)
    assert counted + len(findings.false_alarms) == len(events)
    assert all(finding.delay_s is None or finding.delay_s >= 0 for finding in findings.faults)
