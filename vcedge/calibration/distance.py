"""Fits the distance of a row to the rows seen in training: k-means from rows evenly spaced in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vcedge.schema import F64

CENTROIDS = (2, 32)
"""Fewest and most centroids; between them one for ROWS_EACH rows."""
ROWS_EACH = 25
MOST_ROWS = 4000
ROUNDS = 20
LEAST_DEVIATION = 1e-3
LEAST_DISTINCT = 200
"""Fewest distinct rows, rounded to three digits: with fewer every row is a centroid, and the distance says nothing."""
CHUNK_ROWS = 20_000


@dataclass(frozen=True)
class Centroids:
    """Holds centroids (K, C) of rows times `scale` (C,)."""

    scale: F64
    centers: F64

    def distances(self, z: F64) -> F64:
        """Return the root mean square distance (n,) of rows z (n, C) to the nearest centroid, over live channels."""
        live = max(int((self.scale > 0).sum()), 1)
        chunks = [self._squares(z[at : at + CHUNK_ROWS]).min(axis=1) for at in range(0, len(z), CHUNK_ROWS)]
        return np.sqrt(np.concatenate(chunks) / live) if chunks else np.zeros(0)

    def _squares(self, z: F64) -> F64:
        return squared_distances(z * self.scale, self.centers)


def tells(z: F64) -> bool:
    """Return whether rows (n, C) are distinct enough for a distance."""
    return len(np.unique(np.round(z, 3), axis=0)) > LEAST_DISTINCT


def fit_centroids(z: F64, rows: int, live: F64) -> Centroids:
    """Fit centroids to rows z (n, C) of a recording of `rows` rows; `live` (C,) is 0 for constants."""
    mean, deviation = z.mean(axis=0), np.maximum(z.std(axis=0), LEAST_DEVIATION)
    sample = ((z - mean) / deviation * live)[:: max(1, len(z) // MOST_ROWS)]
    count = max(min(CENTROIDS[1], rows // ROWS_EACH), CENTROIDS[0])
    centers = sample[np.linspace(0, len(sample) - 1, count).astype(int)]
    for _ in range(ROUNDS):
        nearest = squared_distances(sample, centers).argmin(axis=1)
        size = np.bincount(nearest, minlength=count)
        sums = np.zeros_like(centers)
        np.add.at(sums, nearest, sample)
        centers = np.where(size[:, None] > 0, sums / np.maximum(size, 1)[:, None], centers)
    return Centroids(live / deviation, centers + live * mean / deviation)


def squared_distances(rows: F64, centers: F64) -> F64:
    """Return the squared distances (n, K) of rows (n, C) and centroids (K, C)."""
    squares = (rows**2).sum(axis=1)[:, None] - 2 * rows @ centers.T + (centers**2).sum(axis=1)
    return np.asarray(np.maximum(squares, 0.0))
