"""Generates a recording for the parity gate from a model's statistics of its plant, with a fixed seed.

It is not for measuring detection: it has to reach every level, open the gate, cause surprises, and lose sensors.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Detector
from vcedge.schema import F64

SIZES = (0.2, 1.0, 1.0, 4.0)
"""Noise levels to draw an episode's from: quiet, normal (twice as likely), a burst."""
EPISODE = 40
"""Rows of an episode."""
MISSING = 0.01
NEW = 0.01
"""Share of values of commands and constants that training never had."""
MOST_MEMORY = 0.999


def generated(detector: Detector, rows: int, seed: int = 0) -> F64:
    """Return values (rows, C): an autoregressive process for each sensor, as fast as the sensor was in training.

    Commands switch between their two values, constants stay, and both have now and then a value that training never
    had. One value in a hundred is missing, one channel is missing for a while, and one reads 1e30 for a while.
    """
    rng = np.random.default_rng(seed)
    features = detector.features
    # The change of x' = m x + sqrt(1 - m^2) e, which has unit variance, has the variance 2 (1 - m).
    memory = np.clip(1.0 - features.change_scale.astype(np.float64) ** 2 / 2, 0.0, MOST_MEMORY)
    size = np.repeat(rng.choice(SIZES, rows // EPISODE + 1), EPISODE)[:rows]
    noise = rng.standard_normal((rows, detector.channels)) * size[:, None] * np.sqrt(1 - memory**2)
    z = np.zeros((rows, detector.channels))
    last = np.zeros(detector.channels)
    for row in range(rows):
        last = memory * last + noise[row]
        z[row] = last
    values = np.asarray(features.center + features.scale * z)
    values = np.where(detector.sensors, values, _still(detector, z, rng))
    values[rng.random(values.shape) < MISSING] = np.nan
    values[rows // 3 : rows // 3 + EPISODE, -1] = np.nan
    values[rows // 2 : rows // 2 + EPISODE // 2, 0] = 1e30
    return values


def _still(detector: Detector, z: F64, rng: np.random.Generator) -> F64:
    """Return values (rows, C) of commands and constants: lowest or highest by the sign of z, rarely a new one."""
    seen = detector.seen
    values = np.where(z > 0.0, seen.high, seen.low)
    return np.where(rng.random(z.shape) < NEW, seen.high + 2 * seen.margin + 1.0, values)
