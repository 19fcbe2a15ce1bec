"""Converts timestamps of messages to nanoseconds since 1970 in UTC, and back to milliseconds."""

from __future__ import annotations

from vcedge.history.recording import NO_TIME
from vcedge.history.times import MAX_ABS_NS, TextTimes

MILLISECONDS_FROM = 1e11
"""From this value on a number counts milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973."""
NS_PER_MS = 1_000_000
YEARS = "expected a time between the years 1824 and 2116"
_TEXTS = TextTimes(None)


def timestamp_ns(value: object) -> int:
    """Return the time of a timestamp in nanoseconds.

    A number counts seconds or milliseconds since 1970, by its size, and is rounded to the nearest microsecond; a string
    is ISO 8601 to the nanosecond, UTC if it has no zone. Raises ValueError that says what was expected.
    """
    if isinstance(value, str):
        time_ns = _TEXTS.read_one(value)
        if time_ns == NO_TIME:
            raise ValueError("expected ISO 8601 such as 2023-11-14T22:13:20.5Z, in the years 1824 to 2116")
        return time_ns
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected seconds or milliseconds since 1970, or ISO 8601")
    if not abs(value) < MAX_ABS_NS:
        raise ValueError(YEARS)
    # In microseconds, the resolution of a float64 of this size is a quarter.
    micros = round(value * 1000) if abs(value) >= MILLISECONDS_FROM else round(value * 1_000_000)
    if not abs(micros * 1000) < MAX_ABS_NS:
        raise ValueError(YEARS)
    return micros * 1000


def milliseconds(time_ns: int) -> int | float:
    """Return milliseconds since 1970: an integer, or a fraction rounded to the microsecond."""
    whole, rest = divmod(time_ns, NS_PER_MS)
    return whole if rest == 0 else round(time_ns / NS_PER_MS, 3)
