"""What the service counts, for the stats topic, `vcedge status` and metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vcedge.runtime.monitoring.histogram import Histogram
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.score_block import updated_of


@dataclass
class Counters:
    """All but the last three since the service started, those since the last report."""

    messages: int = 0
    samples: int = 0
    dead_letters: int = 0
    ignored: int = 0
    """Messages of assets that no key of the configuration covers."""
    dead_letters_suppressed: int = 0
    """Dead letters that were counted and not published."""
    refused: Counter[str] = field(default_factory=Counter)
    """Dead letters by their kind."""
    retained: int = 0
    """Messages that the broker had kept from before the subscription."""
    duplicates: int = 0
    unknown_channels: int = 0
    settings: int = 0
    """Settings that live control changed."""
    updated_dimensions: int = 0
    """Of the hidden state, over all samples; and as many as there would have been without gating:"""
    hidden_dimensions: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """Events that began, by their kind."""
    step: Histogram = field(default_factory=Histogram)
    """Time to score a sample."""
    latency: Histogram = field(default_factory=Histogram)
    """Time from a message's arrival to the hand-over of its scores."""
    scored: int = 0
    updated_share: float = 0.0
    us: float = 0.0

    def score(self, scores: Sequence[Score], us: float) -> None:
        """Count the samples of one message."""
        rows, hidden, updated = len(scores), scores[0].hidden, updated_of(scores)
        self.samples += rows
        self.scored += rows
        self.us += us * rows
        self.step.observe(us / 1e6, rows)
        if hidden:
            self.updated_share += updated / hidden
            self.updated_dimensions += updated
            self.hidden_dimensions += rows * hidden

    def totals(self) -> dict[str, int]:
        """Numbers since the start."""
        return {
            "messages": self.messages,
            "samples": self.samples,
            "dead_letters": self.dead_letters,
            "dead_letters_suppressed": self.dead_letters_suppressed,
            "floods": self.refused["flood"],
            "ignored": self.ignored,
            "retained": self.retained,
            "duplicates": self.duplicates,
            "unknown_channels": self.unknown_channels,
            "settings": self.settings,
        }

    def means(self) -> dict[str, float]:
        """What a sample took since the last call."""
        count = max(1, self.scored)
        numbers = {"updated_share": round(self.updated_share / count, 4), "us_tick": round(self.us / count, 1)}
        self.scored, self.updated_share, self.us = 0, 0.0, 0.0
        return numbers

    def work(self) -> dict[str, Any]:
        """What the samples since the start took, and the events that began."""
        return {
            "updated_dimensions": self.updated_dimensions,
            "hidden_dimensions": self.hidden_dimensions,
            "events": dict(sorted(self.events.items())),
            "step": self.step.to_json(),
            "latency": self.latency.to_json(),
        }
