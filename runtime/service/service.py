"""The main loop of the service: messages in, scores out, for all assets of one device, until it is stopped."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.monitoring.endpoints import Endpoints
from vcedge.runtime.monitoring.status_requests import Report
from vcedge.runtime.mqtt.inbox import Incoming, MessageKind
from vcedge.runtime.publishing.backlog import Backlog
from vcedge.runtime.publishing.publisher import HEALTH_PAUSE_S
from vcedge.runtime.publishing.status_report import asset_report, service_report
from vcedge.runtime.service.acknowledger import Acknowledger, Outcome
from vcedge.runtime.service.connections import Connections
from vcedge.runtime.service.feedback_control import FeedbackControl
from vcedge.runtime.service.intake import Intake
from vcedge.runtime.service.presence import Presence
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.service.reporting import Reporting
from vcedge.runtime.service.settings_control import SettingsControl
from vcedge.runtime.service.systemd import READY, STOPPING, WATCHDOG, Notifier
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.updates.updates import Updates

log = logging.getLogger("vcedge.service")
STATS_S = 10.0
IDLE_S = 0.25
"""Longest sleep of the loop: a signal is noticed within this time."""
BATCH = 32
"""Messages handled between two ticks; their results wake the network thread once."""
FLUSH_S = 5.0
"""Longest wait for the last results and snapshots at a stop."""
FULL_S = 0.01
"""Sleep of the loop while too many results wait."""
DAY_S = 86400.0
MB = 1e6


@dataclass(frozen=True)
class Handlers:
    """Groups what handles each kind of message."""

    intake: Intake
    settings: SettingsControl
    feedback: FeedbackControl
    updates: Updates

    def by_kind(self) -> dict[MessageKind, Callable[[Incoming], Outcome]]:
        """Return the handler of each kind that has one."""
        return {
            "sample": self.intake.handle,
            "setting": self.settings.handle,
            "feedback": self.feedback.handle,
            "model": self._handle_update,
        }

    def _handle_update(self, message: Incoming) -> Outcome:
        return Outcome.USED if self.updates.handle(message) else Outcome.REFUSED


@dataclass(frozen=True)
class Storage:
    """Groups what keeps states and results on disk."""

    state_dir: StateDir
    backlog: Backlog
    acknowledger: Acknowledger


@dataclass(kw_only=True)
class Service:
    """Runs the parts that `compose` connects. One thread, the caller of `run`, does all work on them."""

    identity: Mapping[str, str]
    """node, boot and broker, as the status report has them."""
    connections: Connections
    assets: AssetRegistry
    handlers: Handlers
    storage: Storage
    reporting: Reporting
    quarantine: Quarantine
    endpoints: Endpoints
    stats_s: float = STATS_S
    """Seconds between two publications of the statistics."""

    def __post_init__(self) -> None:
        self._handle_by_kind = self.handlers.by_kind()
        self._presence = Presence(self.connections, self.assets, self.reporting.publisher)
        self._systemd = Notifier()
        self._since_ns, self._started_s = time.time_ns(), time.monotonic()
        self._stats_at_s = self._health_at_s = self._watchdog_at_s = self._started_s

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then finish the received batch, save state and results, and return.

        Raises Unavailable if another service uses the state folder or the port for metrics, ConfigError if that port
        may not be used.
        """
        self.storage.state_dir.open()
        try:
            self._begin()
            while not stop.is_set():
                self._handle_next(stop)
                self._tick(time.monotonic())
                self.connections.sink.flush()
            self._end()
        finally:
            self.endpoints.close()
            self.storage.state_dir.close()

    def _begin(self) -> None:
        """Restore the state of the last run, and connect."""
        acknowledger = self.storage.acknowledger
        self.endpoints.open()
        acknowledger.restore()
        if self.handlers.updates.resume():
            acknowledger.request_snapshot()
        self.storage.backlog.open()
        for asset in self.assets:
            self.reporting.publisher.retained_states(asset, time.monotonic())
        acknowledger.start()
        self.connections.source.start()
        self.connections.sink.start()
        gc.freeze()  # what is loaded by now stays loaded: spares the collector scanning it
        self._systemd.notify(READY)

    def _end(self) -> None:
        """Send the waiting results, save the rest, and disconnect."""
        backlog, acknowledger = self.storage.backlog, self.storage.acknowledger
        self._systemd.notify(STOPPING)
        self.reporting.publisher.status(b"offline")
        acknowledger.take_snapshot(time.monotonic())
        if not self.connections.sink.stop(FLUSH_S):
            backlog.save()
        acknowledger.close(FLUSH_S)
        self.connections.source.stop(FLUSH_S)
        if backlog.stored:
            log.warning("stopped with %d results on disk that wait for the broker", backlog.stored)

    def _handle_next(self, stop: threading.Event) -> None:
        """Handle the messages that have arrived, unless too many results wait: then the messages wait, too."""
        if self.storage.backlog.is_full or self.storage.acknowledger.is_full:
            stop.wait(FULL_S)
            return
        for message in self.connections.source.receive_many(BATCH, IDLE_S):
            self.storage.acknowledger.record(message, self._handle(message))

    def _handle(self, message: Incoming) -> Outcome:
        counters = self.reporting.counters
        counters.messages += 1
        handle = self._handle_by_kind.get(message.address.kind)
        if handle is None:
            counters.ignored += 1
            return Outcome.REFUSED
        return handle(message)

    def _tick(self, now_s: float) -> None:
        """Do what depends on the clock. Nothing here affects a score."""
        source, acknowledger = self.connections.source, self.storage.acknowledger
        caught_up = source.queued == 0
        self._presence.tick(now_s)
        self.handlers.intake.tick(now_s, listening=source.subscribed, caught_up=caught_up)
        for topic, wanted in self.quarantine.tick(now_s, self.reporting.counters.messages, caught_up=caught_up):
            if wanted:
                source.subscribe(topic)
            else:
                source.unsubscribe(topic)
        if self.handlers.updates.tick(now_s):
            acknowledger.request_snapshot()
        acknowledger.tick(now_s)
        self.storage.backlog.tick(now_s)
        if self.endpoints.has_requests:
            self.endpoints.answer(self._report(now_s))
        self._publish_regularly(now_s)

    def _publish_regularly(self, now_s: float) -> None:
        """Feed systemd's watchdog, and publish health and statistics when they are due."""
        publisher, watchdog_s = self.reporting.publisher, self._systemd.watchdog_s
        if watchdog_s is not None and now_s - self._watchdog_at_s >= watchdog_s:
            self._watchdog_at_s = now_s
            self._systemd.notify(WATCHDOG)
        if now_s - self._health_at_s >= HEALTH_PAUSE_S:
            self._health_at_s = now_s
            for asset in self.assets:
                publisher.refresh(asset, now_s)
                self.handlers.feedback.write(asset)
        if now_s - self._stats_at_s >= self.stats_s:
            self._stats_at_s = now_s
            publisher.stats(self._numbers(now_s) | self.reporting.counters.drain_means())

    def _numbers(self, now_s: float) -> dict[str, Any]:
        """Return the statistics of the service."""
        state_dir, backlog, acknowledger = self.storage.state_dir, self.storage.backlog, self.storage.acknowledger
        uptime_s, written_s = now_s - self._started_s, acknowledger.written_s
        return self.reporting.counters.totals() | {
            "status": "ok" if state_dir.durable else "not_durable",
            "trouble": state_dir.problem,
            "drops": backlog.dropped,
            "queue": self.connections.source.queued,
            "outbox": self.connections.sink.pending,
            "stored": backlog.stored,
            "stored_bytes": backlog.size,
            "unacknowledged": acknowledger.unacknowledged,
            "snapshots": acknowledger.snapshots,
            "snapshot_age_s": None if written_s is None else round(now_s - written_s, 1),
            "written_bytes": state_dir.written_bytes,
            "written_mb_day": round(state_dir.written_bytes / MB * DAY_S / max(uptime_s, DAY_S / 24), 2),
            "assets": len(self.assets),
            "incomplete_samples": self.assets.incomplete_samples,
            "quarantined_assets": len(self.quarantine),
            "connections": self.connections.sink.connect_count,
            "client_id_conflicts": self.connections.client_id_conflicts,
            "uptime_s": round(uptime_s, 1),
        }

    def _report(self, now_s: float) -> Report:
        """Return the report for `vcedge status` and the metrics."""
        publisher = self.reporting.publisher
        return service_report(
            {**self.identity, "heard": self._presence.confirmed},
            self._since_ns,
            {"in": self.connections.source, "out": self.connections.sink},
            {"numbers": self._numbers(now_s), "work": self.reporting.counters.work()},
            [asset_report(asset, publisher.published(asset), now_s) for asset in self.assets],
        )
