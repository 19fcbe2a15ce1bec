"""All baselines by name, as tables of results call them."""

from __future__ import annotations

from vcedge.baselines.forest import IsolationForest
from vcedge.baselines.interface import Fit, Fitted, Smoothed
from vcedge.baselines.levels import MaxAbsZ, Persistence
from vcedge.baselines.pca import Pca, WindowPca
from vcedge.baselines.ridge_var import RidgeVar
from vcedge.baselines.trivial import AllOnes, Random
from vcedge.calibration.split import Ranges
from vcedge.schema import F64

SPAN = 20.0
"""Rows of smoothing that the yardstick's best baselines have."""
DETECTORS: dict[str, Fit] = {
    "persistence": Persistence.fit,
    "max |z|": MaxAbsZ.fit,
    "ridge-VAR": RidgeVar.fit,
    "PCA T²+Q": Pca.fit,
    "window-PCA": WindowPca.fit,
    "isolation forest": IsolationForest.fit,
}
"""Each without smoothing; `fit_baseline` adds it."""


def fit_baseline(name: str, values: F64, ranges: Ranges, span: float = 1.0) -> Fitted:
    """A baseline fitted on some ranges of values (N, C), smoothed over `span` rows. Raises KeyError for other names."""
    plain = DETECTORS[name](values, ranges)
    return plain if span <= 1 else Smoothed(plain, span)


def trivial(seed: int = 0) -> dict[str, Fitted]:
    """What stands beside every result: without them no number means anything."""
    return {"random": Random(seed), "all ones": AllOnes()}
