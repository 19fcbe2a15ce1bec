"""Formats numbers, shares, durations, times and lists for people, in reports, notes and messages.

It imports no large package: `vcedge --help` must not load numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

DAY_S = 86_400.0
_NS_PER_S = 1_000_000_000
_EPOCH = datetime(1970, 1, 1)
_UNITS = (("days", DAY_S), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


def duration(seconds: float, digits: int = 3) -> str:
    """Return a duration in a suitable unit: 250 ms, 1 s, 76 s, 5 min, 1.5 h, 3 days."""
    for unit, size in _UNITS:
        if seconds >= 2 * size or (seconds == size and unit != "days"):
            return f"{_rounded(seconds / size, digits)} {unit}"
    return f"{_rounded(seconds, digits)} s" if seconds >= 0.5 else f"{_rounded(seconds * 1000, digits)} ms"


def delay(seconds: float) -> str:
    """Return a delay in words, in two digits: at once, after 22 min."""
    return f"after {duration(seconds, 2)}" if seconds > 0 else "at once"


def utc_time(time_ns: int) -> str:
    """Return a time to the second, such as 2020-02-08 13:30:47."""
    return (_EPOCH + timedelta(seconds=time_ns // _NS_PER_S)).isoformat(" ")


def iso_time(time_ns: int, digits: int | None = None) -> str:
    """Return a time as ISO 8601 in UTC, such as 2020-02-08T13:30:47.250Z.

    `digits` cuts the fraction of a second; by default it has the digits that the time needs: 3, 6 or 9.
    """
    seconds, fraction = divmod(time_ns, _NS_PER_S)
    if digits is None:
        digits = 3 if fraction % 1_000_000 == 0 else 6 if fraction % 1_000 == 0 else 9
    base = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    return f"{base}.{fraction // 10 ** (9 - digits):0{digits}d}Z" if digits else f"{base}Z"


def count(value: float, noun: str) -> str:
    """Return a number of things: 1 row, 2 rows, 10,000 rows, 0.5 false alarms."""
    return f"{number(value) if isinstance(value, float) else f'{value:,}'} {noun}{'' if value == 1 else 's'}"


def alarm_rate(per_day: float) -> str:
    """Return a rate in two digits, more are not known: 0.5 false alarms a day, 12 false alarms a day."""
    return f"{count(float(f'{per_day:.2g}'), 'false alarm')} a day"


def number(value: float) -> str:
    """Return a number in four significant digits, thousands separated."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def percent(share: float) -> str:
    """Return a share as exactly as a reader needs it: under 0.1%, 2.5%, 37%, 99.6%, over 99.9%."""
    if 0 < share < 0.001:
        return "under 0.1%"
    if 0.999 < share < 1:
        return "over 99.9%"
    if abs(share) < 0.001:
        return "0%"
    return f"{share:.1%}" if abs(share) < 0.0995 or 0.995 <= share < 1 else f"{share:.0%}"


def listed(items: Sequence[str], most: int, last: str = ", ") -> str:
    """Join items: "a, b, c", or "a, b and 3 more" beyond `most`. `last` joins the last one, " and " in a sentence."""
    if len(items) > most + 1:  # "and 1 more" would be no shorter than the item
        return f"{', '.join(items[:most])} and {len(items) - most} more"
    return last.join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def clipped(text: str, length: int = 300) -> str:
    """Return a text from a file, short enough for a message."""
    return text if len(text) <= length else text[: length - 3] + "..."


def _rounded(value: float, digits: int) -> str:
    return f"{float(f'{value:.{digits}g}'):g}"
