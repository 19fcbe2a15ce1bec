"""Stores results on disk during an outage: a stack of batches in a few append-only files, so the newest is read first.

A batch is a header (magic, bytes, CRC-32, number of results, milliseconds since 1970) and the zlib stream of its
results, each as lengths, topic and payload. Batches are pushed and popped at the end of the newest file; the oldest
file is deleted when there are too many bytes. `open` truncates a batch that a crash left incomplete.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vcedge.files import sync_folder
from vcedge.runtime.storage.state_dir import StateDir

log = logging.getLogger("vcedge.spool")
HEADER = struct.Struct("<4sIIIQ")
LENGTHS = struct.Struct("<HI")
MAGIC = b"vco1"
SEGMENT = 1 << 20
"""Bytes after which a new file begins, or an eighth of the limit if that is less."""
LEVEL = 6
"""Compression level of zlib."""
CLOCK_IS_SET_MS = 1_704_067_200_000
"""The year 2024. A clock that shows an earlier time is not set, so that the age of a batch is unknown."""

Record = tuple[str, bytes]
"""Topic and payload."""


@dataclass
class Segment:
    """Tracks the batches in one file."""

    path: Path
    batches: list[tuple[int, int, int]] = field(default_factory=list)
    """Offset, number of results and time (ms) of each batch."""
    size: int = 0

    @property
    def records(self) -> int:
        """Number of results."""
        return sum(count for _, count, _ in self.batches)


class ResultSpool:
    """Stores results as a stack of batches, bounded by bytes and age.

    Every method that writes may raise OSError; the batches that were there are then intact.
    """

    def __init__(self, state_dir: StateDir, max_bytes: int, max_age_s: float) -> None:
        self._state_dir = state_dir
        self._folder = state_dir.path / "outbox"
        self._max_bytes, self._max_age_ms = max_bytes, max_age_s * 1000
        self._segment_bytes = min(SEGMENT, max_bytes // 8)
        self._segments: list[Segment] = []
        self._last = 0
        """Number of the newest file, readable or not, so that no file is overwritten."""
        self.dropped = 0
        """Results deleted because they were too many, too old or damaged."""

    def __len__(self) -> int:
        return sum(segment.records for segment in self._segments)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    def open(self) -> None:
        """Scan the files that an earlier run left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = sorted(path for path in self._folder.glob("*.log") if path.stem.isdecimal())
        self._segments = [segment for segment in map(_scanned, paths) if segment is not None]
        self._last = int(paths[-1].stem) if paths else 0
        if len(self):
            log.info("results of an earlier run in %s: %d", self._folder, len(self))

    def push(self, records: Iterable[Record], now_ms: int) -> None:
        """Push a batch of results; when this returns it is on the medium."""
        parts = [_encoded(topic, payload) for topic, payload in records]
        body = zlib.compress(b"".join(parts), LEVEL)
        data = HEADER.pack(MAGIC, len(body), zlib.crc32(body), len(parts), now_ms) + body
        new = not self._segments or self._segments[-1].size >= self._segment_bytes
        segment = self._begin() if new else self._segments[-1]
        with segment.path.open("wb" if new else "r+b") as file:
            file.seek(segment.size)
            file.truncate()  # a failed attempt may have left bytes
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self._folder)
            self._segments.append(segment)
            self._last += 1
        self._state_dir.count_written(len(data))
        segment.batches.append((segment.size, len(parts), now_ms))
        segment.size += len(data)
        self._expire(now_ms)

    def peek(self, now_ms: int) -> list[Record]:
        """Return the newest readable batch without removing it, its results in their order; empty if there is none."""
        self._expire(now_ms)
        while self._segments:
            segment = self._segments[-1]
            if segment.batches:
                offset, count, _ = segment.batches[-1]
                try:
                    return _decoded(segment.path, offset)
                except (ValueError, struct.error, zlib.error):
                    log.error("%s: a batch of %d results is damaged", segment.path, count)
                    self.dropped += count
                except OSError as error:
                    log.error("%s: %d results cannot be read: %s", segment.path, segment.records, error)
                    self.dropped += segment.records
                    self._segments.pop()
                    continue
            self.pop()
        return []

    def pop(self) -> None:
        """Remove the newest batch."""
        segment = self._segments[-1]
        if segment.batches:
            segment.size = segment.batches.pop()[0]
        if segment.batches:
            os.truncate(segment.path, segment.size)
        else:
            self._segments.pop()
            segment.path.unlink()

    def _begin(self) -> Segment:
        self._folder.mkdir(parents=True, exist_ok=True)
        return Segment(self._folder / f"{self._last + 1:08d}.log")

    def _expire(self, now_ms: int) -> None:
        """Delete the oldest file while there are too many bytes or its last batch is too old."""
        while self._segments:
            first = self._segments[0]
            last_ms = first.batches[-1][2] if first.batches else now_ms
            old = CLOCK_IS_SET_MS < last_ms < now_ms - self._max_age_ms
            if not old and (len(self._segments) == 1 or self.size <= self._max_bytes):
                return
            log.warning("%s: deleted %d results, %s", first.path, first.records, "too old" if old else "too many")
            self.dropped += first.records
            first.path.unlink(missing_ok=True)
            del self._segments[0]


def _encoded(topic: str, payload: bytes) -> bytes:
    name = topic.encode()
    return LENGTHS.pack(len(name), len(payload)) + name + payload


def _decoded(path: Path, offset: int) -> list[Record]:
    """Return the results of one batch. Raises ValueError, struct.error or zlib.error if it is damaged, and OSError."""
    with path.open("rb") as file:
        file.seek(offset)
        _, size, crc, _, _ = HEADER.unpack(file.read(HEADER.size))
        body = file.read(size)
    if zlib.crc32(body) != crc:
        raise ValueError("the checksum differs")
    data, position, records = zlib.decompress(body), 0, []
    while position < len(data):
        name, length = LENGTHS.unpack_from(data, position)
        start = position + LENGTHS.size
        position = start + name + length
        records.append((data[start : start + name].decode(), data[start + name : position]))
    return records


def _scanned(path: Path) -> Segment | None:
    """Find the batches of a file by their headers, and truncate what follows the last complete one.

    Returns None for a file that cannot be read, which stays as it is.
    """
    segment = Segment(path)
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            while len(head := file.read(HEADER.size)) == HEADER.size:
                magic, size, _, count, time_ms = HEADER.unpack(head)
                end = segment.size + HEADER.size + size
                if magic != MAGIC or end > total:
                    break
                segment.batches.append((segment.size, count, time_ms))
                segment.size = end
                file.seek(end)
        if segment.size < total:
            log.warning("%s: truncated %d bytes of an incomplete batch at the end", path, total - segment.size)
            os.truncate(path, segment.size)
    except OSError as error:
        log.error("%s: results of an earlier run cannot be read: %s", path, error)
        return None
    return segment
