"""The service: messages in, scores out, for all assets of one device, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.assets import Assets, Recipe
from vcedge.runtime.control import Control
from vcedge.runtime.counters import Counters
from vcedge.runtime.intake import HEALTH_PAUSE_S, Intake
from vcedge.runtime.link import Link
from vcedge.runtime.mailbox import Incoming
from vcedge.runtime.mqtt import Identity
from vcedge.runtime.publisher import Publisher
from vcedge.runtime.systemd import READY, STOPPING, WATCHDOG, Notifier
from vcedge.topics import InputTopic

log = logging.getLogger("vcedge.service")
STATS_S = 10.0
HEALTH_S = 30.0
"""Health is published on every change and so often anyway."""
IDLE_S = 0.25
"""Longest sleep of the loop: a signal is noticed within this time."""
FLUSH_S = 5.0
MAX_UNSENT = 5000
"""Results that may wait for the broker before the next message is worked on."""
CROWDED_S = 0.01

Route = Callable[[Incoming], bool]
"""Takes a message and does all that it asks for; False where it is of another kind."""


class Service:
    """Wires the broker to the streams. Everything that can be wrong with its models is found before it is made."""

    def __init__(self, config: RuntimeConfig, recipes: dict[str, Recipe]) -> None:
        """Raises ConfigError for credentials or certificates that cannot be read."""
        boot = str(uuid4())
        outputs = config.outputs
        self._assets = Assets(recipes, boot)
        self._counters = Counters()
        subscriptions = (*InputTopic(config.input.topic).subscriptions(config.assets), outputs.sets)
        self._source = Link(config.mqtt, Identity(f"{config.client_id}-in", subscriptions))
        self._sink = Link(config.mqtt, Identity(config.client_id, will_topic=outputs.status, quiet=True))
        self._publisher = Publisher(outputs, self._sink, boot)
        intake = Intake(config, self._assets, self._counters, self._publisher)
        control = Control(outputs, self._assets, self._counters, self._publisher)
        self._routes: tuple[Route, ...] = (intake.take, control.take)
        self._greeted = (0, 0)
        self._systemd = Notifier()
        self._started_s = self._stats_s = self._health_s = self._beat_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then finish the message at hand, say `offline`, send what waits, and return."""
        for watched in self._assets:
            self._publisher.begin(watched, time.monotonic())
        self._source.start()
        self._sink.start()
        self._systemd.tell(READY)
        while not stop.is_set():
            self._next(stop)
            self._tick(time.monotonic())
        self._systemd.tell(STOPPING)
        self._publisher.status(b"offline")
        if not self._sink.stop(FLUSH_S):
            log.warning("stopped with %d publications that the broker did not take", self._sink.unsent)
        self._source.stop(FLUSH_S)

    def _next(self, stop: threading.Event) -> None:
        """Work on one message, unless too many results wait: then messages wait, in the end at the broker.

        A message is acknowledged when the broker has acknowledged what came of it.
        """
        if self._sink.unsent >= MAX_UNSENT:
            stop.wait(CROWDED_S)
            return
        message = self._source.receive(IDLE_S)
        if message is not None:
            self._handle(message)
            self._sink.afterwards(partial(self._source.acknowledge, message))

    def _handle(self, message: Incoming) -> None:
        """Give a message to the first route that takes it."""
        self._counters.messages += 1
        if not any(take(message) for take in self._routes):
            self._counters.ignored += 1

    def _tick(self, now_s: float) -> None:
        """What happens by the clock: nothing that decides about a sample."""
        self._greet()
        if self._systemd.beat_s is not None and now_s - self._beat_s >= self._systemd.beat_s:
            self._beat_s = now_s
            self._systemd.tell(WATCHDOG)
        if now_s - self._health_s >= HEALTH_PAUSE_S:
            self._health_s = now_s
            for watched in self._assets:
                if now_s - watched.health_s >= HEALTH_S or watched.condition(now_s) != watched.health:
                    self._publisher.health(watched, now_s)
        if now_s - self._stats_s >= STATS_S:
            self._stats_s = now_s
            self._publisher.stats(self._numbers(now_s))

    def _greet(self) -> None:
        """Say `online` after every connect, once messages do arrive: who waits for it may begin to publish."""
        connections = (self._source.connections, self._sink.connections)
        if connections != self._greeted and self._source.listening and self._sink.connected:
            self._greeted = connections
            self._publisher.status(b"online")

    def _numbers(self, now_s: float) -> dict[str, Any]:
        """All statistics of the service; the means begin anew."""
        return self._counters.report() | {
            "drops": self._sink.dropped,
            "queue": self._source.queued,
            "outbox": self._sink.unsent,
            "assets": len(self._assets),
            "connections": self._sink.connections,
            "uptime_s": round(now_s - self._started_s, 1),
        }
