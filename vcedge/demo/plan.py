"""Sets the size of the demonstration."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sets hours, faults, seeds and epochs. The seeds are the first pair that was tried, not the best one."""

    healthy_hours: float = 8.0
    faulty_hours: float = 4.0
    faults: int = 4
    healthy_seed: int = 0
    faulty_seed: int = 1
    epochs: int = 15
    """Half of the default, to save time: more epochs improve the network, but not the findings here."""
    train_overrides: tuple[str, ...] = ()
    """`--set` of vcedge train."""
