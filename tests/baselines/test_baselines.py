"""Baselines: scores of the reference, causality, gaps and missing values, and stated costs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.real_data import data_dir, reference_scoring
from vcedge.baselines.forest import IsolationForest
from vcedge.baselines.interface import Fitted, Smoothed, ewma
from vcedge.baselines.pca import WINDOW
from vcedge.baselines.ridge_var import RidgeVar
from vcedge.baselines.table import DETECTORS, fit_baseline, trivial
from vcedge.errors import DataError, Unavailable
from vcedge.schema import F64

ROWS, CHANNELS = 500, 4
ALL = ((0, ROWS),)
NAMES = sorted(DETECTORS)


def recording(seed: int = 0) -> F64:
    """Return a recording with a slow common wave and noise on every channel."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(ROWS) / 25)[:, None]
    return np.asarray(5 + wave * [1, 2, -1, 0.5] + 0.1 * rng.standard_normal((ROWS, CHANNELS)))


def fitted(name: str) -> Fitted:
    return fit_baseline(name, recording(), ALL)


@pytest.mark.parametrize("name", NAMES)
def test_fault_scores_higher_than_training_rows(name: str) -> None:
    faulty = recording(1)
    faulty[300:340, 0] += np.where(np.arange(40) % 2, 4.0, -4.0)
    score = fitted(name).score(faulty, ALL)
    assert score.shape == (ROWS,)
    assert np.isfinite(score).all()
    # A single row shows an oscillation only by its size, so means over rows are compared.
    assert np.median(score[305:340]) > np.quantile(score[50:300], 0.98)


@pytest.mark.parametrize("span", [1.0, 20.0])
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_causal(name: str, span: float) -> None:
    detector, values = fit_baseline(name, recording(), ALL, span), recording(1)
    whole = detector.score(values, ALL)
    changed = values.copy()
    changed[350:] = 1e3
    np.testing.assert_allclose(detector.score(changed, ALL)[:350], whole[:350], rtol=1e-9)
    np.testing.assert_allclose(detector.score(values[:350], ((0, 350),)), whole[:350], rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_scores_after_a_gap_equal_a_fresh_start(name: str) -> None:
    detector, values = fit_baseline(name, recording(), ALL, 20), recording(1)
    cut = ((0, 200), (200, 203), (210, ROWS))
    scores = detector.score(values, cut)
    np.testing.assert_allclose(scores[210:], detector.score(values[210:], ((0, ROWS - 210),)), rtol=1e-9)
    assert (scores[203:210] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_finite_with_missing_values(name: str) -> None:
    rng = np.random.default_rng(2)
    holes = recording()
    holes[rng.random(holes.shape) < 0.2] = np.nan
    holes[100:140] = np.nan
    holes[0] = np.nan
    score = fit_baseline(name, holes, ALL, 20).score(holes, ALL)
    assert np.isfinite(score).all()


@pytest.mark.parametrize("name", NAMES)
def test_score_of_a_row_needs_only_the_stated_window(name: str) -> None:
    detector, values = fitted(name), recording(1)
    need = detector.cost.rows
    part = detector.score(values[300 - need + 1 : 301], ((0, need),))
    assert part[-1] == pytest.approx(detector.score(values, ALL)[300], rel=1e-9)


def test_costs_are_those_of_the_method() -> None:
    ridge = fitted("ridge-VAR").cost
    assert ridge.macs == 5 * CHANNELS**2
    assert ridge.bytes == 4 * ((1 + 5 * CHANNELS) * CHANNELS + 9 * CHANNELS)
    assert Smoothed(fitted("ridge-VAR"), 20).cost.numbers == ridge.numbers + 1
    assert fitted("window-PCA").cost.rows == WINDOW
    assert fitted("isolation forest").cost.macs > 100
    assert all(detector.cost.bytes == 0 for detector in trivial().values())


def test_trivial_scores_are_constant_or_depend_on_the_seed() -> None:
    both = trivial(seed=3)
    assert (both["all ones"].score(recording(), ALL) == 1).all()
    assert len(np.unique(both["random"].score(recording(), ALL))) == ROWS
    assert (both["random"].score(recording(), ALL) != trivial(4)["random"].score(recording(), ALL)).any()


def test_ewma_by_hand() -> None:
    assert ewma(np.array([1.0, 0.0, 0.0]), 3).tolist() == [1.0, 0.5, 0.25]
    assert ewma(np.array([1.0, 5.0]), 1).tolist() == [1.0, 5.0]
    assert len(ewma(np.zeros(0), 3)) == 0


def test_short_stretches_are_refused_by_fit_and_score_zero() -> None:
    short = tuple((a, a + 6) for a in range(0, ROWS - 6, 6))
    with pytest.raises(DataError, match="window-PCA: expected at least one stretch of 20 rows"):
        fit_baseline("window-PCA", recording(), short)
    assert RidgeVar.fit(recording(), short).score(recording()[:3], ((0, 3),)).tolist() == [0, 0, 0]


def test_missing_scikit_learn_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(Unavailable, match=r"pip install 'vcedge\[train\]'"):
        IsolationForest.fit(recording(), ALL)


@pytest.mark.parametrize(
    ("name", "span", "theirs"),
    [
        ("persistence", 1, "persistence"),
        ("max |z|", 1, "max|z|"),
        ("ridge-VAR", 1, "ridge-VAR"),
        ("ridge-VAR", 20, "ridge-VAR ew20"),
        ("PCA T²+Q", 20, "PCA T2+Q ew20"),
        ("window-PCA", 1, "window-PCA"),
        ("isolation forest", 1, "IForest"),
    ],
)
def test_scores_equal_the_reference_on_skab(name: str, span: float, theirs: str) -> None:
    scoring = reference_scoring()
    case = next(iter(scoring.load_skab(str(data_dir()))))
    expected = scoring.BASELINES[theirs](case["train"])(case["test"])
    detector = fit_baseline(name, case["train"], ((0, len(case["train"])),), span)
    found = detector.score(case["test"], ((0, len(case["test"])),))
    settled = slice(WINDOW - 1, None)  # earlier scores of the reference use later rows
    np.testing.assert_allclose(found[settled], expected[settled], rtol=1e-6, atol=1e-6)
