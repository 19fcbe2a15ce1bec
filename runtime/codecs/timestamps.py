"""From a timestamp in a message to nanoseconds since 1970 in UTC."""

from __future__ import annotations

from vcedge.history.recording import NO_TIME
from vcedge.history.times import MAX_ABS_NS, TextTimes

MILLISECONDS_FROM = 1e11
"""From here on a number counts milliseconds: as seconds it would be the year 5138, as milliseconds it is 1973."""
_YEARS = "expected a time between the years 1824 and 2116"
_TEXTS = TextTimes(None)


def timestamp_ns(value: object) -> int:
    """Seconds or milliseconds since 1970 by their size, to the nearest microsecond, or ISO 8601 to the nanosecond.

    Time without a zone is UTC. Raises ValueError that says what was expected.
    """
    if isinstance(value, str):
        time_ns = _TEXTS.read_one(value)
        if time_ns == NO_TIME:
            raise ValueError("expected ISO 8601 such as 2023-11-14T22:13:20.5Z, in the years 1824 to 2116")
        return time_ns
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected seconds or milliseconds since 1970, or ISO 8601")
    if not abs(value) < MAX_ABS_NS:
        raise ValueError(_YEARS)
    # In microseconds a float64 of this size still has a quarter of one to spare.
    micros = round(value * 1000) if abs(value) >= MILLISECONDS_FROM else round(value * 1_000_000)
    if not abs(micros * 1000) < MAX_ABS_NS:
        raise ValueError(_YEARS)
    return micros * 1000


NS_PER_MS = 1_000_000


def milliseconds(time_ns: int) -> int | float:
    """Milliseconds since 1970; a fraction only where the time has one, to the microsecond."""
    whole, rest = divmod(time_ns, NS_PER_MS)
    return whole if rest == 0 else round(time_ns / NS_PER_MS, 3)
