"""Classification of faults: separable kinds have a name each, similar ones share a name or are unclear."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from vcedge.calibration.split import split_by_time
from vcedge.calibration.trace import TracedRows, run_engine
from vcedge.resemblance import FEATURES, UNCLEAR
from vcedge.runtime.engine.registry import load_engine
from vcedge.sensitivity.events import InjectedEvents, injected_events
from vcedge.sensitivity.resemblance import fit_resemblance

CLOUD = 40


def clouds(places: dict[str, float], count: int = CLOUD, seed: int = 0) -> InjectedEvents:
    """Return events of some kinds whose features differ in the mean of the first."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(list(places), count)
    features = rng.standard_normal((len(kinds), len(FEATURES)))
    features[:, 0] += np.repeat(list(places.values()), count)
    return InjectedEvents(features, kinds, rng.permutation(len(kinds)))


def test_different_kinds_have_names_of_their_own() -> None:
    fitted = fit_resemblance(clouds({"spike": 0.0, "noise": 8.0, "drift": 16.0}))
    model, found = fitted.model, fitted.kinds
    assert model is not None
    assert sorted(model.names) == ["drift", "noise", "spike"]
    assert all(item.alone > 0.95 * item.events for item in found)
    assert model.name_of(np.eye(len(FEATURES))[0] * 8.0) == "noise"


def test_similar_kinds_share_a_name() -> None:
    fitted = fit_resemblance(clouds({"offset": 0.0, "swap": 0.0, "noise": 12.0}))
    model, found = fitted.model, fitted.kinds
    assert model is not None
    assert sorted(set(model.names)) == ["noise", "offset or swap"]
    by_kind = {item.kind: item for item in found}
    assert by_kind["offset"].named > 0.6 * CLOUD
    assert by_kind["offset"].alone < 0.4 * CLOUD
    assert by_kind["noise"].alone > 0.9 * CLOUD


def test_kind_that_is_similar_to_many_is_unclear() -> None:
    places = dict.fromkeys(("offset", "drift", "gain", "swap", "delay"), 0.0)
    fitted = fit_resemblance(clouds({**places, "noise": 15.0}))
    model, found = fitted.model, fitted.kinds
    assert model is not None
    assert "noise" in model.names
    assert all(name.count(" or ") <= 2 for name in model.names)
    assert sum(item.alone for item in found if item.kind != "noise") < 0.3 * 5 * CLOUD


def test_kind_with_few_events_is_not_learned() -> None:
    few, many = clouds({"delay": 30.0}, count=5), clouds({"spike": 0.0, "noise": 8.0})
    joined = (np.concatenate(pair) for pair in zip(vars(few).values(), vars(many).values(), strict=True))
    fitted = fit_resemblance(InjectedEvents(*joined))
    model, found = fitted.model, fitted.kinds
    assert model is not None
    assert "delay" not in model.names
    assert next(item for item in found if item.kind == "delay").named == 0
    assert model.name_of(np.eye(len(FEATURES))[0] * 60.0) == UNCLEAR


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_events_give_no_resemblance(count: int) -> None:
    fitted = fit_resemblance(clouds({"spike": 0.0, "noise": 8.0}, count=count))
    model, found = fitted.model, fitted.kinds
    assert model is None
    assert sum(item.named for item in found) == 0


def test_faults_injected_into_a_recording_are_recognised() -> None:
    values = recording(1, 6000, 3)
    values = np.clip(values, np.quantile(values, 0.02, axis=0), np.quantile(values, 0.98, axis=0))
    split = split_by_time(((0, len(values)),), 2)
    engine = load_engine(tiny_detector(cell=None, threshold=12.0))
    rows = TracedRows(values, split, run_engine(engine, values, split.tail, split.starts))
    kinds = ("spike", "noise", "oscillation")
    few, again = (injected_events(engine, rows, 4_000, kinds=kinds) for _ in range(2))
    assert np.array_equal(few.features, again.features)
    events = injected_events(engine, rows, 50_000, kinds=kinds)
    fitted = fit_resemblance(events)
    model, found = fitted.model, fitted.kinds
    assert model is not None
    assert sum(item.named for item in found) > 0.6 * len(events.kinds)
