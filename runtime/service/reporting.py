"""The ways in which the service reports what it does with a message."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher


@dataclass(frozen=True)
class Reporting:
    """Groups what publishes and counts results and refusals."""

    publisher: Publisher
    dead_letters: DeadLetters
    counters: Counters
