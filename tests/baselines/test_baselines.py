"""Baselines score as the reference's do, causally, through gaps and missing values, and say what they cost."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.yardstick import data_dir, reference
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


def plant(seed: int = 0) -> F64:
    """A slow common wave with noise on every channel."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(ROWS) / 25)[:, None]
    return np.asarray(5 + wave * [1, 2, -1, 0.5] + 0.1 * rng.standard_normal((ROWS, CHANNELS)))


def fitted(name: str) -> Fitted:
    return fit_baseline(name, plant(), ALL)


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_scores_higher_than_what_was_learnt(name: str) -> None:
    faulty = plant(1)
    faulty[300:340, 0] += np.where(np.arange(40) % 2, 4.0, -4.0)
    score = fitted(name).score(faulty, ALL)
    assert score.shape == (ROWS,)
    assert np.isfinite(score).all()
    # A row alone tells a swing apart but by its size, so that rows and not each row are compared.
    assert np.median(score[305:340]) > np.quantile(score[50:300], 0.98)


@pytest.mark.parametrize("span", [1.0, 20.0])
@pytest.mark.parametrize("name", NAMES)
def test_no_row_depends_on_a_later_one(name: str, span: float) -> None:
    detector, values = fit_baseline(name, plant(), ALL, span), plant(1)
    whole = detector.score(values, ALL)
    changed = values.copy()
    changed[350:] = 1e3
    np.testing.assert_allclose(detector.score(changed, ALL)[:350], whole[:350], rtol=1e-9)
    np.testing.assert_allclose(detector.score(values[:350], ((0, 350),)), whole[:350], rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_forgets_what_was_before(name: str) -> None:
    detector, values = fit_baseline(name, plant(), ALL, 20), plant(1)
    cut = ((0, 200), (200, 203), (210, ROWS))
    scores = detector.score(values, cut)
    np.testing.assert_allclose(scores[210:], detector.score(values[210:], ((0, ROWS - 210),)), rtol=1e-9)
    assert (scores[203:210] == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_missing_values(name: str) -> None:
    rng = np.random.default_rng(2)
    holes = plant()
    holes[rng.random(holes.shape) < 0.2] = np.nan
    holes[100:140] = np.nan
    holes[0] = np.nan
    score = fit_baseline(name, holes, ALL, 20).score(holes, ALL)
    assert np.isfinite(score).all()


@pytest.mark.parametrize("name", NAMES)
def test_one_row_at_a_time_needs_the_rows_it_says(name: str) -> None:
    detector, values = fitted(name), plant(1)
    need = detector.cost.rows
    part = detector.score(values[300 - need + 1 : 301], ((0, need),))
    assert part[-1] == pytest.approx(detector.score(values, ALL)[300], rel=1e-9)


def test_costs() -> None:
    ridge = fitted("ridge-VAR").cost
    assert ridge.macs == 5 * CHANNELS**2
    assert ridge.bytes == 4 * ((1 + 5 * CHANNELS) * CHANNELS + 9 * CHANNELS)
    assert Smoothed(fitted("ridge-VAR"), 20).cost.numbers == ridge.numbers + 1
    assert fitted("window-PCA").cost.rows == WINDOW
    assert fitted("isolation forest").cost.macs > 100
    assert all(detector.cost.bytes == 0 for detector in trivial().values())


def test_random_and_ones() -> None:
    both = trivial(seed=3)
    assert (both["all ones"].score(plant(), ALL) == 1).all()
    assert len(np.unique(both["random"].score(plant(), ALL))) == ROWS
    assert (both["random"].score(plant(), ALL) != trivial(4)["random"].score(plant(), ALL)).any()


def test_smoothing_by_hand() -> None:
    assert ewma(np.array([1.0, 0.0, 0.0]), 3).tolist() == [1.0, 0.5, 0.25]
    assert ewma(np.array([1.0, 5.0]), 1).tolist() == [1.0, 5.0]
    assert len(ewma(np.zeros(0), 3)) == 0


def test_stretches_that_are_too_short_are_refused_or_silent() -> None:
    short = tuple((a, a + 6) for a in range(0, ROWS - 6, 6))
    with pytest.raises(DataError, match="window-PCA: expected at least one stretch of 20 rows"):
        fit_baseline("window-PCA", plant(), short)
    assert RidgeVar.fit(plant(), short).score(plant()[:3], ((0, 3),)).tolist() == [0, 0, 0]


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(Unavailable, match=r"pip install 'vcedge\[train\]'"):
        IsolationForest.fit(plant(), ALL)


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
def test_agreement_with_the_reference_on_a_real_rig(name: str, span: float, theirs: str) -> None:
    yardstick = reference()
    case = next(iter(yardstick.load_skab(str(data_dir()))))
    expected = yardstick.BASELINES[theirs](case["train"])(case["test"])
    detector = fit_baseline(name, case["train"], ((0, len(case["train"])),), span)
    found = detector.score(case["test"], ((0, len(case["test"])),))
    settled = slice(WINDOW - 1, None)  # before, the reference fills in what came later
    np.testing.assert_allclose(found[settled], expected[settled], rtol=1e-6, atol=1e-6)
