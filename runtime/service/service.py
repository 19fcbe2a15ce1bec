"""The service: messages in, scores out, for all assets of one device, until it is told to stop."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.assets.recipes import Recipe
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.monitoring.endpoints import Endpoints
from vcedge.runtime.monitoring.status_requests import Report
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.publishing.backlog import Backlog
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import HEALTH_PAUSE_S, Publisher
from vcedge.runtime.publishing.status_report import service_report
from vcedge.runtime.service.acknowledger import Keeper
from vcedge.runtime.service.intake import Intake
from vcedge.runtime.service.lanes import lanes
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.service.settings_control import Control
from vcedge.runtime.service.stage_control import StageControl
from vcedge.runtime.service.systemd import READY, STOPPING, WATCHDOG, Notifier
from vcedge.runtime.storage.recent_messages import MIN_SIZE, RecentMessages
from vcedge.runtime.storage.result_spool import ResultSpool
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.updates.rollout import Trials
from vcedge.runtime.updates.updates import Updates
from vcedge.topics import InputTopic

log = logging.getLogger("vcedge.service")
STATS_S = 10.0
IDLE_S = 0.25
"""Longest sleep of the loop: a signal is noticed within this time."""
BATCH = 32
"""Messages between two looks at the clock; their results wake the network thread once."""
FLUSH_S = 5.0
CROWDED_S = 0.01
DAY_S = 86400.0
MB = 1e6

Route = Callable[[Incoming], Taken]
"""Takes a message and does all that it asks for, unless it is of another kind."""


class Service:
    """Wires the broker to the streams. Everything that can be wrong with its models is found before it is made."""

    def __init__(self, config: RuntimeConfig, recipes: dict[str, Recipe]) -> None:
        """Raises ConfigError for credentials or certificates that cannot be read."""
        boot, outputs, window = str(uuid4()), config.outputs, config.mqtt.receive_maximum
        self._assets = Assets(recipes, boot, config.max_assets)
        self._counters = Counters()
        topic = InputTopic(config.input.topic)
        subscriptions = (*topic.subscriptions(config.assets), outputs.sets)
        receiver = Identity(f"{config.client_id}-in", subscriptions)
        self._source = Connection(config.mqtt, receiver, lanes(topic, outputs, config.assets))
        self._sink = Connection(
            config.mqtt, Identity(config.client_id, will_topic=outputs.status, persistent=False, quiet=True)
        )
        self._disk = StateDir(config.state_dir)
        spool = ResultSpool(self._disk, int(config.outbox.max_mb * MB), config.outbox.max_age_s)
        self._backlog = Backlog(self._disk, spool, self._sink)
        recent = RecentMessages(max(MIN_SIZE, 2 * window))
        self._keeper = Keeper(self._disk, self._assets, recent, self._source, self._sink, window)
        self._publisher = Publisher(outputs, self._sink, self._disk, boot)
        letters = DeadLetters(self._publisher, self._counters)
        self._quarantine = Quarantine(topic, config.assets, self._source)
        self._intake = Intake(config, self._assets, recent, self._counters, self._publisher, letters, self._quarantine)
        control = Control(outputs, self._assets, self._counters, self._publisher, letters, self._keeper.hurry)
        trials = Trials(config, self._assets, self._publisher, self._keeper.hurry)
        self._updates = Updates(config, outputs, self._assets, trials)
        stages = StageControl(outputs, self._assets, self._publisher, letters, self._keeper.hurry)
        self._routes: tuple[Route, ...] = (self._intake.take, self._updates.take, stages.take, control.take)
        self._names = {"node": config.node, "boot": boot, "broker": config.mqtt.broker}
        self._endpoints = Endpoints(config)
        self._greeted, self._forgotten = (0, 0), 0
        self._heard = False
        """Whether the broker has acknowledged the last greeting, and what came before it: the health of all assets."""
        self._systemd = Notifier()
        self._since_ns, self._started_s = time.time_ns(), time.monotonic()
        self._stats_s = self._health_s = self._beat_s = self._started_s

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then finish the messages at hand, keep what is to be kept, and return.

        Raises Unavailable where another service uses the state folder or the port for metrics, ConfigError where that
        port may not be used.
        """
        self._disk.open()
        try:
            self._begin()
            while not stop.is_set():
                self._next(stop)
                self._tick(time.monotonic())
                self._sink.flush()
            self._end()
        finally:
            self._endpoints.close()
            self._disk.close()

    def _begin(self) -> None:
        """Go on where the last run ended, and connect."""
        self._endpoints.open()
        self._keeper.restore()
        self._updates.resume()
        self._backlog.open()
        for watched in self._assets:
            self._publisher.begin(watched, time.monotonic())
        self._keeper.start()
        self._source.start()
        self._sink.start()
        gc.freeze()  # what is loaded stays: the collector need not look through it again and again
        self._systemd.tell(READY)

    def _end(self) -> None:
        """Send what can be sent, keep the rest, and leave in good order."""
        self._systemd.tell(STOPPING)
        self._publisher.status(b"offline")
        self._keeper.take(time.monotonic())
        if not self._sink.stop(FLUSH_S):
            self._backlog.save()
        self._keeper.close(FLUSH_S)
        self._source.stop(FLUSH_S)
        if self._backlog.stored:
            log.warning("stopped with %d results that wait on disk for the broker", self._backlog.stored)

    def _next(self, stop: threading.Event) -> None:
        """Work on what has arrived, unless too much waits to be safe: then messages wait, in the end at the broker."""
        if self._backlog.crowded or self._keeper.crowded:
            stop.wait(CROWDED_S)
            return
        for message in self._source.receive_many(BATCH, IDLE_S):
            self._keeper.handled(message, self._handle(message))

    def _handle(self, message: Incoming) -> Taken:
        """Give a message to the first route that takes it."""
        self._counters.messages += 1
        taken = next((taken for take in self._routes if (taken := take(message)) is not Taken.NOT), Taken.NOT)
        self._counters.ignored += taken is Taken.NOT
        return taken

    def _tick(self, now_s: float) -> None:
        """What happens by the clock: nothing that decides about a sample."""
        self._greet(now_s)
        self._intake.tick(now_s, self._source.subscribed, caught_up=self._source.queued == 0)
        self._quarantine.tick(now_s, self._counters.messages, caught_up=self._source.queued == 0)
        self._updates.tick(now_s)
        self._keeper.tick(now_s)
        self._backlog.tick(now_s)
        if self._endpoints.has_requests:
            self._endpoints.answer(self._report(now_s))
        if self._systemd.beat_s is not None and now_s - self._beat_s >= self._systemd.beat_s:
            self._beat_s = now_s
            self._systemd.tell(WATCHDOG)
        if now_s - self._health_s >= HEALTH_PAUSE_S:
            self._health_s = now_s
            for watched in self._assets:
                self._publisher.refresh(watched, now_s)
        if now_s - self._stats_s >= STATS_S:
            self._stats_s = now_s
            self._publisher.stats(self._numbers(now_s) | self._counters.drain_means())

    def _greet(self, now_s: float) -> None:
        """Say `online` after every connect, once messages do arrive: who waits for it may begin to publish."""
        connections = (self._source.connect_count, self._sink.connect_count)
        if connections != self._greeted and self._source.subscribed and self._sink.connected:
            if self._greeted != (0, 0) and self._source.sessions_lost != self._forgotten:
                for watched in self._assets:
                    self._publisher.begin(watched, now_s)
            self._greeted, self._forgotten = connections, self._source.sessions_lost
            self._publisher.status(b"online")
            self._heard = False
            self._sink.when_acknowledged(self._was_heard)

    def _was_heard(self) -> None:
        self._heard = True

    def _numbers(self, now_s: float) -> dict[str, Any]:
        """All statistics of the service."""
        uptime_s = now_s - self._started_s
        return self._counters.totals() | {
            "status": "ok" if self._disk.durable else "not_durable",
            "trouble": self._disk.problem,
            "drops": self._backlog.dropped,
            "queue": self._source.queued,
            "outbox": self._sink.pending,
            "stored": self._backlog.stored,
            "stored_bytes": self._backlog.size,
            "unacknowledged": self._keeper.unacknowledged,
            "snapshots": self._keeper.snapshots,
            "snapshot_age_s": None if self._keeper.written_s is None else round(now_s - self._keeper.written_s, 1),
            "written_bytes": self._disk.written_bytes,
            "written_mb_day": round(self._disk.written_bytes / MB * DAY_S / max(uptime_s, DAY_S / 24), 2),
            "assets": len(self._assets),
            "incomplete_samples": self._assets.incomplete_samples,
            "quarantined_assets": len(self._quarantine),
            "connections": self._sink.connect_count,
            "client_id_conflicts": self._source.client_id_conflicts + self._sink.client_id_conflicts,
            "uptime_s": round(uptime_s, 1),
        }

    def _report(self, now_s: float) -> Report:
        """What `vcedge status` and metrics are told."""
        links = {"in": self._source, "out": self._sink}
        numbers, work = self._numbers(now_s), self._counters.work()
        return service_report(
            {**self._names, "heard": self._heard}, self._since_ns, links, numbers, work, self._assets, now_s
        )
