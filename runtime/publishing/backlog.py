"""Keeps results during an outage of the broker: first in memory, then on disk.

After the outage they are replayed with lower priority than live results, newest first, and marked as replayed.
"""

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
"""During a shorter outage results stay in memory."""
EVERY_S = 5.0
"""Time between two saves during an outage; MANY waiting results are saved at once."""
MANY = 1000
BATCH = 500
"""Results that are replayed together. If the connection is lost meanwhile, all of them are replayed again."""
MAX_UNSENT = 5000
"""Results in memory beyond which the service handles no further messages."""


class Backlog:
    """Saves and replays the results of one service. Only the main thread may call it."""

    def __init__(self, state_dir: StateDir, spool: ResultSpool, sink: Connection) -> None:
        self._state_dir, self._spool, self._sink = state_dir, spool, sink
        self._away_s: float | None = None
        """Monotonic clock at the beginning of the outage."""
        self._saved_s = 0.0
        self._failed = False
        """Whether the last attempt to write failed."""
        self._connections = 0
        """Number of the connection on which a batch is in flight; 0: none is."""
        self._attempts = 0
        """Number of the last attempt to deliver a batch; a late confirmation of an earlier one is ignored."""
        self._delivered: deque[int] = deque()
        """Attempts that the broker has acknowledged completely."""

    @property
    def stored(self) -> int:
        """The number of results on disk."""
        return len(self._spool)

    @property
    def size(self) -> int:
        """The bytes of the results on disk."""
        return self._spool.size

    @property
    def dropped(self) -> int:
        """Results that were dropped because there were too many, or because they were too old."""
        return self._spool.dropped + self._sink.dropped

    @property
    def is_full(self) -> bool:
        """Whether too many results are in memory, and waiting can reduce them."""
        return self._sink.pending >= MAX_UNSENT and (self._sink.connected or not self._failed)

    def open(self) -> None:
        """Find the results that an earlier run left on disk."""
        try:
            self._spool.open()
        except OSError as error:
            self._state_dir.report_failure("outbox", error)

    def tick(self, now_s: float) -> None:
        """Save results during an outage, and replay them after it."""
        try:
            if self._sink.connected:
                self._away_s = None
                self._replay()
                return
        except OSError as error:
            self._state_dir.report_failure("outbox", error)
        if self._away_s is None:
            self._away_s = now_s
        waited = now_s - self._away_s >= GRACE_S and now_s - self._saved_s >= EVERY_S
        if self._sink.pending and (waited or (self._sink.pending >= MANY and not self._failed)):
            self._saved_s = now_s
            self.save()

    def save(self) -> None:
        """Move results from memory to disk while there is no connection.

        The last retained state of each topic stays in memory, as do results that cannot be written; when there are
        too many of them, the oldest are dropped.
        """
        items = self._sink.drain()
        results = [item for item in items if isinstance(item, Publication) and not item.retain]
        states = {item.topic: item for item in items if isinstance(item, Publication) and item.retain}
        try:
            self._pop_delivered()
            self._connections = 0  # the batch in flight is not on top any more
            while results:
                self._spool.push(map(_record, results[:BATCH]), _now_ms())
                del results[:BATCH]
            self._state_dir.report_success("outbox")
        except OSError as error:
            self._state_dir.report_failure("outbox", error)
        self._failed = bool(results)
        self._sink.requeue([*states.values(), *results])
        for item in items:
            if isinstance(item, Completion):
                item.action()

    def _replay(self) -> None:
        """Send the newest readable batch, if there is one and none is in flight."""
        self._pop_delivered()
        connections = self._sink.connect_count
        if self._connections != connections and (batch := self._spool.peek(_now_ms())):
            self._connections = connections
            self._attempts += 1
            self._sink.publish_stored(
                map(_publication, reversed(batch)), partial(self._delivered.append, self._attempts)
            )

    def _pop_delivered(self) -> None:
        """Remove a delivered batch from disk, before another batch is pushed."""
        while self._delivered:
            if self._delivered.popleft() == self._attempts and self._connections:
                self._connections = 0
                self._spool.pop()


def _record(publication: Publication) -> Record:
    return publication.topic, publication.payload


def _publication(record: Record) -> Publication:
    topic, payload = record
    return Publication(topic, as_replayed(payload), qos=1, retain=False, stored=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
