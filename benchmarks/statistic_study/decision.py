"""Decides from the statistic when an event is open."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistic_study.forecast import Array


class Rule(NamedTuple):
    """Holds the constants of the decision; the defaults are those of the tables."""

    margin: float = 0.1
    """Nats above the threshold."""
    rise: float = 8.0
    """Nats that the threshold may follow the level upwards."""
    shortest: int = 200
    """Fewest rows of the level's memory, which is a twentieth of the training rows."""
    longest: int = 1000
    rows: int = 2
    """Rows in a row above the threshold that open an event."""


class Reference(NamedTuple):
    """Describes the statistic on cross-fitted training rows."""

    threshold: float
    median: float
    rows: int


def decide(statistic: Array, reference: Reference, rule: Rule) -> NDArray[np.int_]:
    """Return 1 for each row with an open event.

    An event is open while the statistic is above the threshold, raised by the level now less the level in training. The
    level is a clipped running median; its first rows have a large gain, because they tell where the level is now.
    """
    memory = min(max(0.05 * reference.rows, rule.shortest), rule.longest)
    level, above, is_open = reference.median, 0, False
    events = np.zeros(len(statistic), int)
    for i, value in enumerate(statistic):
        threshold = reference.threshold + min(max(level - reference.median, 0.0), rule.rise) + rule.margin
        if is_open:
            is_open, above = (False, 0) if value < threshold else (True, above)
        else:
            above = above + 1 if value > threshold else 0
            is_open = above >= rule.rows
        events[i] = is_open
        level += min(max(value - level, -2), 2) / min(memory, i + 5)
    return events
