"""From a message of samples to what is published of it: decode, recognise what came before, score."""

from __future__ import annotations

import time

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.joiner import Joiner, Row
from vcedge.runtime.assets.rate_limit import PER_PERIOD
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.codecs.reading import Reading, Undecodable
from vcedge.runtime.codecs.registry import decoder_of
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.service.scoring import Scoring
from vcedge.runtime.storage.recent_messages import RecentMessages, message_key
from vcedge.topics import InputTopic

FLOOD = f"more than {PER_PERIOD} samples for each period of the model, by their own times, beyond a burst (input.burst)"
LOOK_S = 0.25
"""How often is looked for assets that fell silent."""
PAUSE_S = 1.0
"""A loop that did not go round for so long was stopped, or hindered: what arrived meanwhile may not be here yet."""


class Intake:
    """Takes the messages of the input topic."""

    def __init__(
        self,
        config: RuntimeConfig,
        assets: Assets,
        recent: RecentMessages,
        counters: Counters,
        publisher: Publisher,
        letters: DeadLetters,
        quarantine: Quarantine,
    ) -> None:
        """Raises ConfigError for a codec that is not there."""
        self._topic = InputTopic(config.input.topic)
        self._decode = decoder_of(config)
        self._assets = assets
        self._recent = recent
        self._counters = counters
        self._publisher = publisher
        self._letters = letters
        self._quarantine = quarantine
        self._scoring = Scoring(counters, publisher)
        self._looked_s = self._listened_s = self._ticked_s = self._caught_up_s = 0.0

    def take(self, message: Incoming) -> Taken:
        """Score a message of the input topic and publish what comes of it, or refuse it.

        What the broker had kept is no sample: it may be years old, and its time of arrival says nothing.
        """
        found = self._topic.read(message.topic)
        if found is None:
            return Taken.NOT
        asset, channel = found
        if message.retained:
            self._counters.retained += 1
        elif reason := self._assets.why_not(asset):
            self._counters.ignored += 1
            self._letters.refuse(message, "asset", reason)
        elif (reading := self._decoded(message, asset, channel)) is not None:
            watched = self._assets.find(asset)
            assert watched is not None  # there was no reason against it
            return self._use(message, watched, reading)
        return Taken.REFUSED

    def _decoded(self, message: Incoming, asset: str, channel: str | None) -> Reading | None:
        try:
            return self._decode(message.payload).named(channel)
        except Undecodable as reason:
            self._letters.refuse(message, "unreadable", str(reason), asset)
            self._quarantine.refused(asset)
            return None

    def _use(self, message: Incoming, watched: Watched, reading: Reading) -> Taken:
        """A message of an asset that there is, or is from its first message on that can be read."""
        if watched.anomaly is None:
            self._publisher.begin(watched, time.monotonic())
        times = reading.times(message.arrival_ns)
        if self._came_before(watched, message, times[-1] if reading.timed else None):
            self._counters.duplicates += 1
            if not message.duplicate:  # what the broker says it delivers again is nobody's flood
                self._quarantine.refused(watched.origin.asset)
            return Taken.AGAIN
        if not watched.allows(len(times), times[-1]):
            self._letters.refuse(message, "flood", FLOOD, watched.origin.asset)
            self._quarantine.refused(watched.origin.asset)
            return Taken.REFUSED
        if watched.joiner is None:
            self._scoring.score(watched, reading, times, message)
        else:
            self._join(watched, watched.joiner, message, reading, times)
        return Taken.USED

    def tick(self, now_s: float, listening: bool, caught_up: bool) -> None:
        """Where an asset fell silent, nothing is waited for. Without a connection nobody can tell, nor before all that
        arrived is worked on (`caught_up`): what is waited for may be in it.
        """
        if not listening or now_s - self._ticked_s > PAUSE_S:
            self._listened_s = now_s
        self._ticked_s = now_s
        if caught_up:
            self._caught_up_s = now_s
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        for watched in self._assets:
            joiner, since_s = watched.joiner, max(watched.joined_s, self._listened_s)
            if joiner is not None and joiner.waiting and self._caught_up_s - since_s > joiner.patience_s:
                self._rows(watched, joiner.flush(), None)

    def _came_before(self, watched: Watched, message: Incoming, time_ns: int | None) -> bool:
        """Whether this very message, whose last sample is of that time, was handled before.

        The broker may or may not say that it delivers it again. A message that tells no time is taken for another where
        the broker does not say so: machines repeat themselves.
        """
        key, watermark_ns = message_key(message.topic, message.payload), watched.watermark_ns
        not_new = time_ns is not None and watermark_ns is not None and time_ns <= watermark_ns
        if (message.duplicate or not_new) and key in self._recent:
            return True
        self._recent.add(key)
        return False

    def _join(
        self, watched: Watched, joiner: Joiner, message: Incoming, reading: Reading, times: tuple[int, ...]
    ) -> None:
        """Parts of samples: what becomes whole, or is not waited for any more, is scored."""
        columns = {name: values for name, values in reading.columns.items() if name in watched.names}
        self._counters.unknown_channels += len(reading.columns) - len(columns)
        watched.joined_s = time.monotonic()
        watched.touch()
        if columns:
            for index, time_ns in enumerate(times):
                part = Row(time_ns, {name: values[index] for name, values in columns.items()}, reading.timed)
                self._rows(watched, joiner.push(part), message)

    def _rows(self, watched: Watched, rows: list[Row], message: Incoming | None) -> None:
        for row in rows:
            columns = {name: [value] for name, value in row.values.items()}
            reading = Reading((row.time_ns,), columns, relative=not row.timed)
            self._scoring.score(watched, reading, (row.time_ns,), message)
