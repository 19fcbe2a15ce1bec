"""Counters of the service, for the stats topic, `vcedge status` and metrics."""

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
    """Counts since the service started, and sums since the last report."""

    messages: int = 0
    samples: int = 0
    dead_letters: int = 0
    ignored: int = 0
    """Messages of assets that the configuration does not name."""
    dead_letters_suppressed: int = 0
    """Dead letters that were counted and not published."""
    refused: Counter[str] = field(default_factory=Counter)
    """Dead letters by their kind."""
    retained: int = 0
    """Retained messages from before the subscription."""
    duplicates: int = 0
    unknown_channels: int = 0
    settings: int = 0
    """Settings that live control changed."""
    updated_dimensions: int = 0
    """Dimensions of the hidden state that were updated, over all samples."""
    hidden_dimensions: int = 0
    """The same if every sample had updated all of them."""
    events: Counter[str] = field(default_factory=Counter)
    """Events that began, by their kind."""
    step: Histogram = field(default_factory=Histogram)
    """Time to score a sample."""
    latency: Histogram = field(default_factory=Histogram)
    """Time from a message's arrival until its scores are queued for publication."""
    recent_samples: int = 0
    """Samples since the last report, with the sums of their updated shares and of their microseconds."""
    recent_updated_share: float = 0.0
    recent_us: float = 0.0

    def count_scores(self, scores: Sequence[Score], us: float) -> None:
        """Count the samples of one message, scored in `us` microseconds each."""
        rows, hidden, updated = len(scores), scores[0].hidden, updated_of(scores)
        self.samples += rows
        self.recent_samples += rows
        self.recent_us += us * rows
        self.step.observe(us / 1e6, rows)
        if hidden:
            self.recent_updated_share += updated / hidden
            self.updated_dimensions += updated
            self.hidden_dimensions += rows * hidden

    def totals(self) -> dict[str, int]:
        """Return the counts since the start."""
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

    def drain_means(self) -> dict[str, float]:
        """Return the means per sample since the last call, and reset their sums."""
        count = max(1, self.recent_samples)
        means = {
            "updated_share": round(self.recent_updated_share / count, 4),
            "us_tick": round(self.recent_us / count, 1),
        }
        self.recent_samples, self.recent_updated_share, self.recent_us = 0, 0.0, 0.0
        return means

    def work(self) -> dict[str, Any]:
        """Return the work of all samples since the start, and the events that began."""
        return {
            "updated_dimensions": self.updated_dimensions,
            "hidden_dimensions": self.hidden_dimensions,
            "events": dict(sorted(self.events.items())),
            "step": self.step.to_json(),
            "latency": self.latency.to_json(),
        }
