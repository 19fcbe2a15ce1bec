"""Replay of stored results: only a batch that the broker has acknowledged is removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast
from uuid import uuid4

from tests.support.mosquitto import Mosquitto
from vcedge.config.mqtt import MqttConfig
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.outbox import Outgoing, Publication
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.publishing.backlog import Backlog
from vcedge.runtime.storage.result_spool import CLOCK_IS_SET_MS, ResultSpool
from vcedge.runtime.storage.state_dir import StateDir

OLD_MS = CLOCK_IS_SET_MS + 1


def test_results_that_are_too_old_are_not_replayed(shared_broker: Mosquitto, tmp_path: Path) -> None:
    disk = StateDir(tmp_path)
    spool = ResultSpool(disk, 10**6, max_age_s=60.0)
    link = Connection(MqttConfig(broker=shared_broker.url), Identity(f"old-{uuid4().hex[:8]}", persistent=False))
    backlog = Backlog(disk, spool, link)
    backlog.open()
    spool.push([("t", b"{}")], OLD_MS)
    link.start()
    try:
        assert link.wait_connected(20.0)
        for _ in range(2):
            backlog.tick(time.monotonic())
            settled = threading.Event()
            link.when_acknowledged(settled.set)
            assert settled.wait(20.0)
        assert backlog.stored == 0
    finally:
        link.stop(2.0)


class FakeConnection:
    """Stands in for a connection that the test interrupts and restores."""

    def __init__(self) -> None:
        self.connected, self.connect_count, self.pending, self.dropped = True, 1, 0, 0
        self.offered: list[Callable[[], None]] = []
        self.waiting: list[Outgoing] = []

    def publish_stored(self, publications: Iterable[Publication], done: Callable[[], None]) -> None:
        """Store the callback of the publication."""
        self.offered.append(done)

    def drain(self) -> list[Outgoing]:
        """Return and remove everything that waits."""
        taken, self.waiting = self.waiting, []
        return taken

    def requeue(self, items: list[Outgoing]) -> None:
        """Put items back to the front of the queue."""
        self.waiting = items + self.waiting


def test_late_acknowledgement_removes_no_other_batch(tmp_path: Path) -> None:
    """The connection is lost after a batch was sent, and another batch is stored before its acknowledgement."""
    now_ms = time.time_ns() // 1_000_000
    disk, sink = StateDir(tmp_path), FakeConnection()
    spool = ResultSpool(disk, 10**6, max_age_s=1e6)
    backlog = Backlog(disk, spool, cast(Connection, sink))
    backlog.open()
    spool.push([("t", b'{"seq":1}')], now_ms)
    backlog.tick(0.0)
    sink.connected = False
    sink.waiting = [Publication("t", b'{"seq":2}', 1, False)]
    backlog.save()
    sink.connected, sink.connect_count = True, 2
    sink.offered[0]()
    backlog.tick(10.0)
    assert backlog.stored == 2
    sink.offered[1]()
    backlog.tick(11.0)
    assert spool.peek(now_ms) == [("t", b'{"seq":1}')]
