"""What a codec makes of a message, and how much of it is read: no input or output, and no clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vcedge.errors import DataError
from vcedge.schema import F64

UNNAMED = ""
"""The channel of a value that is named by its topic alone."""
MAX_VALUES = 1_000_000
"""Channels times rows of one message: what a pack of few records could claim is far more than it holds."""


class Undecodable(DataError):
    """A message that cannot be read; the text is the reason that goes with it to the dead letters."""


@dataclass(frozen=True)
class Limits:
    """How much of one message is read."""

    max_bytes: int = 1 << 20
    max_channels: int = 1000
    max_rows: int = 10_000

    def check(self, channels: int, rows: int) -> None:
        """Raises Undecodable for more than that. A codec asks before it makes lists of that size."""
        if channels > self.max_channels:
            raise Undecodable(f"{channels} channels, expected at most {self.max_channels}")
        if rows > self.max_rows:
            raise Undecodable(f"{rows} samples, expected at most {self.max_rows}")
        if channels * rows > MAX_VALUES:
            raise Undecodable(f"{channels} channels of {rows} samples, expected at most {MAX_VALUES} values")


@dataclass(frozen=True)
class Reading:
    """What one message says: a value of each named channel, or with `block` a list of B values; NaN: missing.

    `times_ns` (B,) are nanoseconds since 1970, with `relative` since the message's arrival. None: the message tells no
    time, and counts as of its arrival.
    """

    times_ns: tuple[int, ...] | None
    columns: dict[str, list[float]]
    block: bool = False
    relative: bool = False

    @property
    def rows(self) -> int:
        """How many samples B."""
        return 1 if self.times_ns is None else len(self.times_ns)

    @property
    def timed(self) -> bool:
        """Whether the times are the message's own, so that they are the same when it is delivered again."""
        return self.times_ns is not None and not self.relative

    def times(self, arrival_ns: int) -> tuple[int, ...]:
        """Times (B,) in nanoseconds since 1970 of a message that arrived then."""
        if self.times_ns is None:
            return (arrival_ns,)
        return tuple(arrival_ns + time_ns for time_ns in self.times_ns) if self.relative else self.times_ns

    def named(self, channel: str | None) -> Reading:
        """With the topic's channel as the name of a value that has none. Raises Undecodable where that cannot be."""
        if UNNAMED not in self.columns:
            return self
        if channel is None:
            raise Undecodable("a value without a channel, expected a topic that names it: input.topic with {channel}")
        if channel in self.columns:
            raise Undecodable(f"{shown(channel)} is there twice, with its name and without")
        return replace(self, columns={name or channel: values for name, values in self.columns.items()})


Codec = Callable[[bytes, Limits], Reading]
"""Reads a message of any bytes. Raises Undecodable with a reason of one line, and nothing else."""


def arrange(reading: Reading, names: Sequence[str]) -> tuple[F64, int]:
    """Values (B, C) of the named channels, NaN where the message is silent, and how many channels were unknown."""
    columns = reading.columns
    silent = [math.nan] * reading.rows
    found = [columns.get(name, silent) for name in names]
    if reading.rows == 1:
        values = np.array([[value for (value,) in found]], np.float64)  # the usual message, and so a quick one
    else:
        values = np.ascontiguousarray(np.array(found, np.float64).reshape(len(names), reading.rows).T)
    return values, len(columns) - sum(map(columns.__contains__, names))


def tabulate(points: Iterable[tuple[int, str, float]], limits: Limits, *, relative: bool = False) -> Reading:
    """Single values (time in nanoseconds, channel, value) as samples in the order of time: those of one time are one.

    Raises Undecodable for two values of one channel at one time, or too many of anything.
    """
    by_channel: dict[str, dict[int, float]] = {}
    for time_ns, name, value in points:
        values = by_channel.setdefault(name, {})
        if time_ns in values:
            raise Undecodable(f"{shown(name)} has two values at one time")
        values[time_ns] = value
    times = sorted({time_ns for values in by_channel.values() for time_ns in values})
    limits.check(len(by_channel), len(times))
    if not times:
        raise Undecodable("no values")
    columns = {name: [values.get(time, math.nan) for time in times] for name, values in by_channel.items()}
    return Reading(tuple(times), columns, block=len(times) > 1, relative=relative)


def shown(name: str) -> str:
    """A name that somebody else chose, in a few characters."""
    return repr(name if len(name) <= 40 else name[:40] + "…")
