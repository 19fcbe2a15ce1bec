"""Unsubscribes from an asset that floods the broker's queue, with exponential backoff.

Refusing a message is cheap, reading it is not: if a flood is faster than this service can read, the broker's queue for
this client grows, and all assets wait in it. Only unsubscribing helps. What the asset sends meanwhile is lost.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from vcedge.runtime.monitoring.logs import about
from vcedge.topics import InputTopic, is_pattern

log = logging.getLogger("vcedge.quarantine")


@dataclass(frozen=True)
class FloodRule:
    """Says what a flood is, and how long its asset stays in quarantine."""

    most_hz: float = 1000.0
    """Refused messages a second: more of them in two intervals in a row start a quarantine."""
    overload_hz: float = 100.0
    """This rate is enough if the service does not catch up and more than half of its messages are refused, since a slow
    or busy device never gets to refuse `most_hz`."""
    interval_s: float = 1.0
    first_hold_s: float = 30.0
    """Length of the first quarantine; each further one is twice as long as the one before."""
    longest_hold_s: float = 600.0
    """Longest quarantine. After this time without a flood, an asset's next quarantine is a first one again."""


class Quarantine:
    """Tracks the floods of all assets. Assets of patterns share a subscription and are never in quarantine."""

    def __init__(self, topic: InputTopic, names: Iterable[str], rule: FloodRule | None = None) -> None:
        names = list(names)
        self.rule = rule or FloodRule()
        self._topic = topic
        self._names = set() if any(is_pattern(name) for name in names) else set(names)
        self._refused: Counter[str] = Counter()
        self._suspected: set[str] = set()
        """Assets with a flood in the last interval."""
        self._looked_s = 0.0
        self._handled = 0
        """Messages handled by the end of the last interval."""
        self._caught_up = True
        """Whether the inbox was empty at some time in this interval."""
        self._until_s: dict[str, float] = {}
        """Assets in quarantine, and when it ends."""
        self._strikes: dict[str, tuple[int, float]] = {}
        """How many times in a row an asset was in quarantine, and when the last time ended."""

    def __len__(self) -> int:
        return len(self._until_s)

    def refused(self, asset: str) -> None:
        """Count a useless message of an asset."""
        self._refused[asset] += 1

    def tick(self, now_s: float, handled: int, *, caught_up: bool) -> list[tuple[str, bool]]:
        """Return the topics to subscribe to again (True) and to unsubscribe from (False), in order.

        Args:
            now_s: Monotonic clock.
            handled: Messages handled so far.
            caught_up: Whether the inbox is empty now.
        """
        self._caught_up |= caught_up
        changes = self._released(now_s)
        passed_s = now_s - self._looked_s
        if passed_s < self.rule.interval_s:
            return changes
        most = self.rule.most_hz * passed_s
        if not self._caught_up:
            most = min(most, max(self.rule.overload_hz * passed_s, (handled - self._handled) / 2))
        flooding = {asset for asset, count in self._refused.items() if count > most}
        for asset in sorted(self._names & self._suspected & flooding - self._until_s.keys()):
            self._isolate(asset, self._refused[asset] / passed_s, now_s)
            changes.append((self._topic.of(asset), False))
        self._suspected = flooding
        self._refused.clear()
        self._looked_s, self._handled, self._caught_up = now_s, handled, caught_up
        return changes

    def _released(self, now_s: float) -> list[tuple[str, bool]]:
        over = [asset for asset, until_s in self._until_s.items() if now_s >= until_s]
        for asset in over:
            del self._until_s[asset]
            log.info("%s: quarantine is over, subscribed again", asset, extra=about(asset=asset))
        return [(self._topic.of(asset), True) for asset in over]

    def _isolate(self, asset: str, rate_hz: float, now_s: float) -> None:
        longest_s = self.rule.longest_hold_s
        times, ended_s = self._strikes.get(asset, (0, now_s))
        times = 0 if now_s - ended_s > longest_s else times
        hold_s = min(longest_s, self.rule.first_hold_s * 2**times)
        self._until_s[asset] = now_s + hold_s
        self._strikes[asset] = (times + 1, now_s + hold_s)
        text = "%s: a flood of %.0f useless messages a second: in quarantine, unsubscribed for %.0f s"
        log.warning(text, asset, rate_hz, hold_s, extra=about(asset=asset))
