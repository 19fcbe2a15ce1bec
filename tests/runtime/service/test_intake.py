"""When parts of a sample are no longer waited for: only in a silence that is sure to be one."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.detectors import START_NS, tiny_detector
from tests.support.service import configure
from vcedge.config.runtime import load_runtime_config
from vcedge.runtime.assets.recipes import load_recipes
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.service.intake import Intake
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.storage.recent_messages import RecentMessages
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.topics import InputTopic


def test_what_may_be_on_its_way_is_waited_for(tmp_path: Path) -> None:
    path = configure(tmp_path, "parts", "mqtt://localhost:1", input={"topic": "parts/{asset}/{channel}"})
    config = load_runtime_config(path)
    sink = Connection(config.mqtt, Identity("parts"))
    assets, counters = Assets(load_recipes(config), "boot", 0), Counters()
    publisher = Publisher(config.outputs, sink, StateDir(tmp_path), "boot")
    quarantine = Quarantine(InputTopic(config.input.topic), config.assets, sink)
    letters = DeadLetters(publisher, counters)
    intake = Intake(config, assets, RecentMessages(), counters, publisher, letters, quarantine)
    topic = f"parts/parts/{tiny_detector().schema.names[0]}"
    payload = b'{"ts": %d, "v": 1.0}' % (START_NS // 10**9)
    assert intake.take(Incoming(topic, payload, 1, False, START_NS, 1, 1)) is Taken.USED
    now_s, (watched,) = time.monotonic(), assets
    assert watched.joiner is not None
    patience = 2 * int(2 * watched.joiner.patience_s + 2)

    def pass_by(listening: bool, caught_up: bool) -> bool:
        nonlocal now_s
        for _ in range(patience):
            now_s += 0.5
            intake.tick(now_s, listening, caught_up)
        return watched.joiner is not None and watched.joiner.waiting

    intake.tick(now_s, listening=True, caught_up=True)
    assert pass_by(listening=True, caught_up=False)
    now_s += 100.0  # the process was stopped
    intake.tick(now_s, listening=True, caught_up=True)
    assert pass_by(listening=False, caught_up=True)
    assert not pass_by(listening=True, caught_up=True)
    assert watched.stream.seq == 1
