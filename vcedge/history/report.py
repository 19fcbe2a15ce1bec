"""What a history held that a person should know about: counted while reading, told in a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from vcedge.schema import F64

MAX_LINES = 15
_MAX_TEXTS = 50  # distinct texts counted for a channel; the rest are counted together
_OTHER = "(others)"


@dataclass
class ChannelReport:
    """One channel: how much of it is missing and why, and the range of what is there."""

    missing: int = 0
    """Rows without a usable value, for whatever reason."""
    texts: Counter[str] = field(default_factory=Counter)
    """Cells that are not numbers, each spelling with its count."""
    beyond_limits: int = 0
    low: float = np.inf
    high: float = -np.inf

    def add_text(self, text: str) -> None:
        """Count one cell that is not a number."""
        shown = text if len(text) <= 40 else text[:39] + "…"
        self.texts[shown if shown in self.texts or len(self.texts) < _MAX_TEXTS else _OTHER] += 1

    @property
    def constant(self) -> bool:
        """Whether all values that are there are the same."""
        return self.low == self.high


@dataclass
class FileReport:
    """One file: its rows, and the times they span (ns; None when no time could be read).

    `latest_ns` is the last row's time, for telling whether the next one is in order.
    """

    name: str
    rows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    unsorted: int = 0
    latest_ns: int | None = None


@dataclass
class DataReport:
    """Counts over all files of one reading. Times and intervals are filled by load_history alone."""

    files: list[FileReport] = field(default_factory=list)
    has_time: bool = True
    arranged: bool = False
    """Whether rows were sorted and defective ones left out, as training needs it, or kept as they stand."""
    rows: int = 0
    """Rows read; `used` are what is left without unreadable and repeated times."""
    used: int = 0
    counted: int = 0
    """Rows whose values are counted in `channels`."""
    unreadable_times: int = 0
    duplicate_times: int = 0
    short_rows: int = 0
    long_rows: int = 0
    channels: dict[str, ChannelReport] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that are not channels, each with the reason."""
    period_s: float = 0.0
    interval_q05_s: float = 0.0
    interval_q95_s: float = 0.0
    irregular: float = 0.0
    """Share of intervals that differ from their median by more than 10%."""
    max_gap_s: float = 0.0
    gaps: int = 0
    longest_gap_s: float = 0.0
    sequences: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def unsorted(self) -> int:
        """Rows whose time lies before that of the row above them in the same file."""
        return sum(file.unsorted for file in self.files)

    def observe(self, names: Iterable[str], values: F64) -> None:
        """Count the missing values of some rows (B, C), and widen the ranges seen."""
        self.counted += len(values)
        missing = np.isnan(values).sum(axis=0)
        low = np.fmin.reduce(values, axis=0, initial=np.inf)
        high = np.fmax.reduce(values, axis=0, initial=-np.inf)
        for j, name in enumerate(names):
            channel = self.channels[name]
            channel.missing += int(missing[j])
            channel.low = min(channel.low, float(low[j]))
            channel.high = max(channel.high, float(high[j]))

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        plain: dict[str, Any] = {
            key: value for key, value in vars(self).items() if key not in {"files", "channels", "left_out"}
        }
        plain["unsorted_rows"] = self.unsorted
        plain["warnings"] = list(self.warnings)
        plain["files"] = [
            {key: value for key, value in vars(file).items() if key != "latest_ns"} for file in self.files
        ]
        plain["left_out"] = dict(self.left_out)
        plain["channels"] = {name: _channel_json(channel) for name, channel in self.channels.items()}
        return plain

    def lines(self) -> list[str]:
        """What is noteworthy, one short sentence a line, the warnings last; at most 15 lines."""
        lines = [self._summary(), *self._about_time(), *self._about_rows(), *self._about_channels()]
        room = MAX_LINES - len(lines)
        if len(self.warnings) > room:
            rest = len(self.warnings) - room + 1
            return [*lines, *self.warnings[: room - 1], f"and {rest} more warnings"]
        return [*lines, *self.warnings]

    def _summary(self) -> str:
        text = f"{_many(len(self.files), 'file')}, {_many(self.rows, 'row')}, {_many(len(self.channels), 'channel')}"
        first = [file.first_ns for file in self.files if file.first_ns is not None]
        last = [file.last_ns for file in self.files if file.last_ns is not None]
        if self.has_time and first and last:
            text += f", {utc_text(min(first))} to {utc_text(max(last))} UTC"
        return text

    def _about_time(self) -> list[str]:
        if not self.has_time:
            return [f"no time column: rows are taken as equally spaced, {duration_text(self.period_s)} apart"]
        lines = []
        if self.period_s and self.arranged:
            text = f"a row every {duration_text(self.period_s)}"
            if self.irregular >= 0.01:
                low, high = duration_text(self.interval_q05_s), duration_text(self.interval_q95_s)
                text += f"; {self.irregular:.0%} of the intervals differ by more than 10% (5% to 95%: {low} to {high})"
            lines.append(text)
        if self.gaps:
            lines.append(
                f"{_many(self.gaps, 'gap')} longer than {duration_text(self.max_gap_s)}, the longest "
                f"{duration_text(self.longest_gap_s)}: {_many(self.sequences, 'sequence')}"
            )
        return lines

    def _about_rows(self) -> list[str]:
        counts = [
            (self.unreadable_times, "with a time that cannot be read", "left out"),
            (self.duplicate_times, "with a time that was there before", "left out"),
            (self.unsorted, "not in order of time", "sorted"),
            (self.short_rows, "with too few cells: the rest counts as missing", ""),
            (self.long_rows, "with too many cells: none of them is used", ""),
        ]
        return [
            f"{_many(count, 'row')} {what}" + (f": {done}" if done and self.arranged else "")
            for count, what, done in counts
            if count
        ]

    def _about_channels(self) -> list[str]:
        texts = {name: c for name, c in self.channels.items() if c.texts}
        beyond = {name: c.beyond_limits for name, c in self.channels.items() if c.beyond_limits}
        missing = {name: c.missing for name, c in self.channels.items() if c.missing}
        lines = []
        if texts:
            shown = [f"{name} {c.texts.total()} ({_commonest(c)})" for name, c in _largest(texts)]
            lines.append(f"cells that are not numbers: {_listed(shown, len(texts))}")
        if beyond:
            shown = [f"{name} {count:,}" for name, count in _top(beyond)]
            lines.append(
                f"values beyond the channel's limits (±1e30 where none are stated): {_listed(shown, len(beyond))}"
            )
        if missing:
            shown = [f"{name} {_share(count / self.counted)}" for name, count in _top(missing)]
            lines.append(f"missing: {_listed(shown, len(missing))}")
        for reason in sorted(set(self.left_out.values())):
            names = [name for name, why in self.left_out.items() if why == reason]
            lines.append(f"left out, {reason}: {_listed(names[:6], len(names))}")
        return lines


def utc_text(time_ns: int) -> str:
    """A time for people, to the second, such as 2020-02-08 13:30:47."""
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=time_ns // 1_000_000_000)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def duration_text(seconds: float) -> str:
    """A length of time for people: 250 ms, 1 s, 76 s, 5 min, 1.5 h, 3 days."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 2 * size or (seconds == size and unit != "days"):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s" if seconds >= 0.5 else f"{seconds * 1000:.3g} ms"


def _channel_json(channel: ChannelReport) -> dict[str, Any]:
    seen = channel.low <= channel.high
    return {
        "missing": channel.missing,
        "texts": dict(channel.texts.most_common()),
        "beyond_limits": channel.beyond_limits,
        "low": channel.low if seen else None,
        "high": channel.high if seen else None,
        "constant": channel.constant,
    }


def _commonest(channel: ChannelReport) -> str:
    return ", ".join(f"{text!r}" for text, _ in channel.texts.most_common(2))


def _largest(channels: dict[str, ChannelReport]) -> list[tuple[str, ChannelReport]]:
    return sorted(channels.items(), key=lambda item: -item[1].texts.total())[:3]


def _top(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])[:4]


def _listed(shown: list[str], total: int) -> str:
    more = f" and {total - len(shown)} more" if total > len(shown) else ""
    return ", ".join(shown) + more


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"
