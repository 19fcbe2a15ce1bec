"""Publishes all messages of the service: chooses topic, QoS and retention of each payload."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.assets.settings import SettingKind
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.publishing.payloads import (
    deadletter_payload,
    event_payload,
    score_payload,
    state_payload,
    stats_payload,
)
from vcedge.runtime.publishing.published import Condition, Published, threshold_report
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score_block import events_of
from vcedge.topics import OutputTopics

log = logging.getLogger("vcedge.publisher")
REPEAT_S = 30.0
"""Longest time between two publications of health or agreement."""
HEALTH_PAUSE_S = 1.0
"""Least time between two publications of health because of a change."""
STATE_PAUSE_S = 1.0
"""Least time between two publications of the threshold, or of the recent events, because of new samples."""
THRESHOLD_STEP = 0.1
"""Change of the threshold in use that is published, in the unit of the statistic."""


class Publisher:
    """Publishes for one node, and remembers what it last published of each asset."""

    def __init__(self, outputs: OutputTopics, sink: Connection, state_dir: StateDir, boot: str) -> None:
        self._outputs, self._sink, self._state_dir, self._boot = outputs, sink, state_dir, boot
        self._published: defaultdict[str, Published] = defaultdict(Published)

    def published(self, asset: Asset) -> Published:
        """Return what was last published of an asset."""
        return self._published[asset.name]

    def status(self, word: bytes) -> None:
        """Publish `online` or `offline`."""
        self._send(self._outputs.status, word, retain=True)

    def stats(self, numbers: Mapping[str, Any]) -> None:
        """Publish the counters; without a connection they are lost."""
        self._send(self._outputs.stats, stats_payload(self._outputs.node, self._boot, numbers), qos=0)

    def dead_letter(self, message: Incoming, reason: str, asset: str) -> None:
        """Log and publish why a message is not used; without a connection it is only logged."""
        topic = message.topic if message.topic.isprintable() else repr(message.topic)
        log.warning("dead letter: %s: %s", topic, reason, extra=about(id=message.id, asset=asset))
        payload = deadletter_payload(message.id, message.topic, reason, message.payload)
        self._send(self._outputs.deadletter, payload, qos=0)

    def ensure_retained_states(self, asset: Asset) -> None:
        """Publish the retained states of an asset unless they have been published."""
        if self._published[asset.name].anomaly is None:
            self.retained_states(asset, time.monotonic())

    def retained_states(self, asset: Asset, now_s: float) -> None:
        """Publish all retained states: the stream is new, or the broker may have lost them."""
        self._anomaly(asset, on=asset.in_event)
        self.health(asset, now_s)
        for kind in asset.settings.kinds:
            self.setting(asset, kind)
        self.feedback(asset)

    def scores(self, asset: Asset, rows: ScoredRows, anomalies: list[bool], now_s: float) -> None:
        """Publish the results of one message: scores, events, and whether there is an anomaly after each row (N,)."""
        published = self.published(asset)
        published.score, published.score_s = rows.scores[-1], now_s
        self._publish(asset, "score", score_payload(rows, asset.origin))
        events = events_of(rows.scores)
        published.events |= bool(events)
        if not events and len(set(anomalies)) == 1:
            anomalies = anomalies[:1]  # fast path
        for row, anomaly in enumerate(anomalies):
            for event in events.get(row, ()):
                self._publish(asset, "event", event_payload(event, asset.origin))
            if anomaly != published.anomaly:
                self._anomaly(asset, on=anomaly)
        if asset.stream.inhibition.until_ns != published.inhibited_ns:
            self.setting(asset, "inhibit")
        if asset.companions.shadow is not None:
            self._shadow(asset, asset.companions.shadow, now_s)
        self._refresh(asset, published, now_s)

    def setting(self, asset: Asset, kind: SettingKind, refused: str = "") -> None:
        """Publish a setting in force; after a refusal with the reason, which the broker does not retain."""
        if kind not in asset.settings.kinds:
            return
        published = self.published(asset)
        if kind == "inhibit":
            published.inhibited_ns = asset.stream.inhibition.until_ns
        if kind == "threshold":
            published.threshold, published.threshold_s = asset.stream.threshold, time.monotonic()
        payload = state_payload(asset.origin, {**asset.settings.state(kind), "refused": refused})
        self._publish(asset, f"{kind}/state", payload, retain=not refused)

    def feedback(self, asset: Asset, refused: str = "") -> None:
        """Publish the last judgement and the recent events; after a refusal with the reason, which is not retained."""
        published = self.published(asset)
        if not refused:
            published.events, published.feedback_s = False, time.monotonic()
        values = {**asset.judgements.report(), "widening": asset.stream.widening, "refused": refused}
        self._publish(asset, "feedback/state", state_payload(asset.origin, values), retain=not refused)

    def model(self, asset: Asset, state: Mapping[str, Any]) -> None:
        """Publish which model is in charge, and the state of the last update."""
        self._publish(asset, "model/state", state_payload(asset.origin, state), retain=True)

    def model_event(self, asset: Asset, why: str, digest: str) -> None:
        """Publish the outcome of the update with this digest as an event, at the time of the asset's last sample."""
        time_ns = asset.stream.watermark_ns or 0
        event = Event(f"model-{time_ns}-{digest[:8]}", "model", "new", time_ns, time_ns, 0.0, (), why=why)
        self._publish(asset, "event", event_payload(event, asset.origin))

    def health(self, asset: Asset, now_s: float) -> None:
        """Publish the condition of the asset's input."""
        published, durable = self.published(asset), self._state_dir.durable
        published.health, published.health_s = self._condition(asset, now_s), now_s
        status, missing = published.health
        values = {"status": status, **published.last_score(now_s), "missing": missing, **threshold_report(asset)}
        self._publish(asset, "health", state_payload(asset.origin, {**values, "durable": durable}), retain=True)

    def refresh(self, asset: Asset, now_s: float) -> None:
        """Publish what is due: health at a change or after REPEAT_S, and changes of threshold and recent events."""
        self._refresh(asset, self.published(asset), now_s)

    def _refresh(self, asset: Asset, published: Published, now_s: float) -> None:
        age_s = now_s - published.health_s
        if age_s >= REPEAT_S or (age_s >= HEALTH_PAUSE_S and self._condition(asset, now_s) != published.health):
            self.health(asset, now_s)
        if published.events and now_s - published.feedback_s >= STATE_PAUSE_S:
            self.feedback(asset)
        moved = abs(asset.stream.threshold - published.threshold)
        if moved >= THRESHOLD_STEP and now_s - published.threshold_s >= STATE_PAUSE_S:
            self.setting(asset, "threshold")

    def _anomaly(self, asset: Asset, *, on: bool) -> None:
        """Publish ON or OFF."""
        self.published(asset).anomaly = on
        self._publish(asset, "anomaly", b"ON" if on else b"OFF", retain=True)

    def _shadow(self, asset: Asset, shadow: Shadow, now_s: float) -> None:
        """Publish disagreements, a new compute stage, and every REPEAT_S how far the models agree."""
        companions, published = asset.companions, self.published(asset)
        for event in shadow.events:
            self._publish(asset, "event", event_payload(event, asset.origin))
        if shadow.events or now_s - published.agreement_s >= REPEAT_S:
            published.agreement_s = now_s
            payload = state_payload(asset.origin, {"shadow": shadow.model, **shadow.agreement.report()})
            self._publish(asset, "shadow", payload, retain=True)
        if companions.stage_changed:
            companions.stage_changed = False
            self.setting(asset, "stage")

    def _condition(self, asset: Asset, now_s: float) -> Condition:
        """Return the condition of an asset's input, with `not_durable` instead of `ok` if state cannot be saved."""
        status, missing = self.published(asset).condition(asset, now_s)
        return ("not_durable" if status == "ok" and not self._state_dir.durable else status), missing

    def _publish(self, asset: Asset, kind: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish a payload of one asset; `kind` is the rest of its topic."""
        self._send(self._outputs.of(asset.name, kind), payload, retain=retain)

    def _send(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Queue a payload without waiting; the service flushes the connection after each batch of messages."""
        self._sink.publish(topic, payload, qos=qos, retain=retain, wait_s=0.0, wake=False)
