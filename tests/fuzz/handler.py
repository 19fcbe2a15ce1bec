"""The service without a network: it must survive any message with bounded memory."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutate import Mutator
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

NOW_NS = 1_700_000_000 * 10**9
ASSETS = ("pump", "fan-1", "fan-2", "fan-3", "motor", "", " ", "fan-\x00", "fan-" + "x" * 200, "+", "fan-\u202e")
CHANNELS = ("Channel 0", "Channel 1", "Channel 2", "Pressure", "", "#", "\x07")


class Handler:
    """Holds the intake of one codec and everything behind it; results are discarded."""

    def __init__(self, folder: Path, codec: str, random: Random) -> None:
        self._random, self._mutator = random, Mutator(codec, random)
        self._channelled = codec == "value"
        topic = "p/{asset}/{channel}" if self._channelled else "p/{asset}"
        assets = {"pump": {"model": "model.vcedge"}, "fan-*": {"model": "model.vcedge"}}
        given: dict[str, Any] = {"topic": topic, "codec": codec, "burst": 50}
        config = load_runtime_config(configure(folder, "n", "mqtt://127.0.0.1:1", assets=assets, input=given), {})
        config = config.model_copy(update={"max_assets": 2})
        self.counters = Counters()
        self._assets = AssetRegistry(load_recipes(config), "boot", config.max_assets)
        self._sink = Connection(config.mqtt, Identity("fuzz"))
        publisher = Publisher(config.outputs, self._sink, StateDir(config.state_dir), "boot")
        reporting = Reporting(publisher, DeadLetters(publisher, self.counters), self.counters)
        quarantine = Quarantine(InputTopic(topic), config.assets)
        self._intake = Intake(decoder_of(config), self._assets, RecentMessages(), reporting, quarantine)
        self._address_of = topic_parser(InputTopic(topic), config.outputs, config.assets)
        self._number = 0

    def step(self) -> None:
        """Handle one random message; restart an asset now and then."""
        random = self._random
        self._number += 1
        message = self._message()
        if message.address.kind == "sample":
            assert self._intake.handle(message) in Outcome
        assert len(self._assets) <= 3
        if self._number % 100 == 0:
            self._sink.drain()
            self._intake.tick(self._number / 100, listening=random.random() < 0.9, caught_up=random.random() < 0.9)
        if self._number % 1000 == 0:
            for asset in self._assets:
                stored = asset.snapshot()
                self._assets.renew(asset.name).restore(stored)

    def _message(self) -> Incoming:
        random = self._random
        topic = f"p/{random.choice(ASSETS)}"
        if self._channelled:
            topic += f"/{random.choice(CHANNELS)}"
        if random.random() < 0.01:
            topic = random.choice(("", "p", "p/pump/x/y", "other", "p//"))
        arrival_ns = NOW_NS + self._number * 10**8 + random.randrange(10**9)
        flags = random.random() < 0.05, random.random() < 0.01
        mid, address = self._number % 65536, self._address_of(topic)
        return Incoming(topic, self._mutator.message(), 1, flags[0], arrival_ns, mid, 1, flags[1], address)
