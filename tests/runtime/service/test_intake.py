"""Flushing of the joiner: only after a silence that neither the service nor the network causes."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.detectors import START_NS, tiny_detector
from tests.support.service import configure
from vcedge.config.runtime import load_runtime_config
from vcedge.runtime.assets.recipes import load_recipes
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.codecs.registry import decoder_of
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.service.acknowledger import Outcome
from vcedge.runtime.service.addresses import topic_parser
from vcedge.runtime.service.intake import Intake
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.service.reporting import Reporting
from vcedge.runtime.storage.recent_messages import RecentMessages
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.topics import InputTopic


def test_joiner_is_flushed_only_after_a_real_silence(tmp_path: Path) -> None:
    path = configure(tmp_path, "parts", "mqtt://localhost:1", input={"topic": "parts/{asset}/{channel}"})
    config = load_runtime_config(path)
    assets, counters = AssetRegistry(load_recipes(config), "boot", 0), Counters()
    publisher = Publisher(config.outputs, Connection(config.mqtt, Identity("parts")), StateDir(tmp_path), "boot")
    pattern = InputTopic(config.input.topic)
    reporting = Reporting(publisher, DeadLetters(publisher, counters), counters)
    intake = Intake(decoder_of(config), assets, RecentMessages(), reporting, Quarantine(pattern, config.assets))
    topic = f"parts/parts/{tiny_detector().schema.names[0]}"
    payload = b'{"ts": %d, "v": 1.0}' % (START_NS // 10**9)
    address = topic_parser(pattern, config.outputs, config.assets)(topic)
    message = Incoming(topic, payload, 1, False, START_NS, 1, 1, address=address)
    assert intake.handle(message) is Outcome.USED
    now_s, (asset,) = time.monotonic(), assets
    assert asset.joiner is not None
    ticks = 2 * int(2 * asset.joiner.timeout_s + 2)

    def still_pending_after(*, listening: bool, caught_up: bool) -> bool:
        nonlocal now_s
        for _ in range(ticks):
            now_s += 0.5
            intake.tick(now_s, listening=listening, caught_up=caught_up)
        return asset.joiner is not None and asset.joiner.has_pending

    intake.tick(now_s, listening=True, caught_up=True)
    assert still_pending_after(listening=True, caught_up=False)
    now_s += 100.0  # the process was stopped
    intake.tick(now_s, listening=True, caught_up=True)
    assert still_pending_after(listening=False, caught_up=True)
    assert not still_pending_after(listening=True, caught_up=True)
    assert asset.stream.seq == 1
