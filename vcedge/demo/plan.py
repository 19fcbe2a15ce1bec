"""How much the demonstration simulates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Hours, faults and seeds. The seeds are the first pair that was tried, not the best."""

    healthy_hours: float = 8.0
    faulty_hours: float = 4.0
    faults: int = 4
    healthy_seed: int = 0
    faulty_seed: int = 1
    epochs: int = 15
    """Half of the default, for the sake of who waits: more teach the network, not what is found here."""
    train_overrides: tuple[str, ...] = ("report.sensitivity=false",)
    """`--set` of vcedge train, for a shorter demonstration."""
