"""Acknowledges messages when it is safe: their effect is in a snapshot on the medium, and their results are with the
broker or in the outbox on disk.

The states are gathered between two messages. Once the results of all messages so far are safe, a thread of its own
writes the file: a snapshot that is past results which nobody got would lose them. Then the messages are acknowledged,
in their order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from functools import partial
from queue import SimpleQueue
from typing import Any

from vcedge.errors import DataError
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.storage.recent_messages import MIN_SIZE, RecentMessages
from vcedge.runtime.storage.snapshot import SnapshotStore, encode_line
from vcedge.runtime.storage.snapshot_schedule import SnapshotSchedule
from vcedge.runtime.storage.state_dir import StateDir

log = logging.getLogger("vcedge.keeper")
Work = tuple[list[bytes], list[Incoming]]
"""The lines of a snapshot, and the messages to acknowledge when it is written."""


class Keeper:
    """Of one service. All but the writing is done by the program's own thread."""

    def __init__(
        self, disk: StateDir, assets: Assets, recent: RecentMessages, source: Connection, sink: Connection, window: int
    ) -> None:
        self._disk, self._store = disk, SnapshotStore(disk)
        self._assets, self._recent = assets, recent
        self._source, self._sink = source, sink
        self._cadence = SnapshotSchedule(window, time.monotonic())
        self._most = max(window, MIN_SIZE // 2)
        self._connections = 0
        self._pending: list[Incoming] = []
        """Messages to acknowledge since the last snapshot."""
        self._useless: list[Incoming] = []
        """Messages that changed nothing: they are acknowledged without a snapshot,"""
        self._behind = 0
        """but after those that came before them: how many wait for that."""
        self._seen = 0
        """How many of them there were at the last look."""
        self._changed = 0
        """All messages that changed something since the last snapshot."""
        self._under_way: deque[int] = deque()
        """How many messages each snapshot will acknowledge that is not yet written."""
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._run, name="snapshot", daemon=True)
        self._failure: BaseException | None = None
        self.snapshots = 0
        """Snapshots written since the start."""
        self.written_s: float | None = None
        """Monotonic clock when the last one was."""

    @property
    def unacknowledged(self) -> int:
        """Messages that the broker may not forget yet."""
        return len(self._pending) + sum(self._under_way) + self._behind

    @property
    def crowded(self) -> bool:
        """Whether so many messages are unacknowledged that more might be delivered again than are remembered.

        (mosquitto 2.0.11 sends more than its window.)
        """
        return self.unacknowledged >= self._most

    def restore(self) -> None:
        """Go on where a snapshot was taken. What it does not know, or is of another model, starts anew."""
        restored: set[str] = set()
        for number, contents in enumerate(self._store.read()):
            refused: list[str] = []
            for name, (model, state) in contents.assets.items():
                if name not in restored and self._assets.find(name) is not None:
                    (restored.add if self._restored(name, model, state) else refused.append)(name)
            if number == 0:
                self._restore_recent(contents.common)
            if not refused:
                break
            log.warning("of another model than its snapshot, not continued: %s", ", ".join(refused[:5]))
        log.info("assets that go on from a snapshot: %d", len(restored))

    def start(self) -> None:
        """Begin to write."""
        self._writer.start()

    def handled(self, message: Incoming, taken: Taken) -> None:
        """A message was worked on, and what came of it was published.

        One that came before waits like the first time, unless all that changed is on the medium: the broker may have
        delivered it again because the connection was lost, and would forget it now.
        """
        self._changed += taken is Taken.USED
        if message.qos == 0:
            return
        if taken is Taken.USED or (taken is Taken.AGAIN and (self._changed or self._under_way)):
            self._pending.append(message)
        else:
            self._useless.append(message)
            self._behind += bool(self._pending or self._under_way)

    def hurry(self) -> None:
        """Take a snapshot as soon as the message at hand is worked on: somebody relies on what it says."""
        self._cadence.request()

    def tick(self, now_s: float) -> None:
        """Take a snapshot if one is due and the last one is written."""
        if self._failure is not None:
            raise RuntimeError("the thread that writes snapshots ended") from self._failure
        if not self._changed and not self._under_way:  # all that came before is acknowledged: nothing waits for it
            self._useless, self._pending, self._behind = self._pending + self._useless, [], 0
        if self._useless:
            self._source.acknowledge(self._useless)
            self._useless = []
        if len(self._pending) != self._seen:
            self._seen = len(self._pending)
            self._cadence.record_arrival(now_s, self.unacknowledged)
        if self._source.connect_count != self._connections:
            self._connections = self._source.connect_count
            self._cadence.reset()
        if not self._under_way and self._cadence.is_due(now_s, len(self._pending) + self._behind, self._changed):
            self.take(now_s)

    def take(self, now_s: float) -> None:
        """Gather a snapshot, to be written as soon as the results so far are safe."""
        if not self._changed:
            return
        self._cadence.record_snapshot(now_s, len(self._pending) + self._behind)
        lines = [encode_line({"recent": self._recent.snapshot()}), *(watched.line() for watched in self._assets)]
        work: Work = (lines, self._pending)
        self._under_way.append(len(self._pending))
        self._pending, self._seen, self._behind, self._changed = [], 0, 0, 0
        self._sink.when_acknowledged(partial(self._queue.put, work))

    def close(self, timeout_s: float) -> None:
        """Wait until all snapshots are written whose results are safe."""
        self._queue.put(None)
        self._writer.join(timeout_s)

    def _run(self) -> None:
        try:
            while (work := self._queue.get()) is not None:
                self._write(*work)
        except BaseException as error:
            self._failure = error
            raise

    def _write(self, lines: list[bytes], messages: list[Incoming]) -> None:
        """A snapshot that cannot be written holds nothing up: the service then says that it is not durable."""
        try:
            self._store.write(lines)
        except OSError as error:
            self._disk.report_failure("snapshot", error)
        else:
            self._disk.report_success("snapshot")
            self.snapshots += 1
            self.written_s = time.monotonic()
        self._source.acknowledge(messages)
        self._cadence.record_acknowledged(time.monotonic())
        self._under_way.popleft()

    def _restored(self, name: str, model: str, state: dict[str, Any]) -> bool:
        watched = self._assets.find(name)
        if watched is None or watched.origin.model != model:
            return False
        try:
            watched.restore(state)
        except DataError as error:
            log.error("snapshot of asset %s: %s", name, error)
            self._assets.renew(name)
            return False
        return True

    def _restore_recent(self, common: dict[str, Any]) -> None:
        try:
            self._recent.restore(common["recent"])
        except (LookupError, TypeError, ValueError, DataError) as error:
            log.error("snapshot: the latest messages are not known: %s", error)
