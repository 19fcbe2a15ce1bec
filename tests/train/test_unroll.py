"""Parity of the kernel's unrolling and plain autograd: equal states and gradients in double precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.paper.cells import PAPER_CELLS, PaperScheduler
from vcedge.detector import DENSE_KINDS, CellSpec, boundaries_of
from vcedge.runtime.engine.native_support import native_problem
from vcedge.train.cells import CELLS, VariableCell
from vcedge.train.scheduler import MaskMode
from vcedge.train.unroll import can_unroll

INPUTS, STEPS, BATCH = 3, 7, 4
SOFT, THROUGH, HARD, THRESHOLDED = (
    MaskMode(9.0, hard=False),
    MaskMode(9.0, hard=True),
    MaskMode(0.0, hard=True),  # no gradient through the gate, as in finite differences of a hard mask
    MaskMode(40.0, hard=False, eps=0.05),
)
KINDS = [("vcgru", 4), ("vcgru", [0.25, 0.5, 1.0]), ("vcrnn", 3), ("gru", 1), ("rnn", 1)]
needs_kernel = pytest.mark.skipif(native_problem() is not None, reason=f"native kernel: {native_problem()}")


def random_cell(kind: str, levels: int | list[float], hidden: int = 12, *, paper_mask: bool = False) -> VariableCell:
    torch.manual_seed(5)
    boundaries = boundaries_of(1 if kind in DENSE_KINDS else levels, hidden)
    cell = CELLS[kind](CellSpec(kind, INPUTS, hidden, boundaries), INPUTS + 3, 1)  # type: ignore[index,arg-type]
    if paper_mask:
        cell.scheduler = PaperScheduler(cell.spec, INPUTS + 3, 1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(0.6 * torch.randn_like(parameter))
    return cell.double()


def random_window(hidden: int, steps: int = STEPS, batch: int = BATCH) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(6)
    keep = torch.ones(steps, batch, 1)
    keep[steps // 2, 1] = 0
    keep[0, 0] = 0
    window = torch.randn(steps, batch, INPUTS), torch.randn(steps, batch, INPUTS + 3), keep, torch.randn(batch, hidden)
    return tuple(tensor.double() for tensor in window)  # type: ignore[return-value]


def plain_autograd(cell: VariableCell) -> VariableCell:
    cell.kernel_unrolls = False
    return cell


def gradients(cell: VariableCell, window: tuple[Tensor, ...], mode: MaskMode) -> dict[str, Tensor]:
    """Return gradients of every weight, of inputs and of the first state, with the outputs among them."""
    x, signals, keep, h = (tensor.clone().requires_grad_(tensor.shape[-1] > 1) for tensor in window)
    hidden, shares = cell(x, signals, keep, h, mode)
    torch.manual_seed(7)
    (hidden * torch.randn_like(hidden)).sum().add((shares * torch.randn_like(shares)).sum()).backward()
    found = {name: p.grad for name, p in cell.named_parameters() if p.grad is not None}
    found |= {"x": x.grad, "signals": signals.grad, "h": h.grad, "hidden": hidden.detach(), "shares": shares.detach()}
    return {name: gradient.clone() for name, gradient in found.items() if gradient is not None}


def same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float) -> bool:
    assert one.keys() == other.keys()
    worst = {name: float((one[name] - other[name]).abs().max() / other[name].abs().max().clamp(min=1)) for name in one}
    assert max(worst.values()) < tolerance, worst
    return True


@needs_kernel
@pytest.mark.parametrize("mode", [SOFT, THROUGH, HARD, THRESHOLDED])
@pytest.mark.parametrize(("kind", "levels"), KINDS)
def test_gradients_equal_plain_autograd(kind: str, levels: int | list[float], mode: MaskMode) -> None:
    window = random_window(12)
    plain = gradients(plain_autograd(random_cell(kind, levels)), window, mode)
    if kind not in DENSE_KINDS and mode in (SOFT, THROUGH):
        assert float(plain["signals"].abs().max()) > 0
    assert same(gradients(random_cell(kind, levels), window, mode), plain, 1e-12)


@needs_kernel
@pytest.mark.parametrize("mode", [SOFT, THROUGH, HARD, THRESHOLDED])
def test_gradients_equal_plain_autograd_with_the_papers_mask(mode: MaskMode) -> None:
    window = random_window(12)
    cell = random_cell("vcgru", 4, paper_mask=True)
    shares = gradients(cell, window, mode)["shares"]
    assert len(set(shares.flatten().tolist())) > 4
    plain = gradients(plain_autograd(random_cell("vcgru", 4, paper_mask=True)), window, mode)
    assert same(gradients(random_cell("vcgru", 4, paper_mask=True), window, mode), plain, 1e-12)


@needs_kernel
@pytest.mark.parametrize("mode", [SOFT, HARD, THRESHOLDED])
@pytest.mark.parametrize(("kind", "paper_mask"), [("vcgru", False), ("vcrnn", False), ("vcgru", True), ("gru", False)])
def test_gradients_equal_finite_differences(kind: str, paper_mask: bool, mode: MaskMode) -> None:
    cell = random_cell(kind, 2, hidden=4, paper_mask=paper_mask)
    x, signals, keep, h = random_window(4, steps=3, batch=2)
    names = [name for name, _ in cell.named_parameters()]

    def run(x: Tensor, signals: Tensor, h: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        values = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(cell, values, (x, signals, keep, h, mode))  # type: ignore[no-any-return]

    inputs = [tensor.requires_grad_() for tensor in (x, signals, h, *(p.detach().clone() for p in cell.parameters()))]
    assert torch.autograd.gradcheck(run, inputs)


@needs_kernel
@pytest.mark.parametrize(
    "hidden", [12, 17, 32, 40]
)  # multiples of the vector width of no, some and all instruction sets
@pytest.mark.parametrize("mode", [SOFT, THROUGH])
def test_float32_agrees_within_rounding(hidden: int, mode: MaskMode) -> None:
    levels: int | list[float] = [5 / 17, 1.0] if hidden == 17 else 4
    window = tuple(tensor.float() for tensor in random_window(hidden, steps=40))
    plain = gradients(plain_autograd(random_cell("vcgru", levels, hidden).float()), window, mode)
    assert same(gradients(random_cell("vcgru", levels, hidden).float(), window, mode), plain, 2e-4)


@needs_kernel
def test_dense_gru_equals_torch() -> None:
    cell, reference = random_cell("gru", 1, hidden=16), torch.nn.GRU(INPUTS, 16).double()
    order = torch.cat((torch.arange(16, 32), torch.arange(16), torch.arange(32, 48)))  # torch's: reset, update
    flip = torch.ones(48, 1).double()
    flip[16:32] = -1  # torch's update gate keeps where it is 1
    with torch.no_grad():
        reference.weight_ih_l0.copy_(flip * cell.input[order])
        reference.weight_hh_l0.copy_(flip * cell.recurrent[order])
        reference.bias_ih_l0.copy_(flip[:, 0] * cell.bias[order])
        reference.bias_hh_l0.zero_()
        reference.bias_hh_l0[32:] = cell.reset_bias
        x, signals, _, h = random_window(16)
        expected, _ = reference(x, h[None])
        found, _ = cell(x, signals, torch.ones(STEPS, BATCH, 1).double(), h, SOFT)
    assert torch.allclose(found, expected, atol=1e-12)


@needs_kernel
def test_backward_twice_works_unless_weights_changed() -> None:
    cell = random_cell("vcgru", 4)
    hidden, _ = cell(*random_window(12), THROUGH)
    loss = hidden.square().sum()
    first, second = (torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    with torch.no_grad():
        cell.recurrent.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_kernel_refuses_other_dtypes_and_devices() -> None:
    assert not can_unroll(torch.zeros(2, dtype=torch.float16))
    assert not can_unroll(torch.zeros(2, device="meta"))
    assert can_unroll(torch.zeros(2)) == (native_problem() is None)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("mode", [SOFT, THROUGH, HARD])
def test_cuda_equals_cpu(mode: MaskMode) -> None:
    window = random_window(12)
    plain = gradients(plain_autograd(random_cell("vcgru", 4)), window, mode)
    found = gradients(random_cell("vcgru", 4).cuda(), tuple(tensor.cuda() for tensor in window), mode)
    assert same({name: tensor.cpu() for name, tensor in found.items()}, plain, 1e-9)


@pytest.mark.parametrize("kind", ["vcgru", "vcrnn"])
@pytest.mark.parametrize("hard", [True, False])
def test_papers_form_follows_its_equations(kind: str, hard: bool) -> None:
    """Eq. 7 to 16 as printed, a sample and a dimension at a time; d = ceil(m D) with the hard mask."""
    torch.manual_seed(8)
    D = 5
    cell = PAPER_CELLS[kind](CellSpec(kind, D, D, tuple(range(1, D + 1))), D, 0).double()  # type: ignore[index,arg-type]
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(torch.randn_like(parameter))
    x, h, mode = torch.randn(D).double(), torch.randn(D).double(), MaskMode(10.0, hard=hard, eps=0.1)
    scheduler = cell.scheduler
    assert scheduler is not None
    with torch.no_grad():
        m = torch.sigmoid(scheduler.hidden @ h + scheduler.input @ x + scheduler.bias)
        i = torch.arange(1, D + 1).double()
        e = torch.sigmoid(10.0 * (m - i / D))
        e = torch.where(e > 0.9, 1.0, torch.where(e < 0.1, 0.0, e))
        e = (i <= torch.ceil(m * D)).double() if hard else e
        expected = _as_printed(kind, cell, e, x, h)
        found, share = cell(x[None, None], x[None, None], torch.ones(1, 1, 1).double(), h[None], mode)
    assert torch.allclose(found[0, 0], expected, atol=1e-12)
    assert float(share) == pytest.approx(float(e.mean()))


def _as_printed(kind: str, cell: VariableCell, e: Tensor, x: Tensor, h: Tensor) -> Tensor:
    hbar, xbar, s = e * h, e * x, torch.sigmoid
    if kind == "vcrnn":
        return e * torch.tanh(cell.recurrent @ hbar + cell.input @ xbar + cell.bias) + (1 - e) * h
    blocks: Callable[[Tensor], tuple[Tensor, ...]] = lambda tensor: tensor.chunk(3)  # noqa: E731
    (U_z, U_r, U), (V_z, V_r, V), (b_z, b_r, b) = blocks(cell.recurrent), blocks(cell.input), blocks(cell.bias)
    r, z = s(U_r @ hbar + V_r @ xbar + b_r), e * s(U_z @ hbar + V_z @ xbar + b_z)
    c = torch.tanh(U @ (r * hbar) + V @ xbar + b)
    return z * c + (1 - z) * h
