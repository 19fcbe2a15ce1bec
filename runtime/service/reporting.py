"""Groups the objects that publish and count results and refusals."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher


@dataclass(frozen=True)
class Reporting:
    """Groups publisher, dead letters and counters."""

    publisher: Publisher
    dead_letters: DeadLetters
    counters: Counters
