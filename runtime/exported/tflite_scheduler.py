"""Checks a family's scheduler, which other hosts call: it must pick the levels that the model's weights pick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Cell
from vcedge.errors import ModelFileError

PROBES = 8
MARGIN = 2e-6
"""Distance from a limit at which the logit is set, relative to its terms: float32 sums differ by less."""


def check_scheduler(tensors: Mapping[str, NDArray[Any]], invoke: Callable[[], None], cell: Cell, name: str) -> None:
    """Check the level just below and just above each limit of the logit, on states of zeros and on random ones.

    `tensors` are the scheduler's inputs and outputs by name, `invoke` computes. Raises ModelFileError if a level
    differs from that of the weights.
    """
    rng = np.random.default_rng(0)
    for probe in range(PROBES if cell.spec.levels > 1 else 0):
        size = 0.0 if probe == 0 else 1.0
        signals = (size * rng.standard_normal(len(cell.gate_input))).astype(np.float32)
        h = (size * rng.uniform(-1.0, 1.0, len(cell.gate_hidden))).astype(np.float32)
        terms = np.concatenate((cell.gate_input * signals, cell.gate_hidden * h)).astype(np.float64)
        margin = MARGIN * max(1.0, float(np.abs(terms).sum()))
        for below, limit in enumerate(cell.spec.thresholds().tolist(), start=1):
            for level, goal in ((below, limit - margin), (below + 1, limit + margin)):
                tensors["signals"][0], tensors["h"][0] = signals, h
                tensors["min_level"][0], tensors["logit_bias"][0] = 1, goal - terms.sum() - cell.gate_bias
                invoke()
                if (found := int(tensors["level"][0])) != level:
                    raise ModelFileError(f"{name}: picks level {found} where the model's weights pick {level}")
