"""Scores a row by how few random cuts isolate it, with the isolation forest of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vcedge.baselines.interface import Cost, StandardisedBaseline, features_of, standardised
from vcedge.calibration.split import Ranges
from vcedge.errors import Unavailable
from vcedge.schema import F64

TREES, MOST_ROWS = 100, 20_000
NUMBERS_A_NODE = 4
"""Numbers of one node: channel, limit and two branches."""


@dataclass(frozen=True)
class IsolationForest(StandardisedBaseline):
    """Scores single rows with scikit-learn's forest."""

    model: Any

    @classmethod
    def fit(cls, values: F64, ranges: Ranges, seed: int = 0) -> IsolationForest:
        """See `Fit`; raise Unavailable without scikit-learn."""
        try:
            from sklearn.ensemble import IsolationForest as Forest
        except ImportError:
            raise Unavailable("the isolation forest needs scikit-learn: pip install 'vcedge[train]'") from None
        features = features_of(values, ranges, clip=np.inf)
        rows = np.concatenate(standardised(values, features, ranges))
        model = Forest(n_estimators=TREES, random_state=seed, n_jobs=1)
        return cls(features, model.fit(rows[:: max(1, len(rows) // MOST_ROWS)]))

    @property
    def cost(self) -> Cost:
        """Cost in comparisons down to a leaf of mean depth in every tree, and in the numbers of all nodes."""
        trees = [tree.tree_ for tree in self.model.estimators_]
        nodes = sum(int(tree.node_count) for tree in trees)
        depth = sum(float(np.log2(max(tree.n_leaves, 2))) for tree in trees)
        return Cost(depth, NUMBERS_A_NODE * nodes + 2 * len(self.features.center))

    def score_range(self, z: F64, values: F64) -> F64:
        """See `StandardisedBaseline.score_range`."""
        return np.asarray(-self.model.score_samples(z))
