"""Results that the broker does not take now: they wait in memory for a short while, then on disk, and come back after
the live ones, newest first and marked as replayed."""

from __future__ import annotations

import time
from collections import deque
from functools import partial

from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.outbox import Completion, Publication
from vcedge.runtime.publishing.payloads import as_replayed
from vcedge.runtime.storage.result_spool import Record, ResultSpool
from vcedge.runtime.storage.state_dir import StateDir

GRACE_S = 2.0
"""A connection that comes back sooner finds its results in memory."""
EVERY_S = 5.0
"""While the broker is away, results go to disk so often, or when MANY of them wait."""
MANY = 1000
BATCH = 500
"""Results that are replayed at once, and again as a whole where the connection is lost meanwhile."""
MAX_UNSENT = 5000
"""Results that may wait in memory before the next message is worked on."""


class Backlog:
    """Of one service; for the program's own thread."""

    def __init__(self, disk: StateDir, spool: ResultSpool, sink: Connection) -> None:
        self._disk, self._spool, self._sink = disk, spool, sink
        self._away_s: float | None = None
        """Monotonic clock when the connection was first found missing."""
        self._saved_s = 0.0
        self._fails = False
        """Whether the last attempt to write failed."""
        self._connections = 0
        """Number of the connection on which a batch is being replayed; 0: none."""
        self._offers = 0
        """Number of the last offer of a batch: an earlier one that is delivered after all says nothing of this."""
        self._delivered: deque[int] = deque()
        """Offers that the broker has all of."""

    @property
    def stored(self) -> int:
        """Results on disk."""
        return len(self._spool)

    @property
    def size(self) -> int:
        """Their bytes."""
        return self._spool.size

    @property
    def dropped(self) -> int:
        """Results lost because they were too many or too old."""
        return self._spool.dropped + self._sink.dropped

    @property
    def crowded(self) -> bool:
        """Whether too many results wait in memory, and it helps to wait."""
        return self._sink.pending >= MAX_UNSENT and (self._sink.connected or not self._fails)

    def open(self) -> None:
        """Find what an earlier run left on disk."""
        try:
            self._spool.open()
        except OSError as error:
            self._disk.report_failure("outbox", error)

    def tick(self, now_s: float) -> None:
        """Save what waits while the broker is away; replay what is saved when it is back."""
        try:
            if self._sink.connected:
                self._away_s = None
                self._replay()
                return
        except OSError as error:
            self._disk.report_failure("outbox", error)
        if self._away_s is None:
            self._away_s = now_s
        waited = now_s - self._away_s >= GRACE_S and now_s - self._saved_s >= EVERY_S
        if self._sink.pending and (waited or (self._sink.pending >= MANY and not self._fails)):
            self._saved_s = now_s
            self.save()

    def save(self) -> None:
        """Move results from memory to disk, where there is no connection. Of retained states the last of each topic
        stays in memory. What cannot be written stays there too, the oldest dropped when there are too many.
        """
        items = self._sink.drain()
        results = [item for item in items if isinstance(item, Publication) and not item.retain]
        states = {item.topic: item for item in items if isinstance(item, Publication) and item.retain}
        try:
            self._take_off()
            self._connections = 0  # what was offered is not on top any more
            while results:
                self._spool.push(map(_record, results[:BATCH]), _now_ms())
                del results[:BATCH]
            self._disk.report_success("outbox")
        except OSError as error:
            self._disk.report_failure("outbox", error)
        self._fails = bool(results)
        self._sink.requeue([*states.values(), *results])
        for item in items:
            if isinstance(item, Completion):
                item.action()

    def _replay(self) -> None:
        """Offer the newest batch to the connection, one at a time. Where all were too old or damaged there is none."""
        self._take_off()
        connections = self._sink.connect_count
        if self._connections != connections and (batch := self._spool.peek(_now_ms())):
            self._connections = connections
            self._offers += 1
            self._sink.publish_stored(map(_publication, reversed(batch)), partial(self._delivered.append, self._offers))

    def _take_off(self) -> None:
        """Take a batch off the disk that the broker has: before any other is put on top of it."""
        while self._delivered:
            if self._delivered.popleft() == self._offers and self._connections:
                self._connections = 0
                self._spool.pop()


def _record(publication: Publication) -> Record:
    return publication.topic, publication.payload


def _publication(record: Record) -> Publication:
    topic, payload = record
    return Publication(topic, as_replayed(payload), qos=1, retain=False, stored=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
