"""From a message of samples to what is published of it: decode, recognise what came before, score."""

from __future__ import annotations

import logging
import time

import numpy as np

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.assets import Assets, Watched
from vcedge.runtime.codecs.installed import decoder_of
from vcedge.runtime.codecs.reading import Reading, Undecodable, arrange
from vcedge.runtime.counters import Counters
from vcedge.runtime.logs import about
from vcedge.runtime.mailbox import Incoming
from vcedge.runtime.publisher import Publisher
from vcedge.runtime.recent import Recent, key_of
from vcedge.runtime.stream import Score
from vcedge.schema import F64, Sample
from vcedge.topics import InputTopic

log = logging.getLogger("vcedge.intake")


class Intake:
    """Takes the messages of the input topic."""

    def __init__(
        self, config: RuntimeConfig, assets: Assets, recent: Recent, counters: Counters, publisher: Publisher
    ) -> None:
        """Raises ConfigError for a codec that is not there."""
        self._topic = InputTopic(config.input.topic)
        self._decode = decoder_of(config)
        self._assets = assets
        self._recent = recent
        self._counters = counters
        self._publisher = publisher

    def take(self, message: Incoming) -> bool:
        """Score a message and publish what comes of it; False where it is of no asset that is watched."""
        name = self._topic.asset_of(message.topic)
        watched = None if name is None else self._assets.find(name)
        if watched is None:
            return False
        try:
            reading = self._decode(message.payload)
        except Undecodable as reason:
            self._counters.dead_letters += 1
            self._publisher.deadletter(message, str(reason), watched.origin.asset)
            return True
        if watched.anomaly is None:
            self._publisher.begin(watched, time.monotonic())
        times = reading.times(message.arrival_ns)
        if self._came_before(watched, message, times[-1] if reading.timed else None):
            self._counters.duplicates += 1
        else:
            self._score(watched, message, reading, times)
        return True

    def _came_before(self, watched: Watched, message: Incoming, time_ns: int | None) -> bool:
        """Whether this very message, whose last sample is of that time, was handled before.

        The broker may or may not say that it delivers it again. A message that tells no time is taken for another where
        the broker does not say so: machines repeat themselves.
        """
        key, watermark_ns = key_of(message.topic, message.payload), watched.stream.watermark_ns
        not_new = time_ns is not None and watermark_ns is not None and time_ns <= watermark_ns
        if (message.duplicate or not_new) and key in self._recent:
            return True
        self._recent.add(key)
        return False

    def _score(self, watched: Watched, message: Incoming, reading: Reading, times: tuple[int, ...]) -> None:
        values, unknown = arrange(reading, watched.names)
        self._counters.unknown_channels += unknown
        began_ns = time.perf_counter_ns()
        scores, anomalies = _pushed(watched, times, values)
        us = (time.perf_counter_ns() - began_ns) / 1000 / len(scores)
        self._counters.score(scores, us)
        now_s = time.monotonic()
        watched.remember(scores, now_s)
        self._publisher.scores(watched, scores, anomalies, us, block=reading.block, arrival=not reading.timed)
        self._publisher.refresh(watched, now_s)
        self._counters.latency.observe((time.time_ns() - message.arrival_ns) / 1e9)
        self._tell(watched, message, scores)

    def _tell(self, watched: Watched, message: Incoming, scores: list[Score]) -> None:
        """The log's lines about a message, and the count of its events."""
        asset = watched.origin.asset
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %d samples scored", asset, len(scores), extra=about(id=message.id, asset=asset))
        for score in scores:
            for event in score.events:
                if event.type == "new":
                    self._counters.events[event.kind] += 1
                context = about(id=message.id, asset=asset, event=event.id)
                where = f" in {', '.join([name for name, _ in event.top])}" if event.top else ""
                log.info("%s: event %s: %s%s", asset, event.type, event.kind, where, extra=context)


def _pushed(watched: Watched, times: tuple[int, ...], values: F64) -> tuple[list[Score], list[bool]]:
    """The scores of one message's rows (N, C), and whether an event is open after each."""
    stream, policy = watched.stream, (watched.settings.min_level, watched.settings.logit_bias)
    if len(times) == 1:
        return [stream.push(Sample(times[0], values[0]), *policy)], [stream.in_event]
    block = stream.push_block(np.array(times, np.int64), values, *policy)
    return list(block), block.in_event.astype(bool).tolist()
