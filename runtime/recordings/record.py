"""Records MQTT messages through the service's own decoder, as one CSV file a day for each asset."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from urllib.parse import quote

import numpy as np

from vcedge.history.writer import CsvWriter
from vcedge.runtime.assets.joiner import Joiner, JoinRule
from vcedge.runtime.codecs.reading import NamedSample, Reading, Undecodable, arrange, named_samples
from vcedge.runtime.codecs.registry import Decoder
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.schema import NS_PER_S, schema_of
from vcedge.topics import InputTopic, is_pattern, name_problem
from vcedge.wording import iso_time

log = logging.getLogger("vcedge.record")
LEARN_MESSAGES = 20
"""Without a model, an asset's channels are learned from so many first messages, or from those of LEARN_NS."""
LEARN_NS = 5 * NS_PER_S
MAX_OPEN = 200
"""Files open at once; beyond it the one opened first is closed for now."""
MAX_FILE_NAME = 200
MAX_CHANNELS = 1000
"""Channels of an asset without a model; further ones are left out."""
UNKNOWN = schema_of(["unknown"], 1.0, 10.0)
"""Schema, and so period, for joining the values of an asset without a model."""


class AssetRecord:
    """Writes the files of one asset. A new day begins a new file, and so does a new channel."""

    def __init__(self, name: str, folder: Path, channels: tuple[str, ...] | None) -> None:
        """Write below `folder`. `channels` are those of a model; None learns them from the messages."""
        self._stem = quote(name, safe=" ")
        self._folder = folder
        self._fixed = channels is not None
        self._channels: tuple[str, ...] = channels or ()
        self._columns = self._channels
        self._learning: list[tuple[int, Reading]] | None = None if self._fixed else []
        self._writer: CsvWriter | None = None
        self._day = ""
        self.rows = 0
        self.watermark_ns: int | None = None

    def write(self, reading: Reading, arrival_ns: int) -> None:
        """Write the rows of one message, or hold them while channels are being learned."""
        if self._learning is None:
            self._append(arrival_ns, reading)
            return
        self._learning.append((arrival_ns, reading))
        if len(self._learning) >= LEARN_MESSAGES or arrival_ns - self._learning[0][0] > LEARN_NS:
            self._end_learning()

    def close(self) -> None:
        """Write the rows that are held, and close the file."""
        self._end_learning()
        self.release()

    def release(self) -> None:
        """Close the file for now."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._day = None, ""

    @property
    def is_open(self) -> bool:
        """Whether a file is open."""
        return self._writer is not None

    def _end_learning(self) -> None:
        kept, self._learning = self._learning or [], None
        self._learn(name for _, reading in kept for name in reading.columns)
        for arrival_ns, reading in kept:
            self._append(arrival_ns, reading)

    def _learn(self, names: Iterable[str]) -> None:
        """Add channels, and close the file that lacks some of them."""
        new = tuple(name for name in dict.fromkeys(names) if name not in self._channels and name != "time")
        new = new[: MAX_CHANNELS - len(self._channels)]
        if new:
            self._channels += new
            self.release()

    def _append(self, arrival_ns: int, reading: Reading) -> None:
        if not self._fixed:
            self._learn(reading.columns)
        times = reading.times(arrival_ns)
        latest = max(times)
        self.watermark_ns = latest if self.watermark_ns is None else max(latest, self.watermark_ns)
        self.rows += len(times)
        start = 0
        for end in range(1, len(times) + 1):
            if end == len(times) or _day(times[end]) != _day(times[start]):
                writer = self._file_of(_day(times[start]))
                values, _ = arrange(reading, self._columns)
                writer.append_many(np.array(times[start:end], np.int64), values[start:end])
                start = end

    def _file_of(self, day: str) -> CsvWriter:
        """Return the file of a day: an existing one, with its own columns, if it has all channels."""
        if self._writer is not None and day == self._day:
            return self._writer
        self.release()
        for part in count(1):
            path = self._folder / f"{self._stem}-{day}{'' if part == 1 else f'_{part}'}.csv"
            found = _columns(path)
            if set(found) >= set(self._channels):
                self._columns = found
                break
            if not found:
                self._columns = self._channels
                break
            if not self._fixed:
                self._learn(found)
        self._day, self._writer = day, CsvWriter(path, self._columns, append=True)
        return self._writer


@dataclass(frozen=True)
class AssetPlan:
    """Says how to record an asset: the channels of its model, and how to join parts of samples."""

    channels: tuple[str, ...] | None = None
    join: JoinRule | None = None


class Recorder:
    """Writes messages to the files of their assets."""

    def __init__(
        self, topic: InputTopic, decode: Decoder, assets: Mapping[str, AssetPlan], folder: Path, max_found: int
    ) -> None:
        """Record the assets that match a name or pattern of `assets`, at most `max_found` of them by pattern."""
        self._topic, self._decode = topic, decode
        self._plans = dict(assets)
        self._folder = folder
        self._max_records = max_found + sum(not is_pattern(name) for name in self._plans)
        self._records: dict[str, AssetRecord] = {}
        self._joiners: dict[str, Joiner] = {}
        self.undecodable = 0
        self.ignored = 0

    @property
    def rows(self) -> dict[str, int]:
        """Rows written, by asset."""
        return {name: record.rows for name, record in self._records.items()}

    def handle(self, message: Incoming) -> None:
        """Write the samples of one message. Raises InputOutputError if that fails."""
        asset, channel = self._topic.parse(message.topic) or (None, None)
        record = None if asset is None or message.retained else self._record_of(asset)
        if asset is None or record is None:
            self.ignored += 1
            return
        try:
            reading = self._decode(message.payload).named(channel)
        except Undecodable as reason:
            self.undecodable += 1
            log.warning("%s: left out: %s", message.topic, reason)
            return
        times, watermark = reading.times(message.arrival_ns), record.watermark_ns
        if message.duplicate and reading.timed and watermark is not None and times[-1] <= watermark:
            return
        joiner = self._joiners.get(asset)
        if joiner is None:
            record.write(reading, message.arrival_ns)
            return
        for part in named_samples(reading, times, reading.columns):
            _write_rows(record, joiner.push(part))

    def close(self) -> None:
        """Write the rows that are held of all assets, and close their files."""
        for name, record in self._records.items():
            if name in self._joiners:
                _write_rows(record, self._joiners[name].flush())
            record.close()

    def _record_of(self, name: str) -> AssetRecord | None:
        record = self._records.get(name)
        if record is None:
            key = name if name in self._plans else next((p for p in self._plans if fnmatchcase(name, p)), None)
            if key is None or name_problem(name) or len(self._records) >= self._max_records:
                return None
            if len(quote(name, safe=" ")) > MAX_FILE_NAME:
                return None
            plan = self._plans[key]
            record = self._records[name] = AssetRecord(name, self._folder, plan.channels)
            if plan.join is not None:
                self._joiners[name] = Joiner(plan.join)
        if not record.is_open:
            opened = [other for other in self._records.values() if other.is_open]
            if len(opened) >= MAX_OPEN:
                opened[0].release()
        return record


def _write_rows(record: AssetRecord, rows: Iterable[NamedSample]) -> None:
    """Write samples that were joined."""
    for row in rows:
        record.write(Reading((row.time_ns,), {name: [value] for name, value in row.values.items()}), row.time_ns)


def _day(time_ns: int) -> str:
    return iso_time(time_ns)[:10]


def _columns(path: Path) -> tuple[str, ...]:
    """Return the channels of an existing file; none if it does not exist."""
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return tuple(next(csv.reader(file), []))[1:]
