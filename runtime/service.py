"""The service: messages in, scores out, for all assets of one device, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import numpy as np

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.assets import Assets, Recipe, Watched
from vcedge.runtime.link import Link
from vcedge.runtime.mailbox import Incoming
from vcedge.runtime.messages import CODECS, Reading, Undecodable, arrange
from vcedge.runtime.mqtt import Identity
from vcedge.runtime.payloads import (
    deadletter_payload,
    event_payload,
    health_payload,
    score_payload,
    stats_payload,
)
from vcedge.runtime.stream import Score, Stream
from vcedge.runtime.systemd import READY, STOPPING, WATCHDOG, Notifier
from vcedge.schema import F64, Sample
from vcedge.topics import InputTopic

log = logging.getLogger("vcedge.service")
STATS_S = 10.0
HEALTH_S = 30.0
"""Health is published on every change, at most once a second, and so often anyway."""
HEALTH_PAUSE_S = 1.0
IDLE_S = 0.25
"""Longest sleep of the loop: a signal is noticed within this time."""
FLUSH_S = 5.0
MAX_UNSENT = 5000
"""Results that may wait for the broker before the next message is worked on."""
CROWDED_S = 0.01


@dataclass
class Counters:
    """What the service counts; all but the last three since its start, those since the last report."""

    messages: int = 0
    samples: int = 0
    dead_letters: int = 0
    ignored: int = 0
    """Messages of assets that no key of the configuration covers."""
    duplicates: int = 0
    unknown_channels: int = 0
    scored: int = 0
    updated_share: float = 0.0
    us: float = 0.0

    def score(self, scores: list[Score], us: float) -> None:
        """Count the samples of one message."""
        self.samples += len(scores)
        self.scored += len(scores)
        self.us += us * len(scores)
        self.updated_share += sum(score.updated / score.hidden for score in scores if score.hidden)

    def report(self) -> dict[str, float]:
        """Numbers for the stats topic; means begin anew."""
        count = max(1, self.scored)
        numbers: dict[str, float] = {
            "messages": self.messages,
            "samples": self.samples,
            "dead_letters": self.dead_letters,
            "ignored": self.ignored,
            "duplicates": self.duplicates,
            "unknown_channels": self.unknown_channels,
            "updated_share": round(self.updated_share / count, 4),
            "us_tick": round(self.us / count, 1),
        }
        self.scored, self.updated_share, self.us = 0, 0.0, 0.0
        return numbers


class Service:
    """Wires the broker to the streams. Everything that can be wrong with its models is found before it is made."""

    def __init__(self, config: RuntimeConfig, recipes: dict[str, Recipe]) -> None:
        """Raises ConfigError for credentials or certificates that cannot be read."""
        self._boot = str(uuid4())
        self._node = config.node
        self._decode = CODECS[config.input.codec]
        self._input = InputTopic(config.input.topic)
        self._outputs = config.outputs
        self._assets = Assets(recipes, self._boot)
        subscriptions = self._input.subscriptions(config.assets)
        self._source = Link(config.mqtt, Identity(f"{config.client_id}-in", subscriptions))
        self._sink = Link(config.mqtt, Identity(config.client_id, will_topic=self._outputs.status, quiet=True))
        self._greeted = (0, 0)
        self._counters = Counters()
        self._systemd = Notifier()
        self._started_s = self._stats_s = self._health_s = self._beat_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then finish the message at hand, say `offline`, send what waits, and return."""
        for watched in self._assets:
            self._begin(watched)
        self._source.start()
        self._sink.start()
        self._systemd.tell(READY)
        while not stop.is_set():
            self._next(stop)
            self._tick(time.monotonic())
        self._systemd.tell(STOPPING)
        self._sink.publish(self._outputs.status, b"offline", retain=True)
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
        """One message: decode, score, publish."""
        self._counters.messages += 1
        name = self._input.asset_of(message.topic)
        watched = None if name is None else self._assets.find(name)
        if watched is None:
            self._counters.ignored += 1
            return
        try:
            reading = self._decode(message.payload)
        except Undecodable as reason:
            self._counters.dead_letters += 1
            letter = deadletter_payload(message.topic, str(reason), message.payload)
            self._sink.publish(self._outputs.deadletter, letter, qos=0)
            return
        if watched.anomaly is None:
            self._begin(watched)
        times = reading.times_ns
        watermark_ns = watched.stream.watermark_ns
        if message.duplicate and times and watermark_ns is not None and times[-1] <= watermark_ns:
            self._counters.duplicates += 1
            return
        self._score(watched, reading, times or (message.arrival_ns,))

    def _score(self, watched: Watched, reading: Reading, times: tuple[int, ...]) -> None:
        values, unknown = arrange(reading, watched.names)
        self._counters.unknown_channels += unknown
        began_ns = time.perf_counter_ns()
        scores, anomalies = _pushed(watched.stream, times, values)
        us = (time.perf_counter_ns() - began_ns) / 1000 / len(scores)
        self._counters.score(scores, us)
        now_s = time.monotonic()
        watched.remember(scores, now_s)
        arrival = reading.times_ns is None
        payload = score_payload(scores, watched.origin, us, block=reading.block, arrival=arrival)
        self._publish(watched, "score", payload)
        for score, anomaly in zip(scores, anomalies, strict=True):
            for event in score.events:
                self._publish(watched, "event", event_payload(event, watched.origin))
            self._say_anomaly(watched, anomaly)
        if now_s - watched.health_s >= HEALTH_PAUSE_S and watched.condition(now_s) != watched.health:
            self._say_health(watched, now_s)

    def _begin(self, watched: Watched) -> None:
        """A stream starts: what the broker retains of an earlier one may be out of date."""
        self._say_anomaly(watched, False)
        self._say_health(watched, time.monotonic())

    def _say_anomaly(self, watched: Watched, anomaly: bool) -> None:
        if anomaly != watched.anomaly:
            watched.anomaly = anomaly
            self._publish(watched, "anomaly", b"ON" if anomaly else b"OFF", retain=True)

    def _say_health(self, watched: Watched, now_s: float) -> None:
        watched.health, watched.health_s = watched.condition(now_s), now_s
        status, missing = watched.health
        age_s = None if watched.heard_s is None else now_s - watched.heard_s
        stream = watched.stream
        limits = (stream.detector.calibration.threshold, stream.threshold)
        payload = health_payload(watched.origin, status, missing, watched.last, age_s, *limits)
        self._publish(watched, "health", payload, retain=True)

    def _publish(self, watched: Watched, kind: str, payload: bytes, retain: bool = False) -> None:
        self._sink.publish(self._outputs.of(watched.origin.asset, kind), payload, retain=retain)

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
                    self._say_health(watched, now_s)
        if now_s - self._stats_s >= STATS_S:
            self._stats_s = now_s
            self._say_stats(now_s)

    def _greet(self) -> None:
        """Say `online` after every connect, once messages do arrive: who waits for it may begin to publish."""
        connections = (self._source.connections, self._sink.connections)
        if connections != self._greeted and self._source.listening and self._sink.connected:
            self._greeted = connections
            self._sink.publish(self._outputs.status, b"online", retain=True)

    def _say_stats(self, now_s: float) -> None:
        numbers = self._counters.report() | {
            "drops": self._sink.dropped,
            "queue": self._source.queued,
            "outbox": self._sink.unsent,
            "assets": len(self._assets),
            "connections": self._sink.connections,
            "uptime_s": round(now_s - self._started_s, 1),
        }
        self._sink.publish(self._outputs.stats, stats_payload(self._node, self._boot, numbers), qos=0)


def _pushed(stream: Stream, times: tuple[int, ...], values: F64) -> tuple[list[Score], list[bool]]:
    """The scores of one message's rows (N, C), and whether an event is open after each."""
    if len(times) == 1:
        return [stream.push(Sample(times[0], values[0]))], [stream.in_event]
    block = stream.push_block(np.array(times, np.int64), values)
    return list(block), block.in_event.astype(bool).tolist()
