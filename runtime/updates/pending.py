"""Updates that arrive for an asset, and which is looked at: each once, and so many in a time, whoever sends them.

The last one counts, as with a retained message: where they come faster, those before it are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

BURST = 20
"""Updates that are looked at as they come,"""
PAUSE_S = 60.0
"""and then one in so many seconds."""
REMEMBERED = 64
"""Refused updates that are known when they come again."""
REPEAT_S = 1.0
"""Pause between two answers to an update that was refused before."""


@dataclass(frozen=True)
class Offer:
    """An update that waits to be looked at."""

    digest: str
    """Of the whole message."""
    message: bytes


class Refusal(NamedTuple):
    """What became of one."""

    reason: str
    lasting: bool
    """Whether it lies in the update itself, so that a restart changes nothing about it."""


class Offers:
    """Of one asset. `now_s` is a monotonic clock, which decides about no sample."""

    def __init__(self) -> None:
        self.waiting: Offer | None = None
        self.overtaken = 0
        """Updates since the last look that a later one came before."""
        self.refused: dict[str, Refusal] = {}
        """By digest, the oldest first."""
        self._looks, self._looked_s = float(BURST), 0.0
        self._answered_s = -REPEAT_S

    def put(self, offer: Offer) -> None:
        """One that came; the one that waited is given up."""
        self.overtaken += self.waiting is not None and self.waiting != offer
        self.waiting = offer

    def due(self, now_s: float) -> bool:
        """Whether one may be looked at now."""
        self._looks = min(float(BURST), self._looks + (now_s - self._looked_s) / PAUSE_S)
        self._looked_s = now_s
        return self._looks >= 1.0

    def take(self) -> Offer | None:
        """The one that waits, to be looked at."""
        found, self.waiting, self.overtaken = self.waiting, None, 0
        self._looks -= found is not None
        return found

    def refuse(self, offer: Offer, refusal: Refusal) -> None:
        """Know it from now on."""
        self.refused[offer.digest] = refusal
        while len(self.refused) > REMEMBERED:
            del self.refused[next(iter(self.refused))]

    def answers(self, now_s: float) -> bool:
        """Whether an update that was refused before is answered: not each in a flood of them."""
        if now_s - self._answered_s < REPEAT_S:
            return False
        self._answered_s = now_s
        return True
