"""Acknowledges a message when its effect is in a snapshot on disk, and its results are with the broker or on disk.

The states are collected between two messages. A thread writes the file once the results of all messages so far are with
the broker or on disk: else a crash could lose results whose messages are already in the snapshot. Then the messages are
acknowledged, in their order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from enum import Enum
from functools import partial
from queue import SimpleQueue
from typing import Any

from vcedge.errors import DataError
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.service.connections import Connections
from vcedge.runtime.storage.recent_messages import MIN_SIZE, RecentMessages
from vcedge.runtime.storage.snapshot import SnapshotStore, encode_line
from vcedge.runtime.storage.snapshot_schedule import SnapshotSchedule
from vcedge.runtime.storage.state_dir import StateDir

log = logging.getLogger("vcedge.acknowledger")
Work = tuple[list[bytes], list[Incoming]]
"""The lines of a snapshot, and the messages to acknowledge when it is written."""


class Outcome(Enum):
    """Says what handling a message changed, which decides when it is acknowledged."""

    REFUSED = 0
    """Nothing: it could not be read, or is not accepted."""
    DUPLICATE = 1
    """Nothing: it is a duplicate. Its first delivery may not be in a snapshot yet."""
    USED = 2
    """State that a restart must keep."""
    URGENT = 3
    """State that a person or program relies on from now on: the next snapshot should follow soon."""


class Acknowledger:
    """Takes snapshots and acknowledges messages. A thread of its own writes the files, and does nothing else."""

    def __init__(
        self, state_dir: StateDir, assets: AssetRegistry, recent: RecentMessages, connections: Connections, window: int
    ) -> None:
        """Prepare the snapshots; `window` is Receive Maximum, the messages that the broker may send unacknowledged."""
        self._state_dir, self._store = state_dir, SnapshotStore(state_dir)
        self._assets, self._recent = assets, recent
        self._source, self._sink = connections.source, connections.sink
        self._schedule = SnapshotSchedule(window, time.monotonic())
        self._most = max(window, MIN_SIZE // 2)
        self._connect_count = 0
        self._pending: list[Incoming] = []
        """Messages to acknowledge with the next snapshot."""
        self._unchanging: list[Incoming] = []
        """Messages that changed nothing: they need no snapshot, and wait only for the messages before them."""
        self._behind = 0
        """Number of messages that changed nothing and wait for messages before them."""
        self._seen = 0
        """Length of `_pending` at the last tick."""
        self._changed = 0
        """Messages since the last snapshot that changed something, including those of QoS 0."""
        self._in_progress: deque[int] = deque()
        """For each snapshot that is not written yet, how many messages it will acknowledge."""
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._run, name="snapshot", daemon=True)
        self._failure: BaseException | None = None
        self.snapshots = 0
        """Snapshots written since the start."""
        self.written_s: float | None = None
        """Monotonic clock at the last snapshot."""

    @property
    def unacknowledged(self) -> int:
        """Number of messages that the broker still has to keep."""
        return len(self._pending) + sum(self._in_progress) + self._behind

    @property
    def is_full(self) -> bool:
        """Whether more unacknowledged messages could be redelivered than duplicates are remembered.

        (mosquitto 2.0.11 sends more than its window.)
        """
        return self.unacknowledged >= self._most

    def restore(self) -> None:
        """Continue from the newest snapshot. An asset that it lacks, or of another model, starts with a new state."""
        restored: set[str] = set()
        for number, contents in enumerate(self._store.read()):
            refused: list[str] = []
            for name, (model, state) in contents.assets.items():
                if name not in restored and self._assets.find(name) is not None:
                    (restored.add if self._restore_asset(name, model, state) else refused.append)(name)
            if number == 0:
                self._restore_recent(contents.common)
            if not refused:
                break
            log.warning("snapshot is of another model; assets that start with a new state: %s", ", ".join(refused[:5]))
        log.info("assets restored from a snapshot: %d", len(restored))

    def start(self) -> None:
        """Start the thread that writes snapshots."""
        self._writer.start()

    def record(self, message: Incoming, outcome: Outcome) -> None:
        """Record a message that was handled, and whose results were published.

        A duplicate waits like its first delivery unless all changes are on disk: the broker may have sent it again
        because the connection was lost, and would drop it now.
        """
        used = outcome in (Outcome.USED, Outcome.URGENT)
        self._changed += used
        if outcome is Outcome.URGENT:
            self.request_snapshot()
        if message.qos == 0:
            return
        if used or (outcome is Outcome.DUPLICATE and (self._changed or self._in_progress)):
            self._pending.append(message)
        else:
            self._unchanging.append(message)
            self._behind += bool(self._pending or self._in_progress)

    def request_snapshot(self) -> None:
        """Request a snapshot soon, because something relies on the present state."""
        self._schedule.request()

    def tick(self, now_s: float) -> None:
        """Take a snapshot if one is due and the last one is written."""
        if self._failure is not None:
            raise RuntimeError("the thread that writes snapshots ended") from self._failure
        if not self._changed and not self._in_progress:  # all changes are on disk: no message has to wait
            self._unchanging, self._pending, self._behind = self._pending + self._unchanging, [], 0
        if self._unchanging:
            self._source.acknowledge(self._unchanging)
            self._unchanging = []
        if len(self._pending) != self._seen:
            self._seen = len(self._pending)
            self._schedule.record_arrival(now_s, self.unacknowledged)
        if self._source.connect_count != self._connect_count:
            self._connect_count = self._source.connect_count
            self._schedule.reset()
        if not self._in_progress and self._schedule.is_due(now_s, len(self._pending) + self._behind, self._changed):
            self.take_snapshot(now_s)

    def take_snapshot(self, now_s: float) -> None:
        """Collect the states, to be written as soon as the results so far are safe."""
        if not self._changed:
            return
        self._schedule.record_snapshot(now_s, len(self._pending) + self._behind)
        lines = [encode_line({"recent": self._recent.snapshot()}), *(asset.snapshot_line() for asset in self._assets)]
        work: Work = (lines, self._pending)
        self._in_progress.append(len(self._pending))
        self._pending, self._seen, self._behind, self._changed = [], 0, 0, 0
        self._sink.when_acknowledged(partial(self._queue.put, work))

    def close(self, timeout_s: float) -> None:
        """Wait until the snapshots are written for which all results are safe."""
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
        """Write a snapshot and acknowledge its messages. If the disk fails, the service reports `not_durable`."""
        try:
            self._store.write(lines)
        except OSError as error:
            self._state_dir.report_failure("snapshot", error)
        else:
            self._state_dir.report_success("snapshot")
            self.snapshots += 1
            self.written_s = time.monotonic()
        self._source.acknowledge(messages)
        self._schedule.record_acknowledged(time.monotonic())
        self._in_progress.popleft()

    def _restore_asset(self, name: str, model: str, state: dict[str, Any]) -> bool:
        asset = self._assets.find(name)
        if asset is None or asset.origin.model != model:
            return False
        try:
            asset.restore(state)
        except DataError as error:
            log.error("snapshot of asset %s: %s", name, error)
            self._assets.renew(name)
            return False
        return True

    def _restore_recent(self, common: dict[str, Any]) -> None:
        try:
            self._recent.restore(common["recent"])
        except (LookupError, TypeError, ValueError, DataError) as error:
            log.error("snapshot: the recent messages cannot be restored: %s", error)
