"""Counts rows, defects and gaps of history files, and reports them in a few lines and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcedge.schema import F64
from vcedge.wording import count, duration, listed, percent, utc_time

MAX_LINES = 15
_MAX_TEXTS = 50  # distinct texts counted for a channel; the rest are counted together
_OTHER = "(others)"


@dataclass
class ChannelReport:
    """Counts the missing values of one channel and the texts among them, and keeps the range of the others."""

    missing: int = 0
    """Rows without a usable value, for any reason."""
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
        """True if all present values are equal."""
        return self.low == self.high

    def to_json(self) -> dict[str, Any]:
        """Return all counts; the range is null without a value."""
        seen = self.low <= self.high
        return {
            "missing": self.missing,
            "texts": dict(self.texts.most_common()),
            "beyond_limits": self.beyond_limits,
            "low": self.low if seen else None,
            "high": self.high if seen else None,
            "constant": self.constant,
        }


@dataclass
class FileReport:
    """Counts the rows of one file and keeps the range of their times (ns; None without a readable one)."""

    name: str
    rows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    unsorted: int = 0
    """Rows whose time is before that of the row above."""
    latest_ns: int | None = None
    """Time of the row read last, with which the next one is compared."""


@dataclass
class DataReport:
    """Counts over all files of one reading. Only load_history fills in times and intervals."""

    files: list[FileReport] = field(default_factory=list)
    has_time: bool = True
    arranged: bool = False
    """True if rows were sorted and defective ones left out, for training; False if they are as in the file."""
    rows: int = 0
    """Rows read."""
    used: int = 0
    """Rows left without unreadable and repeated times."""
    counted: int = 0
    """Rows whose values are counted in `channels`."""
    unreadable_times: int = 0
    duplicate_times: int = 0
    labelled_rows: int = 0
    """Rows that labels name as a fault or as maintenance: no sequence has them."""
    false_alarm_rows: int = 0
    """Rows that labels name as a false alarm."""
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
        """Rows whose time is before that of the row above in the same file."""
        return sum(file.unsorted for file in self.files)

    def observe(self, names: Iterable[str], values: F64) -> None:
        """Count the missing values of some rows (B, C), and widen the channels' ranges."""
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
        """Return all counts as JSON values."""
        plain: dict[str, Any] = {
            key: value for key, value in vars(self).items() if key not in {"files", "channels", "left_out"}
        }
        plain["unsorted_rows"] = self.unsorted
        plain["warnings"] = list(self.warnings)
        plain["files"] = [
            {key: value for key, value in vars(file).items() if key != "latest_ns"} for file in self.files
        ]
        plain["left_out"] = dict(self.left_out)
        plain["channels"] = {name: channel.to_json() for name, channel in self.channels.items()}
        return plain

    def lines(self) -> list[str]:
        """Return the report for a user, one short sentence a line, warnings last; at most MAX_LINES lines."""
        lines = [self._summary(), *self._about_time(), *self._about_rows(), *self._about_channels()]
        room = MAX_LINES - len(lines)
        if len(self.warnings) > room:
            rest = len(self.warnings) - room + 1
            return [*lines, *self.warnings[: room - 1], f"and {rest} more warnings"]
        return [*lines, *self.warnings]

    def _summary(self) -> str:
        text = f"{count(len(self.files), 'file')}, {count(self.rows, 'row')}, {count(len(self.channels), 'channel')}"
        first = [file.first_ns for file in self.files if file.first_ns is not None]
        last = [file.last_ns for file in self.files if file.last_ns is not None]
        if self.has_time and first and last:
            text += f", {utc_time(min(first))} to {utc_time(max(last))} UTC"
        return text

    def _about_time(self) -> list[str]:
        if not self.has_time:
            return [f"no time column: rows are assumed to be {duration(self.period_s)} apart"]
        lines = []
        if self.period_s and self.arranged:
            text = f"a row every {duration(self.period_s)}"
            if self.irregular >= 0.01:
                low, high = duration(self.interval_q05_s), duration(self.interval_q95_s)
                text += f"; {self.irregular:.0%} of the intervals differ by more than 10% (5% to 95%: {low} to {high})"
            lines.append(text)
        if self.gaps:
            lines.append(
                f"{count(self.gaps, 'gap')} longer than {duration(self.max_gap_s)}, the longest "
                f"{duration(self.longest_gap_s)}: {count(self.sequences, 'sequence')}"
            )
        return lines

    def _about_rows(self) -> list[str]:
        counts = [
            (self.unreadable_times, "with an unreadable time", "left out"),
            (self.duplicate_times, "with the time of an earlier row", "left out"),
            (self.labelled_rows, "judged as fault or maintenance", "left out"),
            (self.false_alarm_rows, "judged as false alarm: none may alarm", ""),
            (self.unsorted, "not in order of time", "sorted"),
            (self.short_rows, "with too few cells: the rest counts as missing", ""),
            (self.long_rows, "with too many cells: none of them is used", ""),
        ]
        return [
            f"{count(rows, 'row')} {what}" + (f": {done}" if done and self.arranged else "")
            for rows, what, done in counts
            if rows
        ]

    def _about_channels(self) -> list[str]:
        texts = {name: c.texts.total() for name, c in self.channels.items()}
        beyond = {name: c.beyond_limits for name, c in self.channels.items()}
        missing = {name: c.missing for name, c in self.channels.items()}
        found = [
            ("cells that are not numbers", 3, [f"{n} {k} ({self._commonest(n)})" for n, k in _largest(texts)]),
            (
                "values beyond the channel's limits (±1e30 where none are stated)",
                4,
                [f"{n} {k:,}" for n, k in _largest(beyond)],
            ),
            ("missing", 4, [f"{n} {percent(k / self.counted)}" for n, k in _largest(missing)]),
        ]
        if self.arranged:
            still = [f"{name} ({c.low:g})" for name, c in self.channels.items() if c.constant]
            found.append(("constant, kept because a new value is news", 4, still))
        found += [
            (f"left out, {reason}", 6, [name for name, why in self.left_out.items() if why == reason])
            for reason in sorted(set(self.left_out.values()))
        ]
        return [f"{title}: {listed(items, most)}" for title, most, items in found if items]

    def _commonest(self, name: str) -> str:
        return ", ".join(repr(text) for text, _ in self.channels[name].texts.most_common(2))


def _largest(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the names with a count above 0, the largest first."""
    return sorted(((name, n) for name, n in counts.items() if n), key=lambda item: -item[1])
