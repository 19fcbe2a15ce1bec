"""Provides the part of a detector that every exported graph holds: cell and head."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.detector import Cell, Detector, Head


@dataclass(frozen=True)
class StoredNetwork:
    """Holds a detector's cell and head, and the form in which their weights are stored."""

    cell: Cell
    head: Head
    int8: bool = False
    """True if the recurrent products have int8 weights. Scheduler, V x and head stay float32: they are small, and an
    error of the scheduler changes the level."""


def network_of(detector: Detector, *, int8: bool) -> StoredNetwork:
    """Return the network of a detector that has one."""
    assert detector.cell is not None
    assert detector.head is not None
    return StoredNetwork(detector.cell, detector.head, int8)
