"""Parity of torch and the numpy engine over thousands of steps from a non-zero state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.support.detectors import recording, tiny_detector
from vcedge.detector import CELL_KINDS, DENSE_KINDS, CellSpec, Detector, boundaries_of
from vcedge.runtime.engine.numpy_engine import NumpyEngine, scheduler_sizes
from vcedge.runtime.engine.state import State
from vcedge.schema import F32, F64
from vcedge.train.cells import CELLS
from vcedge.train.model import ResidualModel
from vcedge.train.scheduler import GATE_GAIN, MaskMode

CHANNELS, STEPS, WARM = 4, 3000, 200


def random_model(kind: str, levels: int | list[float], hidden: int = 32) -> ResidualModel:
    """Return a network with weights so large that its levels and states vary."""
    torch.manual_seed(1)
    boundaries = boundaries_of(1 if kind in DENSE_KINDS else levels, hidden)
    model = ResidualModel(CellSpec(kind, CHANNELS, hidden, boundaries), CHANNELS)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
        if model.cell.scheduler is not None:
            model.cell.scheduler.bias.fill_(-5.5)
    return model


def detector_of(model: ResidualModel) -> Detector:
    cell, head = model.export()
    base = tiny_detector(channels=CHANNELS)
    limits = replace(base.calibration, surprise_limit=1e30)
    return replace(base, cell=cell, head=head, calibration=limits)


def engine_run(engine: NumpyEngine, state: State, values: F64) -> tuple[F32, F32, list[int], F32, F32]:
    """Return scheduler signals, inputs, levels, hidden states and corrections of each row."""
    signals, inputs, levels, hidden, corrections = [], [], [], [], []
    for row in values:
        previous = state.lags[0].copy()
        levels.append(engine.step(row, state)[1])
        z = state.lags[0].copy()
        signals.append(np.concatenate((z, *scheduler_sizes(engine.detector.features, z, previous, state.residual))))
        inputs.append(z)
        hidden.append(state.h.copy())
        corrections.append(state.correction.copy())
    return np.array(signals), np.array(inputs), levels, np.array(hidden), np.array(corrections)


@pytest.mark.parametrize(
    ("kind", "levels"),
    [
        ("vcgru", 8),
        ("vcgru", [0.125, 0.25, 0.5, 1.0]),
        ("vcrnn", 8),
        ("vcrnn", [0.125, 0.25, 0.5, 1.0]),
        ("gru", 1),
        ("rnn", 1),
    ],
)
def test_torch_and_numpy_agree_over_thousands_of_steps(kind: str, levels: int | list[float]) -> None:
    model = random_model(kind, levels)
    engine = NumpyEngine(detector_of(model))
    state = engine.new_state()
    values = recording(7, WARM + STEPS, CHANNELS)
    engine_run(engine, state, values[:WARM])
    start = torch.tensor(state.h.copy())[None]
    assert float(start.abs().max()) > 0.1
    signals, inputs, expected_levels, hidden, corrections = engine_run(engine, state, values[WARM:])

    with torch.no_grad():
        predicted, shares, torch_hidden = model(
            torch.tensor(inputs)[:, None],
            torch.tensor(signals)[:, None],
            torch.ones(STEPS, 1, 1),
            start,
            MaskMode(1.0, hard=True),
        )
    boundaries = np.array(model.cell.spec.boundaries)
    share = boundaries[np.array(expected_levels) - 1] / model.cell.spec.hidden
    if kind not in DENSE_KINDS:
        assert len(set(expected_levels)) == len(boundaries)
    assert np.array_equal(np.round(shares[:, 0].numpy(), 6), np.round(share, 6)), "the level sequences differ"
    assert np.abs(torch_hidden[:, 0].numpy() - hidden).max() < 1e-5
    assert np.abs(predicted[:, 0].numpy() - corrections).max() < 1e-5


def test_sharp_soft_mask_equals_the_hard_one() -> None:
    model = random_model("vcgru", 8)
    scheduler = model.cell.scheduler
    assert scheduler is not None
    logit = torch.linspace(-4, 4, 501)
    hard, share = scheduler.mask(logit, MaskMode(8.0, hard=True))
    soft, _ = scheduler.mask(logit, MaskMode(1e5, hard=False))
    assert float((hard - soft).abs().mean()) < 1e-2
    assert torch.equal(share, hard.mean(dim=1))
    assert set(torch.unique(hard).tolist()) == {0.0, 1.0}


def test_hard_mask_has_the_gradient_of_the_soft_mask() -> None:
    scheduler = random_model("vcgru", 8).cell.scheduler
    assert scheduler is not None
    weights = torch.randn(32)
    gradients = []
    for hard in (True, False):
        logit = torch.linspace(-2, 2, 9, requires_grad=True)
        e, _ = scheduler.mask(logit, MaskMode(20.0, hard=hard))
        (e @ weights).sum().backward()
        assert logit.grad is not None
        gradients.append(logit.grad)
    assert torch.allclose(gradients[0], gradients[1])
    assert float(gradients[0].abs().max()) > 0


def test_gate_gain_is_folded_into_the_exported_weights() -> None:
    model = random_model("vcgru", 8)
    cell, _ = model.export()
    assert model.cell.scheduler is not None
    expected = GATE_GAIN * model.cell.scheduler.input.detach().numpy()
    assert np.allclose(cell.gate_input, expected)
    assert set(CELLS) == set(CELL_KINDS)


def test_dense_rnn_equals_torch() -> None:
    model = random_model("rnn", 1)
    cell, reference = model.cell, torch.nn.RNN(CHANNELS, 32)
    weights = {"weight_ih_l0": cell.input, "weight_hh_l0": cell.recurrent, "bias_ih_l0": cell.bias}
    reference.load_state_dict({**weights, "bias_hh_l0": torch.zeros(32)})
    with torch.no_grad():
        x, h = torch.randn(50, 3, CHANNELS), torch.rand(3, 32) - 0.5
        expected, _ = reference(x, h[None])
        found, share = model.cell(
            x, torch.zeros(50, 3, 4 * CHANNELS), torch.ones(50, 3, 1), h, MaskMode(1.0, hard=True)
        )
    assert torch.allclose(found, expected, atol=1e-5)
    assert set(share.flatten().tolist()) == {1.0}


@pytest.mark.parametrize("hard", [True, False])
def test_vcrnn_keeps_masked_dimensions(hard: bool) -> None:
    """Eq. 13 written out: masked dimensions neither enter the product nor change; partly with a soft mask."""
    cell = random_model("vcrnn", 4, hidden=8).cell
    assert cell.scheduler is not None
    h, x = torch.rand(5, 8) - 0.5, torch.randn(5, CHANNELS)
    with torch.no_grad():
        e, _ = cell.scheduler.mask(torch.linspace(-3, 3, 5), MaskMode(8.0, hard=hard))
        found = cell.update(x @ cell.input.T + cell.bias, e, h)
        for row in range(5):
            product = cell.recurrent @ (e[row] * h[row]) + cell.input @ x[row] + cell.bias
            expected = e[row] * torch.tanh(product) + (1 - e[row]) * h[row]
            assert torch.allclose(found[row], expected, atol=1e-6)
    if hard:
        assert torch.equal(found[e == 0], h[e == 0])
