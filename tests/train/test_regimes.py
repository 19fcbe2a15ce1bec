"""Operating modes that are found without labels, and their description in the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import tiny_detector
from tests.support.reports import usual_training
from vcedge.train.pipeline import Trained
from vcedge.train.regimes import find_regimes
from vcedge.train.report.choice_text import regime_section


@pytest.fixture(scope="module")
def usual() -> Trained:
    return usual_training()


def test_operating_modes_are_found_without_labels(usual: Trained) -> None:
    detector, trace = usual.detector, usual.device_trace
    z = 0.1 * np.random.default_rng(0).standard_normal(trace.z.shape).astype(np.float32)
    z[:300, 0] += 2.0
    z[300:420, 1] -= 3.0
    updated = np.full(len(z), detector.hidden // 4, np.int32)
    updated[:300] = detector.hidden
    regimes = find_regimes(replace(trace, z=z, updated=updated), detector, 700)
    assert [regime.share for regime in regimes] == pytest.approx([0.53, 0.33, 0.13], abs=0.05)
    assert [regime.typical[0][:2] for regime in regimes[1:]] == [("Channel 0", "high"), ("Channel 1", "low")]
    assert regimes[1].updated > 0.8 > 0.4 > regimes[0].updated
    assert regimes[1].updated_tail is None
    assert regimes[0].updated_tail == 0.25
    words = regime_section([regime.to_json() for regime in regimes])
    assert words is not None
    assert "3 operating modes were found. The gate opens furthest in B (Channel 0 high" in words["text"]
    alike = regime_section([{**regime.to_json(), "updated": 0.22 + i / 1000} for i, regime in enumerate(regimes)])
    assert alike is not None
    assert "opens equally far in each of them" in alike["text"]


def test_constant_operation_is_one_mode(usual: Trained) -> None:
    z = np.random.default_rng(0).standard_normal(usual.device_trace.z.shape).astype(np.float32)
    (regime,) = find_regimes(replace(usual.device_trace, z=z), usual.detector, 700)
    assert regime.share == 1.0
    assert regime.typical == ()
    words = regime_section([regime.to_json()])
    assert words is not None
    assert "one operating mode was found" in words["text"]
    (regime,) = find_regimes(replace(usual.device_trace, z=np.zeros_like(z)), usual.detector, 700)
    assert regime.share == 1.0
    assert find_regimes(usual.device_trace, tiny_detector(cell="gru"), 700) == []
    assert regime_section([]) is None
