"""An almost noiseless channel: rounding is no difference between a model and its exported file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.exports import exported, model_of, small_model
from vcedge.export.verify import verify

pytestmark = pytest.mark.slow


def test_a_gate_that_follows_the_error_of_a_counter_passes() -> None:
    detector = small_model().detector
    channels, highway, cell = detector.channels, detector.highway, detector.cell
    assert cell is not None
    weights, spread = np.zeros_like(highway.weights), np.ones(channels, np.float32)
    weights[1 : 1 + 2 * channels] = np.vstack((0.4 * np.eye(channels), 0.6 * np.eye(channels)))
    spread[-1] = 0.05
    gate = np.zeros_like(cell.gate_input)
    gate[-1] = 20.0
    highway = replace(highway, weights=weights, bias=np.zeros_like(spread), spread=spread)
    model = model_of(replace(detector, highway=highway, cell=replace(cell, gate_input=gate)))
    z = np.random.default_rng(0).standard_normal((9700, channels))
    z[:, -1] = np.linspace(6.0, 7.0, len(z)) + 0.015 * z[:, -1]
    values = detector.features.center + detector.features.scale * z
    assert verify(model, exported(model, "onnx", "dense", whole=True), values).problem is None
