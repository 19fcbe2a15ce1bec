"""Describes what each channel showed in training, and how far beyond it a value is no news yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.schema import F64


@dataclass(frozen=True)
class SeenRange:
    """Holds the range of each channel over the training rows, in the channel's unit, and a margin at each end."""

    low: F64  # (C,) least value
    high: F64  # (C,) greatest value
    margin_low: F64  # (C,) how far below `low` a value is no news, >= 0; `calibration.seen_range` measures it
    margin_high: F64  # (C,) how far above `high`

    @property
    def margin(self) -> F64:
        """The wider margin (C,) of the two ends."""
        return np.maximum(self.margin_low, self.margin_high)
