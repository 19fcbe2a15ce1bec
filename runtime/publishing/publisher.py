"""All that the service says: which payload goes to which topic, and whether the broker retains it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.settings import KINDS, Kind
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.publishing.payloads import (
    deadletter_payload,
    event_payload,
    health_payload,
    report_payload,
    score_payload,
    setting_payload,
    stats_payload,
)
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.score_block import events_of
from vcedge.topics import OutputTopics

log = logging.getLogger("vcedge.publisher")
HEALTH_S = 30.0
"""Health is published on every change, at most once in HEALTH_PAUSE_S, and so often anyway."""
HEALTH_PAUSE_S = 1.0


class Publisher:
    """Of one node. What was last said of an asset is kept there (`Watched`), and is not said again."""

    def __init__(self, outputs: OutputTopics, sink: Connection, disk: StateDir, boot: str) -> None:
        self._outputs = outputs
        self._sink = sink
        self._disk = disk
        self._boot = boot

    def status(self, word: bytes) -> None:
        """`online` or `offline`."""
        self._send(self._outputs.status, word, retain=True)

    def stats(self, numbers: Mapping[str, Any]) -> None:
        """Counters; lost where there is no connection."""
        self._send(self._outputs.stats, stats_payload(self._outputs.node, self._boot, numbers), qos=0)

    def deadletter(self, message: Incoming, reason: str, asset: str) -> None:
        """What could not be read, and why; lost where there is no connection, but for its line in the log."""
        topic = message.topic if message.topic.isprintable() else repr(message.topic)
        log.warning("dead letter: %s: %s", topic, reason, extra=about(id=message.id, asset=asset))
        payload = deadletter_payload(message.id, message.topic, reason, message.payload)
        self._send(self._outputs.deadletter, payload, qos=0)

    def begin(self, watched: Watched, now_s: float) -> None:
        """A stream starts, or the broker may have forgotten what it was to retain: say all of that."""
        watched.anomaly = None
        self.anomaly(watched, watched.stream.in_event or watched.companions.in_event)
        self.health(watched, now_s)
        for kind in KINDS:
            self.setting(watched, kind)
        self.stage(watched)

    def scores(
        self, watched: Watched, scores: Sequence[Score], anomalies: list[bool], us: float, *, block: bool, arrival: bool
    ) -> None:
        """What came of one message: its scores, then their events and whether an event is open after each."""
        self.of(watched, "score", score_payload(scores, watched.origin, us, block=block, arrival=arrival))
        events = events_of(scores)
        if not events and len(set(anomalies)) == 1:
            anomalies = anomalies[:1]  # the usual block
        for row, anomaly in enumerate(anomalies):
            for event in events.get(row, ()):
                self.of(watched, "event", event_payload(event, watched.origin))
            self.anomaly(watched, anomaly)
        if watched.stream.operation.until_ns != watched.inhibited_ns:
            self.setting(watched, "inhibit")

    def companions(self, watched: Watched, now_s: float) -> None:
        """What the models beside the one in charge brought: disagreements, now and then how they agree, and a stage."""
        companions, twin = watched.companions, watched.companions.twin
        if twin is None:
            return
        for event in twin.events:
            self.of(watched, "event", event_payload(event, watched.origin))
        if twin.events or now_s - twin.said_s >= HEALTH_S:
            twin.said_s = now_s
            payload = report_payload(watched.origin, {"shadow": twin.model, **twin.agreement.report()})
            self.of(watched, "shadow", payload, retain=True)
        if companions.stage_changed:
            companions.stage_changed = False
            self.stage(watched)

    def stage(self, watched: Watched, refused: str = "") -> None:
        """How far compute is given up; after a refusal with the reason, which the broker does not retain."""
        stages = watched.companions.stages
        if stages is not None:
            payload = setting_payload(watched.origin, stages.report(), refused)
            self.of(watched, "stage/state", payload, retain=not refused)

    def model(self, watched: Watched, state: Mapping[str, Any]) -> None:
        """Which model is in charge, and what became of the last update."""
        self.of(watched, "model/state", report_payload(watched.origin, state), retain=True)

    def model_event(self, watched: Watched, why: str, digest: str) -> None:
        """What became of the update with this digest, as an event. Its time is that of the asset's last sample."""
        time_ns = watched.stream.watermark_ns or 0
        event = Event(f"model-{time_ns}-{digest[:8]}", "model", "new", time_ns, time_ns, 0.0, (), why=why)
        self.of(watched, "event", event_payload(event, watched.origin))

    def setting(self, watched: Watched, kind: Kind, refused: str = "") -> None:
        """A setting as it holds; after a refusal with the reason, which the broker does not retain."""
        watched.inhibited_ns = watched.stream.operation.until_ns
        payload = setting_payload(watched.origin, watched.settings.state(kind), refused)
        self.of(watched, f"{kind}/state", payload, retain=not refused)

    def anomaly(self, watched: Watched, anomaly: bool) -> None:
        """ON or OFF, where it changed."""
        if anomaly != watched.anomaly:
            watched.anomaly = anomaly
            self.of(watched, "anomaly", b"ON" if anomaly else b"OFF", retain=True)

    def health(self, watched: Watched, now_s: float) -> None:
        """How the asset's input is doing."""
        watched.health, watched.health_s = self._condition(watched, now_s), now_s
        status, missing = watched.health
        age_s = None if watched.heard_s is None else now_s - watched.heard_s
        stream = watched.stream
        limits = (stream.detector.calibration.threshold, stream.threshold)
        payload = health_payload(watched.origin, status, missing, watched.last, age_s, *limits, self._disk.durable)
        self.of(watched, "health", payload, retain=True)

    def refresh(self, watched: Watched, now_s: float) -> None:
        """Say an asset's health where it changed, at most once a second, or was not said for long."""
        age_s = now_s - watched.health_s
        if age_s >= HEALTH_S or (age_s >= HEALTH_PAUSE_S and self._condition(watched, now_s) != watched.health):
            self.health(watched, now_s)

    def _condition(self, watched: Watched, now_s: float) -> tuple[str, tuple[str, ...]]:
        """Status and missing channels; an input that is well is `not_durable` where nothing can be kept."""
        status, missing = watched.condition(now_s)
        return ("not_durable" if status == "ok" and not self._disk.durable else status), missing

    def of(self, watched: Watched, kind: str, payload: bytes, retain: bool = False) -> None:
        """A payload of one asset; `kind` is the rest of its topic."""
        self._send(self._outputs.of(watched.origin.asset, kind), payload, retain=retain)

    def _send(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> None:
        """Scoring waits for nobody; who works on several messages flushes the link after them."""
        self._sink.publish(topic, payload, qos=qos, retain=retain, wait_s=0.0, wake=False)
