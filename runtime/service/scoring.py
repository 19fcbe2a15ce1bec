"""Scores the samples of one message, and publishes, counts and logs the result."""

from __future__ import annotations

import logging
import time
from itertools import chain

from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.scored_rows import ScoredRows, score_rows
from vcedge.runtime.codecs.reading import Samples
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.service.reporting import Reporting
from vcedge.runtime.stream.score_block import events_of

log = logging.getLogger("vcedge.scoring")


def score(reporting: Reporting, asset: Asset, samples: Samples, message: Incoming | None) -> None:
    """Score samples; `message` completed them, or is None if they were flushed after a silence."""
    rows = score_rows(asset.stream, samples, asset.policy)
    reporting.counters.count_scores(rows.scores, rows.us)
    anomalies = asset.companions.follow(rows)
    asset.remember(rows.scores)
    asset.mark_changed()
    reporting.publisher.scores(asset, rows, anomalies, time.monotonic())
    if message is not None:
        reporting.counters.latency.observe((time.time_ns() - message.arrival_ns) / 1e9)
    _count_and_log(reporting.counters, asset, rows, message)


def _count_and_log(counters: Counters, asset: Asset, rows: ScoredRows, message: Incoming | None) -> None:
    """Count and log the events of a message. Returns at once for most messages, which have none."""
    events = [*chain.from_iterable(events_of(rows.scores).values()), *asset.companions.events]
    if not events and not log.isEnabledFor(logging.DEBUG):
        return
    id_ = {} if message is None else {"id": message.id}
    log.debug("%s: %d samples scored", asset.name, len(rows.scores), extra=about(asset=asset.name, **id_))
    for event in events:
        if event.type == "new":
            counters.events[event.kind] += 1
        where = f" in {', '.join([name for name, _ in event.top])}" if event.top else ""
        where = f": {event.text}" if event.text else where
        context = about(asset=asset.name, event=event.id, **id_)
        log.info("%s: event %s: %s%s", asset.name, event.type, event.kind, where, extra=context)
