"""Describes what each channel showed in training, and by how much a value may go beyond it."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.schema import F64


@dataclass(frozen=True)
class SeenRange:
    """Holds the range of each channel over the training rows, in the channel's unit, and a margin around it."""

    low: F64  # (C,) least value
    high: F64  # (C,) greatest value
    margin: F64  # (C,) how far beyond is no news, >= 0; `calibration.seen_range` says how it is measured
