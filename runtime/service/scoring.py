"""From the samples of one message to what is published and logged of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from itertools import chain

from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.codecs.reading import Reading, arrange
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.stream.rows import push_rows
from vcedge.runtime.stream.score_block import events_of
from vcedge.runtime.stream.stream import Score

log = logging.getLogger("vcedge.scoring")


class Scoring:
    """Scores, publishes and counts."""

    def __init__(self, counters: Counters, publisher: Publisher) -> None:
        self._counters = counters
        self._publisher = publisher

    def score(self, watched: Watched, reading: Reading, times: tuple[int, ...], message: Incoming | None) -> None:
        """Samples at times (B,) in nanoseconds; `message` completed them, None: they were waited for in vain."""
        values, unknown = arrange(reading, watched.names)
        self._counters.unknown_channels += unknown
        began_ns, policy = time.perf_counter_ns(), watched.policy
        scores, opened = push_rows(watched.stream, times, values, policy)
        us = (time.perf_counter_ns() - began_ns) / 1000 / len(scores)
        self._counters.count_scores(scores, us)
        anomalies = watched.companions.follow(times, values, policy, scores, opened, us)
        now_s = time.monotonic()
        watched.remember(scores, now_s)
        self._publisher.scores(watched, scores, anomalies, us, block=reading.block, arrival=not reading.timed)
        self._publisher.companions(watched, now_s)
        self._publisher.refresh(watched, now_s)
        if message is not None:
            self._counters.latency.observe((time.time_ns() - message.arrival_ns) / 1e9)
        self._tell(watched, scores, message)

    def _tell(self, watched: Watched, scores: Sequence[Score], message: Incoming | None) -> None:
        """The log's lines about a message, and the count of its events. Most have neither, and cost nothing here."""
        asset = watched.origin.asset
        events = [*chain.from_iterable(events_of(scores).values()), *watched.companions.events]
        if not events and not log.isEnabledFor(logging.DEBUG):
            return
        id_ = {} if message is None else {"id": message.id}
        log.debug("%s: %d samples scored", asset, len(scores), extra=about(asset=asset, **id_))
        for event in events:
            if event.type == "new":
                self._counters.events[event.kind] += 1
            where = f" in {', '.join([name for name, _ in event.top])}" if event.top else ""
            context = about(asset=asset, event=event.id, **id_)
            log.info("%s: event %s: %s%s", asset, event.type, event.kind, where, extra=context)
