"""What the service counts, for the stats topic."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.runtime.score import Score


@dataclass
class Counters:
    """All but the last three since the service started, those since the last report."""

    messages: int = 0
    samples: int = 0
    dead_letters: int = 0
    ignored: int = 0
    """Messages of assets that no key of the configuration covers."""
    duplicates: int = 0
    unknown_channels: int = 0
    scored: int = 0
    updated_share: float = 0.0
    us: float = 0.0

    def score(self, scores: list[Score], us: float) -> None:
        """Count the samples of one message."""
        self.samples += len(scores)
        self.scored += len(scores)
        self.us += us * len(scores)
        self.updated_share += sum(score.updated / score.hidden for score in scores if score.hidden)

    def report(self) -> dict[str, float]:
        """Numbers for the stats topic; means begin anew."""
        count = max(1, self.scored)
        numbers: dict[str, float] = {
            "messages": self.messages,
            "samples": self.samples,
            "dead_letters": self.dead_letters,
            "ignored": self.ignored,
            "duplicates": self.duplicates,
            "unknown_channels": self.unknown_channels,
            "updated_share": round(self.updated_share / count, 4),
            "us_tick": round(self.us / count, 1),
        }
        self.scored, self.updated_share, self.us = 0, 0.0, 0.0
        return numbers
