"""The order of results, snapshots and acknowledgements, without a broker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.detectors import tiny_detector
from tests.support.mqtt import wait_until
from tests.support.service import configure
from vcedge.config.runtime import load_runtime_config
from vcedge.model_file import save
from vcedge.runtime.assets.recipes import load_recipes
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.mqtt.outbox import Completion
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.service.acknowledger import Acknowledger, Outcome
from vcedge.runtime.service.connections import Connections
from vcedge.runtime.storage.recent_messages import MIN_SIZE, RecentMessages
from vcedge.runtime.storage.state_dir import StateDir

WINDOW = 1000
MOST = max(WINDOW, MIN_SIZE // 2)
"""Unacknowledged messages beyond which no more are worked on."""


class Harness:
    """Holds an acknowledger; the test decides when the broker has the results."""

    def __init__(self, folder: Path) -> None:
        save(tiny_detector(), folder / "model.vcedge")
        config = load_runtime_config(
            configure(folder, "n", "mqtt://127.0.0.1:1", assets={"pump": {"model": "model.vcedge"}})
        )
        self.disk = StateDir(config.state_dir)
        self.disk.open()
        self.sink = Connection(config.mqtt, Identity("out"))
        assets = AssetRegistry(load_recipes(config), "boot", config.max_assets)
        connections = Connections(source=Connection(config.mqtt, Identity("in")), sink=self.sink)
        self.acknowledger = Acknowledger(self.disk, assets, RecentMessages(), connections, WINDOW)
        self.acknowledger.start()
        self._mid = 0

    def handle(self, outcome: Outcome, count: int = 1) -> None:
        for _ in range(count):
            self._mid += 1
            self.acknowledger.record(Incoming("t", b"", 1, False, 0, self._mid, 1), outcome)

    def tick(self) -> None:
        self.acknowledger.tick(time.monotonic())

    def results_are_safe(self) -> None:
        for item in self.sink.drain():
            if isinstance(item, Completion):
                item.action()


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.results_are_safe()
    harness.acknowledger.close(20)
    harness.disk.close()


def test_messages_during_a_snapshot_are_acknowledged_after_it(harness: Harness) -> None:
    harness.handle(Outcome.USED)
    harness.acknowledger.take_snapshot(time.monotonic())
    harness.handle(Outcome.REFUSED, MOST)
    harness.tick()
    assert harness.acknowledger.is_full, "they wait for the earlier message"
    harness.results_are_safe()
    wait_until(lambda: harness.acknowledger.snapshots == 1, "the snapshot")
    wait_until(lambda: (harness.tick(), harness.acknowledger.unacknowledged == 0)[1], "all to be acknowledged")
    assert not harness.acknowledger.is_full


def test_used_messages_are_acknowledged_after_a_snapshot(harness: Harness) -> None:
    harness.handle(Outcome.USED, 3)
    harness.handle(Outcome.DUPLICATE, 2)
    harness.handle(Outcome.REFUSED, 4)
    harness.tick()
    assert harness.acknowledger.unacknowledged == 9
    harness.acknowledger.take_snapshot(time.monotonic())
    harness.results_are_safe()
    wait_until(lambda: (harness.tick(), harness.acknowledger.unacknowledged == 0)[1], "all to be acknowledged")


def test_refused_messages_are_acknowledged_without_a_snapshot(harness: Harness) -> None:
    harness.handle(Outcome.DUPLICATE, 2)
    harness.handle(Outcome.REFUSED, 4)
    harness.tick()
    assert harness.acknowledger.unacknowledged == 0
    assert harness.acknowledger.snapshots == 0
