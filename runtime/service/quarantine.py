"""Floods that cost others their place in the broker's queue: an asset that sends little else is not listened to for a
while.

Refusing is cheap and reading is not: where a flood is faster than this service can read, the broker's one queue for it
grows, and in that all assets wait. Only the end of the subscription helps. What the asset sends meanwhile is lost.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from vcedge.runtime.monitoring.logs import about
from vcedge.topics import InputTopic, is_pattern

log = logging.getLogger("vcedge.quarantine")
MOST_HZ = 1000.0
"""Refused messages a second; more of them, twice in a row, are a flood that is worth the loss."""
LEAST_HZ = 100.0
"""So many are enough where they are more than half of all and the service does not catch up: a slow device, or a busy
one, never gets to refuse MOST_HZ."""
LOOK_S = 1.0
HOLD_S = 30.0
"""How long an asset is not listened to the first time; twice as long each time that follows soon,"""
LONGEST_S = 600.0
"""up to so long. An asset that keeps still for this time starts over."""


class Subscriptions(Protocol):
    """Ends and begins subscriptions of a connection."""

    def subscribe(self, topic: str) -> None:
        """Begin the subscription of a topic again."""

    def unsubscribe(self, topic: str) -> None:
        """End the subscription of a topic for now."""


class Quarantine:
    """Of one service. Assets of patterns share a subscription, and so are always listened to."""

    def __init__(self, topic: InputTopic, names: Iterable[str], source: Subscriptions) -> None:
        """`source` is the connection whose subscriptions bring the messages."""
        names = list(names)
        self._topic, self._source = topic, source
        self._names = set() if any(is_pattern(name) for name in names) else set(names)
        self._refused: Counter[str] = Counter()
        self._loud: set[str] = set()
        """Assets that were too many for us the last time."""
        self._looked_s = 0.0
        self._worked = 0
        """Messages that were worked on up to the last look."""
        self._caught_up = True
        """Whether nothing waited at some time since."""
        self._until_s: dict[str, float] = {}
        """Assets that are not listened to."""
        self._strikes: dict[str, tuple[int, float]] = {}
        """How often in a row, and when the last time ended."""

    def __len__(self) -> int:
        return len(self._until_s)

    def refused(self, asset: str) -> None:
        """A message of an asset was of no use."""
        self._refused[asset] += 1

    def tick(self, now_s: float, worked: int, caught_up: bool) -> None:
        """Look who floods, and listen again to who did long ago.

        `worked`: messages that were worked on so far, `caught_up`: whether nothing waits now.
        """
        self._caught_up |= caught_up
        for asset in [asset for asset, until_s in self._until_s.items() if now_s >= until_s]:
            del self._until_s[asset]
            self._source.subscribe(self._topic.of(asset))
            log.info("%s: listened to again", asset, extra=about(asset=asset))
        passed_s = now_s - self._looked_s
        if passed_s < LOOK_S:
            return
        most = MOST_HZ * passed_s
        if not self._caught_up:
            most = min(most, max(LEAST_HZ * passed_s, (worked - self._worked) / 2))
        loud = {asset for asset, count in self._refused.items() if count > most}
        for asset in sorted(self._names & self._loud & loud - self._until_s.keys()):
            self._isolate(asset, self._refused[asset] / passed_s, now_s)
        self._loud = loud
        self._refused.clear()
        self._looked_s, self._worked, self._caught_up = now_s, worked, caught_up

    def _isolate(self, asset: str, rate_hz: float, now_s: float) -> None:
        times, ended_s = self._strikes.get(asset, (0, now_s))
        times = 0 if now_s - ended_s > LONGEST_S else times
        hold_s = min(LONGEST_S, HOLD_S * 2**times)
        self._until_s[asset] = now_s + hold_s
        self._strikes[asset] = (times + 1, now_s + hold_s)
        self._source.unsubscribe(self._topic.of(asset))
        words = "%s: a flood of %.0f useless messages a second: not listened to for %.0f s"
        log.warning(words, asset, rate_hz, hold_s, extra=about(asset=asset))
