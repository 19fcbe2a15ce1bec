"""Lists all baselines by the names that tables of results use."""

from __future__ import annotations

from vcedge.baselines.forest import IsolationForest
from vcedge.baselines.interface import Fit, Fitted, Smoothed
from vcedge.baselines.levels import AllOnes, MaxAbsZ, Persistence, Random
from vcedge.baselines.pca import Pca, WindowPca
from vcedge.baselines.ridge_var import RidgeVar
from vcedge.calibration.split import Ranges
from vcedge.schema import F64

DETECTORS: dict[str, Fit] = {
    "persistence": Persistence.fit,
    "max |z|": MaxAbsZ.fit,
    "ridge-VAR": RidgeVar.fit,
    "PCA T²+Q": Pca.fit,
    "window-PCA": WindowPca.fit,
    "isolation forest": IsolationForest.fit,
}
"""Each without smoothing, which `fit_baseline` adds."""


def fit_baseline(name: str, values: F64, ranges: Ranges, span: float = 1.0) -> Fitted:
    """Fit a baseline on some ranges of values (N, C), smoothed over `span` rows; KeyError for an unknown name."""
    plain = DETECTORS[name](values, ranges)
    return plain if span <= 1 else Smoothed(plain, span)


def trivial(seed: int = 0) -> dict[str, Fitted]:
    """Return the trivial scores that every result is compared with."""
    return {"random": Random(seed), "all ones": AllOnes()}
