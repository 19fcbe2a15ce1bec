"""Holds the range of values that each channel showed in training."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.schema import F64


@dataclass(frozen=True)
class SeenRange:
    """Holds lowest and highest value of each channel in training, and how far beyond it new rows usually go."""

    low: F64  # (C,) in the channel's unit
    high: F64  # (C,)
    margin: F64  # (C,)
