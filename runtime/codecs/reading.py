"""The result of decoding a message, and the limits on it. No input or output, and no clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from vcedge.errors import DataError
from vcedge.schema import F64

UNNAMED = ""
"""Stands for the channel of a value that only its topic names."""
MAX_VALUES = 1_000_000
"""Channels times rows of one message: a pack of a few thousand records can span a far larger table."""


class Undecodable(DataError):
    """Says that a message cannot be decoded; the text is the reason in its dead letter."""


@dataclass(frozen=True)
class Limits:
    """Bounds the size of one message."""

    max_bytes: int = 1 << 20
    max_channels: int = 1000
    max_rows: int = 10_000

    def check(self, channels: int, rows: int) -> None:
        """Raise Undecodable if the message is larger. A codec calls this before it allocates lists of that size."""
        if channels > self.max_channels:
            raise Undecodable(f"{channels} channels, expected at most {self.max_channels}")
        if rows > self.max_rows:
            raise Undecodable(f"{rows} samples, expected at most {self.max_rows}")
        if channels * rows > MAX_VALUES:
            raise Undecodable(f"{channels} channels of {rows} samples, expected at most {MAX_VALUES} values")


@dataclass(frozen=True)
class Reading:
    """Holds the content of one message: one value for each named channel, or with `block` B values; NaN is missing.

    `times_ns` (B,) are nanoseconds since 1970, or with `relative` since the message's arrival. None: the message has no
    time and counts as of its arrival.
    """

    times_ns: tuple[int, ...] | None
    columns: dict[str, list[float]]
    block: bool = False
    relative: bool = False

    @property
    def rows(self) -> int:
        """The number of samples B."""
        return 1 if self.times_ns is None else len(self.times_ns)

    @property
    def timed(self) -> bool:
        """Whether the times are the message's own, so that they are the same when it is delivered again."""
        return self.times_ns is not None and not self.relative

    def times(self, arrival_ns: int) -> tuple[int, ...]:
        """Return the times (B,) in nanoseconds since 1970 of a message that arrived at `arrival_ns`."""
        if self.times_ns is None:
            return (arrival_ns,)
        return tuple(arrival_ns + time_ns for time_ns in self.times_ns) if self.relative else self.times_ns

    def named(self, channel: str | None) -> Reading:
        """Return the reading with the topic's channel as the name of a value that has none.

        Raises Undecodable if the topic names no channel, or one that the message already has.
        """
        if UNNAMED not in self.columns:
            return self
        if channel is None:
            raise Undecodable("a value without a channel, expected a topic that names it: input.topic with {channel}")
        if channel in self.columns:
            raise Undecodable(f"{shown(channel)} appears twice, with its name and without")
        return replace(self, columns={name or channel: values for name, values in self.columns.items()})


Codec = Callable[[bytes, Limits], Reading]
"""Decodes any bytes. Raises Undecodable with a reason of one line, and nothing else."""


class Samples(NamedTuple):
    """Holds the samples of one message in the channel order of a model, as a stream scores them."""

    times: tuple[int, ...]
    """(N,) in nanoseconds since 1970."""
    values: F64
    """(N, C), NaN where missing."""
    timed: bool
    """Whether the times are the message's own, and not those of its arrival."""
    block: bool
    """Whether the message was a block of samples."""


class NamedSample(NamedTuple):
    """Holds one sample, or a part of one, by the names of its channels. The joiner joins parts to samples."""

    time_ns: int
    values: Mapping[str, float]
    timed: bool = True

    def samples(self, names: Sequence[str]) -> Samples:
        """Return the sample in the order of these channels."""
        row = [self.values.get(name, math.nan) for name in names]
        return Samples((self.time_ns,), np.array([row], np.float64), self.timed, block=False)


def arrange(reading: Reading, names: Sequence[str]) -> tuple[F64, int]:
    """Return the values (B, C) of the named channels, NaN where missing, and how many channels have other names."""
    columns = reading.columns
    missing = [math.nan] * reading.rows
    found = [columns.get(name, missing) for name in names]
    if reading.rows == 1:  # fast path
        values = np.array([[value for (value,) in found]], np.float64)
    else:
        values = np.ascontiguousarray(np.array(found, np.float64).reshape(len(names), reading.rows).T)
    return values, len(columns) - sum(map(columns.__contains__, names))


def named_samples(reading: Reading, times: tuple[int, ...], names: Container[str]) -> Iterator[NamedSample]:
    """Yield the samples at times (B,) one by one, with the named channels only; none if it has no such channel."""
    columns = {name: values for name, values in reading.columns.items() if name in names}
    if columns:
        for index, time_ns in enumerate(times):
            yield NamedSample(time_ns, {name: values[index] for name, values in columns.items()}, reading.timed)


def tabulate(points: Iterable[tuple[int, str, float]], limits: Limits, *, relative: bool = False) -> Reading:
    """Return single values (time in nanoseconds, channel, value) as samples in the order of time, one for each time.

    Raises Undecodable for two values of one channel at one time, or beyond the limits.
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
    """Return a name from a message, quoted and shortened."""
    return repr(name if len(name) <= 40 else name[:40] + "…")
