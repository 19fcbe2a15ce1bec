"""Describes detection limits as numbers, and as sentences for an operator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vcedge.injection.faults import FaultKind
from vcedge.wording import delay, duration

HOUR_S = 3600.0
RATES = (("a minute", 60.0), ("an hour", HOUR_S), ("a day", 24 * HOUR_S))


@dataclass(frozen=True)
class DetectionLimit:
    """Holds the smallest fault of one kind that is found on one channel."""

    channel: str
    unit: str
    kind: FaultKind
    size: float | None
    """In the unit of `InjectedFault.size`; None if no fault was found."""
    smallest: float
    largest: float
    """Range of the injected sizes."""
    noise: float
    """Noise of the channel in its unit."""
    delay_s: float | None
    """Median time from the fault's first row to the event."""
    watched_s: float
    """Length of the fault."""
    period_s: float | None
    """Period of an oscillation."""
    row_s: float
    """Time between two samples."""

    @property
    def found(self) -> bool:
        """True if a fault of any size was found."""
        return self.size is not None

    @property
    def ease(self) -> float:
        """1 if the smallest size tried is found, falling to 0 if only the largest is, or none."""
        if self.size is None or self.smallest == self.largest:
            return float(self.found)
        return 1 - math.log(self.size / self.smallest) / math.log(self.largest / self.smallest)

    def to_json(self) -> dict[str, Any]:
        """Return all numbers, with sizes in the channel's unit, and the sentence."""
        return {
            "channel": self.channel,
            "kind": self.kind,
            "found": self.found,
            "noises": self.size,
            "size": None if self.size is None else amount(self, self.size),
            "largest": amount(self, self.largest),
            "unit": amount_unit(self),
            "delay_s": self.delay_s,
            "watched_s": self.watched_s,
            "words": sentence(self),
        }


@dataclass(frozen=True)
class Sensitivity:
    """Holds the detection limits of all channels and kinds, and how they were measured."""

    findings: tuple[DetectionLimit, ...]
    places: int
    """Number of stretches of held-out rows that each fault was injected into."""
    watched_s: float
    slow_s: float
    """Length of a fault, and of a slow one (drift, stuck)."""

    def to_json(self) -> dict[str, Any]:
        """Return the section of metrics.json."""
        return {
            "places": self.places,
            "watched_s": self.watched_s,
            "slow_s": self.slow_s,
            "findings": [finding.to_json() for finding in self.findings],
        }


def amount(finding: DetectionLimit, size: float) -> float:
    """Convert a size to the unit of `amount_unit`."""
    if finding.kind == "drift":
        return size * finding.noise / finding.watched_s * _rate(finding)[1]
    if finding.kind in ("offset", "spike", "oscillation"):
        return size * finding.noise
    if finding.kind == "noise":
        return 1 + size
    return size * finding.row_s if finding.kind == "delay" else size


def amount_unit(finding: DetectionLimit) -> str:
    """Return the unit of `amount`: the channel's unit (for a drift per time), "times", "share" or "s"."""
    if finding.kind == "drift":
        return f"{finding.unit} {_rate(finding)[0]}".strip()
    if finding.kind in ("offset", "spike", "oscillation"):
        return finding.unit
    return {"noise": "times", "delay": "s"}.get(finding.kind, "share")


def size_words(finding: DetectionLimit, size: float) -> str:
    """Format a size for a table: 0.3 bar an hour, 2.5 times, 40%, 12 s; empty for kinds without a size."""
    if finding.kind in ("stuck", "swap", "decoupled"):
        return ""
    if finding.kind == "gain":
        return f"{size:.0%}"
    value = amount(finding, size)
    return duration(value, 2) if finding.kind == "delay" else f"{short(value)} {amount_unit(finding)}".strip()


def sentence(finding: DetectionLimit) -> str:
    """Return one sentence, such as "A drift of 0.3 bar an hour in Pressure is found after 22 min."."""
    if finding.size is None:
        what = describe(finding, finding.largest, up_to=True)
        return f"{what} is not found within {duration(finding.watched_s, 2)}."
    return f"{describe(finding, finding.size)} is found {delay_words(finding)}."


def delay_words(finding: DetectionLimit) -> str:
    """Return when the fault is found: "at once", or "after 22 min"."""
    return "not found" if finding.delay_s is None else delay(finding.delay_s)


def describe(finding: DetectionLimit, size: float, *, up_to: bool = False) -> str:
    """Return the fault in words, with "up to" before its size if `up_to`."""
    channel, of = finding.channel, f"of {'up to ' if up_to else ''}{size_words(finding, size)}"
    if finding.kind == "oscillation":
        assert finding.period_s is not None
        return f"An oscillation {of} in {channel}, with a period of {duration(finding.period_s, 2)},"
    return {
        "offset": f"An offset {of} in {channel}",
        "drift": f"A drift {of} in {channel}",
        "stuck": f"A stuck {channel}",
        "spike": f"A series of spikes {of} in {channel}",
        "noise": f"A noise {of} the usual in {channel}",
        "gain": f"A loss {of} of the movement in {channel}",
        "swap": f"A swap of {channel} with another channel",
        "decoupled": f"A reading of {channel} that does not follow the other channels",
        "delay": f"A delay {of} in {channel}",
    }[finding.kind]


def short(value: float) -> str:
    """Format two significant digits: a measured sensitivity is no more exact than that."""
    return f"{float(f'{value:.2g}'):,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def _rate(finding: DetectionLimit) -> tuple[str, float]:
    """Return the time unit of a drift's rate: the shortest that is at least as long as the drift."""
    return next((rate for rate in RATES if rate[1] >= finding.watched_s), RATES[-1])
