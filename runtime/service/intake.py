"""Handles messages of samples: decodes them, recognises duplicates and floods, joins parts, and scores them."""

from __future__ import annotations

import time

from vcedge.runtime.assets.asset import PER_PERIOD, Asset
from vcedge.runtime.assets.joiner import Joiner
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.codecs.reading import NamedSample, Reading, Samples, Undecodable, arrange, named_samples
from vcedge.runtime.codecs.registry import Decoder
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.service.acknowledger import Outcome
from vcedge.runtime.service.quarantine import Quarantine
from vcedge.runtime.service.reporting import Reporting
from vcedge.runtime.service.scoring import score
from vcedge.runtime.storage.recent_messages import RecentMessages, message_key

FLOOD = f"more than {PER_PERIOD} samples for each period of the model, by their own times, beyond a burst (input.burst)"
LOOK_S = 0.25
"""Time between two checks of the joiners for silence."""
PAUSE_S = 1.0
"""A main loop that pauses for longer was suspended or blocked: messages of that time may not have arrived yet."""


class Intake:
    """Handles the messages of the input topic."""

    def __init__(
        self,
        decode: Decoder,
        assets: AssetRegistry,
        recent: RecentMessages,
        reporting: Reporting,
        quarantine: Quarantine,
    ) -> None:
        self._decode, self._assets, self._recent, self._quarantine = decode, assets, recent, quarantine
        self._reporting, self._counters, self._letters = reporting, reporting.counters, reporting.dead_letters
        self._joined_s: dict[str, float] = {}
        """Monotonic clock at the last message of each asset that has a joiner."""
        self._looked_s = self._listened_s = self._ticked_s = self._caught_up_s = 0.0

    def handle(self, message: Incoming) -> Outcome:
        """Score a message and publish the result, or refuse it.

        A retained message is ignored: it may be years old.
        """
        name = message.address.asset
        if message.retained:
            self._counters.retained += 1
        elif reason := self._assets.rejection_reason(name):
            self._counters.ignored += 1
            self._letters.refuse(message, "asset", reason)
        elif (reading := self._decoded(message)) is not None:
            asset = self._assets.find(name)
            assert asset is not None, "rejection_reason gave none"
            return self._use(message, asset, reading)
        return Outcome.REFUSED

    def tick(self, now_s: float, *, listening: bool, caught_up: bool) -> None:
        """Score the pending values of each asset that has fallen silent.

        A silence counts only while the service is connected (`listening`), and only once all messages that arrived
        are handled (`caught_up`): the missing values may be among them.
        """
        if not listening or now_s - self._ticked_s > PAUSE_S:
            self._listened_s = now_s
        self._ticked_s = now_s
        if caught_up:
            self._caught_up_s = now_s
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        for asset in self._assets:
            joiner, since_s = asset.joiner, max(self._joined_s.get(asset.name, 0.0), self._listened_s)
            if joiner is not None and joiner.has_pending and self._caught_up_s - since_s > joiner.timeout_s:
                self._score_joined(asset, joiner.flush(), None)

    def _decoded(self, message: Incoming) -> Reading | None:
        address = message.address
        try:
            return self._decode(message.payload).named(address.channel)
        except Undecodable as reason:
            self._letters.refuse(message, "unreadable", str(reason), address.asset)
            self._quarantine.refused(address.asset)
            return None

    def _use(self, message: Incoming, asset: Asset, reading: Reading) -> Outcome:
        self._reporting.publisher.ensure_retained_states(asset)
        times = reading.times(message.arrival_ns)
        if self._is_duplicate(asset, message, times[-1] if reading.timed else None):
            self._counters.duplicates += 1
            if not message.duplicate:  # a redelivery that the broker marks is no flood
                self._quarantine.refused(asset.name)
            return Outcome.DUPLICATE
        if not asset.try_acquire(len(times), times[-1]):
            self._letters.refuse(message, "flood", FLOOD, asset.name)
            self._quarantine.refused(asset.name)
            return Outcome.REFUSED
        if asset.joiner is None:
            values, unknown = arrange(reading, asset.names)
            self._counters.unknown_channels += unknown
            score(self._reporting, asset, Samples(times, values, reading.timed, reading.block), message)
        else:
            self._join(asset, asset.joiner, message, reading, times)
        return Outcome.USED

    def _is_duplicate(self, asset: Asset, message: Incoming, time_ns: int | None) -> bool:
        """Return whether a message, whose last sample has this time, was handled before.

        The broker may or may not mark a redelivery. For a message without a time only that mark counts, since a machine
        may send equal values again.
        """
        key, watermark_ns = message_key(message.topic, message.payload), asset.watermark_ns
        not_new = time_ns is not None and watermark_ns is not None and time_ns <= watermark_ns
        if (message.duplicate or not_new) and key in self._recent:
            return True
        self._recent.add(key)
        return False

    def _join(self, asset: Asset, joiner: Joiner, message: Incoming, reading: Reading, times: tuple[int, ...]) -> None:
        """Add parts of samples to the joiner, and score the samples that are ready."""
        self._counters.unknown_channels += sum(name not in asset.names for name in reading.columns)
        self._joined_s[asset.name] = time.monotonic()
        asset.mark_changed()
        for part in named_samples(reading, times, asset.names):
            self._score_joined(asset, joiner.push(part), message)

    def _score_joined(self, asset: Asset, joined: list[NamedSample], message: Incoming | None) -> None:
        for sample in joined:
            score(self._reporting, asset, sample.samples(asset.names), message)
