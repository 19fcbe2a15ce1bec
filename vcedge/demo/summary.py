"""Describes a result for people, and as a JSON document for programs."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterator
from typing import Any

from vcedge.demo.findings import TAIL_NS, FaultFinding, ReportedEvent
from vcedge.demo.run import DemoResult
from vcedge.files import write_atomic
from vcedge.runtime.stream.events import Top
from vcedge.schema import NS_PER_S
from vcedge.wording import delay, iso_time, percent, utc_time

WIDTH = 80
LEAST_SHARE = 0.1
"""Channels with a smaller share of an event are not shown to people."""
TAIL_MINUTES = TAIL_NS // NS_PER_S // 60


def report_lines(result: DemoResult) -> Iterator[str]:
    """Yield the result in lines of at most WIDTH characters, paths excepted."""
    findings, folder = result.findings, result.folder
    alarms, hours = len(findings.false_alarms), findings.normal_hours
    yield f"What was wrong with the pump, and what was found of it: {findings.found} of {len(findings.faults)}"
    for finding in findings.faults:
        yield ""
        yield from _finding_lines(finding)
    yield ""
    yield f"False alarms: {alarms or 'none'} in {hours:.1f} hours of normal operation"
    for event in findings.false_alarms:
        yield from _wrapped(f"  {_clock(event.start_ns)}        ", _event_words(event))
    yield ""
    normal, faults = _percent(findings.share_normal), _percent(findings.share_faults)
    yield f"Part of the network updated for a row: {normal} in normal operation, {faults} in faults"
    yield f"Rows sent and scored over MQTT: all {result.rows:,}, {result.scores_per_s:,.0f} a second"
    yield f"Time taken: {result.seconds:.0f} s, of which training {result.train_s:.0f} s"
    yield ""
    yield f"Report of the training:  {folder.report}"
    yield f"Everything else:         {folder.path}"
    yield ""
    yield "A fault is found by the first event that begins while it lasts. An event in the"
    yield f"{TAIL_MINUTES} minutes after a fault counts neither way; every other one is a false alarm."


def write_document(result: DemoResult) -> None:
    """Write the document to the folder."""
    text = json.dumps(document(result), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomic(result.folder.findings, f"{text}\n".encode())


def document(result: DemoResult) -> dict[str, Any]:
    """Return the result as JSON values."""
    findings, folder, plan = result.findings, result.folder, result.plan
    return {
        "faults": [_finding_json(finding) for finding in findings.faults],
        "found": findings.found,
        "false_alarms": [_event_json(event) for event in findings.false_alarms],
        "normal_hours": round(findings.normal_hours, 3),
        "updated_share": {"normal": _finite(findings.share_normal), "faults": _finite(findings.share_faults)},
        "rows": result.rows,
        "scores_per_s": round(result.scores_per_s, 1),
        "anomaly_on": result.alarm_switches,
        "seconds": {"all": round(result.seconds, 1), "training": round(result.train_s, 1)},
        "seeds": {"healthy": plan.healthy_seed, "faulty": plan.faulty_seed},
        "folder": str(folder.path),
        "report": str(folder.report),
        "model": str(folder.model),
    }


def _finding_lines(finding: FaultFinding) -> Iterator[str]:
    label, by = finding.label, finding.by
    yield from _wrapped(f"  {_clock(label.start_ns)[:5]} to {_clock(label.stop_ns)[:5]}  ", label.text)
    if by is not None:
        more = f", and {finding.events - 1} more while it lasted" if finding.events > 1 else ""
        result = f"FOUND {delay(finding.delay_s or 0.0)}, at {_clock(by.start_ns)}: {_event_words(by)}{more}"
        result += f"; {finding.text}" if finding.text and not by.text else ""
    elif finding.afterwards:
        result = "MISSED: the first event began after it was over"
    else:
        result = "MISSED: no event while it lasted"
    yield from _wrapped(" " * 18, result)


def _wrapped(indent: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))


def _finding_json(finding: FaultFinding) -> dict[str, Any]:
    label = finding.label
    return {
        "kind": label.kind,
        "text": label.text,
        "channels": list(label.channels),
        "start": iso_time(label.start_ns),
        "end": iso_time(label.stop_ns),
        "found": finding.by is not None,
        "delay_s": finding.delay_s,
        "event": None if finding.by is None else _event_json(finding.by),
        "cause_is_right": finding.cause_is_right,
        "events": finding.events,
        "events_afterwards": finding.afterwards,
    }


def _event_json(event: ReportedEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "time": iso_time(event.start_ns),
        "top": [list(one) for one in event.top],
        "text": event.text,
    }


def _event_words(event: ReportedEvent) -> str:
    if event.kind == "stuck":
        return f"{', '.join(name for name, _ in event.top)} stands still"
    if event.text:
        return event.text
    return f"{event.kind} in {_names(event.top)}"


def _names(top: Top) -> str:
    """Return the channels with a relevant share; at least the first one."""
    shown = [(name, share) for i, (name, share) in enumerate(top) if i == 0 or share >= LEAST_SHARE]
    return ", ".join(f"{name} {share:.0%}" for name, share in shown)


def _clock(time_ns: int) -> str:
    return utc_time(time_ns)[-len("HH:MM:SS") :]


def _percent(share: float) -> str:
    return "nothing" if math.isnan(share) else percent(share)


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
