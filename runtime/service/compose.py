"""Builds a service from its configuration: the only place that knows how its parts are connected."""

from __future__ import annotations

from uuid import uuid4

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.assets.recipes import Recipe
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.codecs.registry import decoder_of
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.monitoring.endpoints import Endpoints
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.publishing.backlog import Backlog
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.service.acknowledger import Acknowledger
from vcedge.runtime.service.addresses import topic_parser
from vcedge.runtime.service.connections import Connections
from vcedge.runtime.service.feedback_control import FeedbackControl
from vcedge.runtime.service.intake import Intake
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.service.reporting import Reporting
from vcedge.runtime.service.service import MB, Handlers, Service, Storage
from vcedge.runtime.service.settings_control import SettingsControl
from vcedge.runtime.storage.recent_messages import MIN_SIZE, RecentMessages
from vcedge.runtime.storage.result_spool import ResultSpool
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.updates.rollout import Rollout
from vcedge.runtime.updates.updates import Updates
from vcedge.topics import InputTopic


def compose(config: RuntimeConfig, recipes: dict[str, Recipe]) -> Service:
    """Return a service that is ready to run, without a connection yet.

    Raises ConfigError or InputNotFound for credentials, certificates, a codec or a key that cannot be used.
    """
    boot, window = str(uuid4()), config.mqtt.receive_maximum
    assets, topic = AssetRegistry(recipes, boot, config.max_assets), InputTopic(config.input.topic)
    connections, recent = _connections(config, topic), RecentMessages(max(MIN_SIZE, 2 * window))
    state_dir, counters = StateDir(config.state_dir), Counters()
    publisher = Publisher(config.outputs, connections.sink, state_dir, boot)
    reporting = Reporting(publisher, DeadLetters(publisher, counters), counters)
    quarantine = Quarantine(topic, config.assets)
    spool = ResultSpool(state_dir, int(config.outbox.max_mb * MB), config.outbox.max_age_s)
    return Service(
        identity={"node": config.node, "boot": boot, "broker": config.mqtt.broker},
        connections=connections,
        assets=assets,
        handlers=Handlers(
            intake=Intake(decoder_of(config), assets, recent, reporting, quarantine),
            settings=SettingsControl(assets, reporting),
            feedback=FeedbackControl(assets, state_dir, reporting),
            updates=Updates(config, assets, Rollout(config, assets, publisher)),
        ),
        storage=Storage(
            state_dir=state_dir,
            backlog=Backlog(state_dir, spool, connections.sink),
            acknowledger=Acknowledger(state_dir, assets, recent, connections, window),
        ),
        reporting=reporting,
        quarantine=quarantine,
        endpoints=Endpoints(config),
    )


def _connections(config: RuntimeConfig, topic: InputTopic) -> Connections:
    """Return the two connections; the names of their clients are the same at every start."""
    subscriptions = (*topic.subscriptions(config.assets), config.outputs.sets)
    receiver = Identity(f"{config.client_id}-in", subscriptions)
    sender = Identity(config.client_id, will_topic=config.outputs.status, persistent=False, quiet=True)
    address_of = topic_parser(topic, config.outputs, config.assets)
    return Connections(source=Connection(config.mqtt, receiver, address_of), sink=Connection(config.mqtt, sender))
