"""The comparison of the paper: models and their counted work, training, exports, resumption and tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.paper.ablation import ABLATIONS
from benchmarks.paper.claims import claims_of
from benchmarks.paper.data import Dataset, LaneWindow, Roll, load_set, load_text, make_lanes
from benchmarks.paper.experiments import ALL, Experiment, ResultStore, experiments_of, run_experiment
from benchmarks.paper.exported import measure_exported
from benchmarks.paper.models import MODELS, MatchedCost, dense_size
from benchmarks.paper.page import write_results
from benchmarks.paper.penalty import AIM, Steered
from benchmarks.paper.rivals.delta import DeltaBody
from benchmarks.paper.rivals.fastgrnn import FastGRNNBody, rank_for
from benchmarks.paper.rivals.skipping import RandomSkipBody, SkipBody
from benchmarks.paper.summary import by_model, groups_of
from benchmarks.paper.training import HARD, TrainingPlan, evaluate, mask_of, train
from benchmarks.paper.unrolled import Body, Unrolled
from vcedge.detector import CellKind
from vcedge.errors import DataError, InputNotFound
from vcedge.runtime.engine.native_support import native_problem
from vcedge.train.cells import CELLS

KEYS, HIDDEN = 12, 16
PLAN = TrainingPlan(epochs=3, patience=5, lanes=4, window=16)


def pieces(seed: int, count: int = 6, length: int = 40) -> list[Roll]:
    """Return rolls of two voices that hold each note for a while, of different lengths."""
    rng = np.random.default_rng(seed)
    rolls = []
    for i in range(count):
        notes = np.repeat(rng.integers(0, KEYS, (length, 2)), 3, axis=0)[: length + 5 * i]
        rolls.append(np.eye(KEYS, dtype=np.uint8)[notes].max(axis=1))
    return rolls


@pytest.fixture(scope="module")
def music() -> Dataset:
    return Dataset("jsb", pieces(0), pieces(1, 3), pieces(2, 3), "keys")


def window_of(rolls: list[Roll], lanes: int = 2) -> LaneWindow:
    found = make_lanes(rolls, lanes)
    return next(iter(found.windows(len(found.weight), torch.device("cpu"))))


def run(body: Body, window: LaneWindow) -> Unrolled:
    with torch.no_grad():
        return body.eval()(window, body.start(window.x.shape[1]), HARD)


def test_lanes_hold_every_step_once_and_predict_within_a_piece(music: Dataset) -> None:
    window = window_of(list(music.train), lanes=4)
    assert float(window.weight.sum()) == sum(len(piece) - 1 for piece in music.train)
    assert int((window.keep == 0).sum()) == len(music.train)
    counted = window.weight.bool()
    assert torch.equal(window.x[1:][counted[:-1]], window.target[:-1][counted[:-1]])
    assert float((window.change * (1 - window.keep)).abs().max()) == 0
    longest = max(map(len, music.train))
    assert len(window.x) <= sum(map(len, music.train)) / 4 + longest


def test_loss_does_not_depend_on_lanes_and_windows(music: Dataset) -> None:
    torch.manual_seed(0)
    network = MODELS["vcgru"].make(KEYS, HIDDEN, None).network(KEYS)
    found = [evaluate(network, music, make_lanes(music.test, lanes), steps) for lanes, steps in ((1, 7), (3, 500))]
    assert found[0].loss == pytest.approx(found[1].loss, rel=1e-5)
    assert found[0].macs == pytest.approx(found[1].macs)


def test_loss_is_in_nats(music: Dataset) -> None:
    nothing = torch.zeros(1, 1, KEYS)
    assert float(music.loss(nothing, nothing)) == pytest.approx(KEYS * np.log(2))
    text = Dataset("text", [], [], [], "symbol")
    assert float(text.loss(nothing, nothing.index_fill(2, torch.tensor([3]), 1.0))) == pytest.approx(np.log(KEYS))


def test_text_is_split_or_read_from_three_files(tmp_path: Path) -> None:
    whole = "to be or not to be, " * 500
    (tmp_path / "play.txt").write_text(whole)
    found = load_text(tmp_path / "play.txt")
    lengths = [sum(map(len, part)) for part in (found.train, found.valid, found.test)]
    assert lengths == [9000, 500, 500]
    assert found.inputs == len(set(whole))
    for part, words in (("train", "abab" * 9), ("valid", "ba" * 9), ("test", "abc" * 9)):
        (tmp_path / f"ptb.{part}.txt").write_text(words)
    three = load_text(tmp_path / "ptb.train.txt")
    assert (three.inputs, len(three.train[0]), len(three.test[0])) == (3, 36, 27)
    assert np.array_equal(three.test[0][:3], np.eye(3))


def test_missing_and_invalid_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="Nottingham"):
        load_set("nottingham", tmp_path)
    with pytest.raises(InputNotFound, match="--text"):
        load_set("text", tmp_path)
    (tmp_path / "bytes").write_bytes(b"ab\xff" * 50)
    with pytest.raises(DataError, match="byte 2"):
        load_text(tmp_path / "bytes")


@pytest.mark.parametrize("name", list(ALL))
def test_every_model_counts_its_work_per_step(name: str, music: Dataset) -> None:
    torch.manual_seed(0)
    recipe = ALL[name].make(KEYS, HIDDEN, MatchedCost(600.0, 0.1))
    body, window = recipe.body, window_of(list(music.test))
    body.begin(window, 0.7)
    result = run(body, window)
    steps = window.weight.shape
    assert result.hidden.shape == (*steps, body.hidden)
    for counted in (result.opened, result.cost, result.updated, result.recurrent, result.input, result.scheduler):
        assert counted.shape == steps
        assert float(counted.min()) >= 0
    assert float(result.updated.max()) <= body.hidden
    body.train()
    trained = body(window, body.start(steps[1]), HARD)
    trained.hidden.sum().backward()
    assert not any(part.requires_grad for part in trained.state)


@pytest.mark.parametrize(("kind", "gates"), [("gru", 3), ("rnn", 1)])
def test_matched_size_is_the_smallest_of_equal_cost(kind: str, gates: int) -> None:
    def cost(units: int) -> int:
        return gates * units * (units + 88) + 88 * units

    for budget in (1000.0, 26_500.0, cost(53)):
        size = dense_size(kind, 88, budget)
        assert cost(size - 1) < budget <= cost(size)


def test_dense_and_gated_macs_follow_the_convention(music: Dataset) -> None:
    window = window_of(list(music.test))
    dense = run(MODELS["gru"].make(KEYS, HIDDEN, None).body, window)
    assert set(dense.recurrent.flatten().tolist()) == {3 * HIDDEN**2}
    assert set((dense.input + dense.scheduler).flatten().tolist()) == {3 * HIDDEN * KEYS}
    gated = run(MODELS["vcrnn"].make(KEYS, HIDDEN, None).body, window)
    assert torch.equal(gated.recurrent, gated.updated**2)
    assert torch.equal(gated.input, gated.updated * KEYS)
    assert set(gated.scheduler.flatten().tolist()) == {HIDDEN + 4 * KEYS}


def test_constant_k_updates_the_first_k_units(music: Dataset) -> None:
    torch.manual_seed(0)
    body = MODELS["constant-k"].make(KEYS, HIDDEN, MatchedCost(600.0, 0.1)).body
    result = run(body, window_of(list(music.test)))
    k = int(result.updated[0, 0])
    assert 0 < k < HIDDEN
    assert set(result.updated.flatten().tolist()) == {k}
    assert float(result.hidden[..., k:].abs().max()) == 0
    assert float(result.hidden[..., :k].abs().max()) > 0
    assert 3 * k * (k + KEYS) + KEYS * HIDDEN >= 600 > 3 * (k - 1) * (k - 1 + KEYS) + KEYS * HIDDEN


@pytest.mark.parametrize("learned", [False, True])
def test_skipped_step_copies_the_state_bit_for_bit(learned: bool, music: Dataset) -> None:
    torch.manual_seed(1)
    body: Body = SkipBody(KEYS, HIDDEN) if learned else RandomSkipBody(KEYS, HIDDEN, 0.3)
    if isinstance(body, SkipBody):
        torch.nn.init.constant_(body.gate.bias, -1.5)
    window = window_of(list(music.test))
    result = run(body, window)
    skipped = (result.updated[1:] == 0) & (window.keep[1:, :, 0] == 1)
    assert 0.2 < float(skipped.float().mean()) < 0.95
    assert torch.equal(result.hidden[1:][skipped], result.hidden[:-1][skipped])
    taken = result.updated[1:] > 0
    assert not torch.equal(result.hidden[1:][taken], result.hidden[:-1][taken])
    assert set(result.updated.flatten().tolist()) == {0.0, float(HIDDEN)}
    work = result.recurrent + result.input + result.scheduler
    assert float(work[result.updated == 0].max()) == 0
    assert torch.equal(run(body, window).hidden, result.hidden), "evaluation is the same each time"


def test_skip_rnn_updates_on_first_steps_and_has_a_gate_gradient(music: Dataset) -> None:
    body = SkipBody(KEYS, HIDDEN)
    torch.nn.init.constant_(body.gate.bias, -2.0)
    window = window_of(list(music.test))
    assert set(run(body, window).opened[window.keep[..., 0] == 0].tolist()) == {1.0}
    result = body.train()(window, body.start(2), HARD)
    result.opened.mean().backward()
    assert body.gate.bias.grad is not None
    assert float(body.gate.bias.grad.abs()) > 0


def test_delta_network_without_threshold_equals_a_gru(music: Dataset) -> None:
    torch.manual_seed(2)
    body, window = DeltaBody(KEYS, HIDDEN), window_of(list(music.test))
    body.threshold.fill_(0.0)
    h, states = torch.zeros(2, HIDDEN), []
    with torch.no_grad():
        for t, a in enumerate(body.gru.from_inputs(window.x)):
            h = h * window.keep[t]
            h = body.gru.step(a, h, h)
            states.append(h)
    assert torch.allclose(run(body, window).hidden, torch.stack(states), atol=1e-6)


def test_delta_network_counts_transmitted_changes(music: Dataset) -> None:
    torch.manual_seed(3)
    body, window = DeltaBody(KEYS, HIDDEN), window_of(list(music.test))
    costs = []
    for threshold in (0.001, 0.05, 0.5):
        body.threshold.fill_(threshold)
        result = run(body, window)
        assert torch.equal(result.recurrent, 3 * HIDDEN * result.updated)
        costs.append(float(result.recurrent.mean()))
    assert costs[0] > costs[1] > costs[2]
    fresh = (window.x[1:] != window.x[:-1]).sum(dim=-1) * window.keep[1:, :, 0]
    assert torch.equal(result.input[1:] * window.keep[1:, :, 0], 3 * HIDDEN * fresh.float())
    before = float(body.threshold)
    body.adapt(0.5)
    raised = float(body.threshold)
    body.adapt(-0.5)
    assert before < raised > float(body.threshold)


def test_fastgrnn_follows_its_equations() -> None:
    torch.manual_seed(4)
    body = FastGRNNBody(KEYS, HIDDEN, 3)
    window = window_of(pieces(5, 1))
    result, h = run(body, window), torch.zeros(HIDDEN)
    s: Tensor = torch.sigmoid(torch.stack([body.zeta, body.nu])).detach()
    with torch.no_grad():
        W, U = body.input_out @ body.input, body.recurrent_out @ body.recurrent
        for t in range(5):
            pre = W @ window.x[t, 0] + U @ h
            z, c = torch.sigmoid(pre + body.gate_bias), torch.tanh(pre + body.bias)
            h = (s[0] * (1 - z) + s[1]) * c + z * h
            assert torch.allclose(result.hidden[t, 0], h, atol=1e-5)
    rank = rank_for(1000.0, KEYS, HIDDEN)
    assert rank * (KEYS + 3 * HIDDEN) >= 1000 > (rank - 1) * (KEYS + 3 * HIDDEN)


def test_matched_model_runs_after_its_reference() -> None:
    cells = experiments_of(["jsb"], ["gru-matched", "delta"], [128], 2)
    assert [(cell.model, cell.seed) for cell in cells] == [
        *[("vcgru", 0), ("gru-matched", 0), ("vcgru", 1), ("gru-matched", 1)],
        *[("delta", 0), ("delta", 1)],
    ]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, music: Dataset) -> Path:
    """Return a folder with results of two seeds of the models that the claims compare."""
    out = tmp_path_factory.mktemp("paper")
    table = ResultStore(out)
    for cell in experiments_of(["jsb"], ["gru", "gru-matched", "soft-finish"], [HIDDEN], 2):
        table.put(cell, run_experiment(cell, music, PLAN, table))
    return out


def test_experiment_is_reproducible_and_stored_complete(results: Path, music: Dataset, tmp_path: Path) -> None:
    table, cell = ResultStore(results), Experiment("jsb", "vcgru", HIDDEN, 1)
    kept, again = table.get(cell), run_experiment(cell, music, PLAN, ResultStore(tmp_path))
    assert kept is not None
    for key in ("test", "valid", "histogram", "trace", "history"):
        assert kept[key] == again[key]
    assert table.get(Experiment("jsb", "vcgru", HIDDEN, 7)) is None
    ResultStore(tmp_path).put(cell, again)
    path = tmp_path / "cells" / cell.name
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError, match=cell.name):
        ResultStore(tmp_path).get(cell)


def test_exported_model_has_the_measured_loss_and_work(results: Path) -> None:
    for row in ResultStore(results).rows():
        hard = row["model"] != "soft-finish"
        if hard and row["model"] == "vcgru":
            assert row["exported"]["gap"] < 1e-6
        assert row["exported"]["square"] == pytest.approx(row["test"]["square"], abs=1e-3)
        assert row["exported"]["numpy"] == pytest.approx(row["test"]["loss"], rel=1e-5)
        assert sum(row["histogram"].values()) == row["exported"]["frames"]


@pytest.mark.parametrize("kind", CELLS)
def test_every_kind_runs_exported_on_every_engine(kind: CellKind, music: Dataset) -> None:
    torch.manual_seed(0)
    recipe = MODELS[kind].make(KEYS, HIDDEN, None)
    network = train(recipe, music, PLAN, 0, lambda *_: None).network
    found = measure_exported(network, music, HARD)
    assert {"numpy", *(name for name in ("native",) if native_problem() is None)} <= set(found)
    assert found["gap"] < 1e-6


def test_matched_models_cost_at_least_as_much(results: Path) -> None:
    models = by_model(groups_of(ResultStore(results).rows()), "jsb", HIDDEN)
    assert models["gru-matched"].macs("all").mean >= models["vcgru"].macs("all").mean


def test_tables_csv_and_claims_agree_with_the_results(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.paper.page.draw_all", lambda out, rows: [])
    text = write_results(results, fill_page=False)
    rows = ResultStore(results).rows()
    models = by_model(groups_of(rows), "jsb", HIDDEN)
    loss = [row["test"]["loss"] for row in rows if row["model"] == "gru"]
    assert f"{np.mean(loss):.3f} ± {np.std(loss, ddof=1):.3f}" in text
    assert len((results / "paper.csv").read_text().splitlines()) == 1 + len(rows)
    assert [claim.held for claim in claims_of(models)][1] == (models["vcgru"].square.mean <= 0.10)
    assert "one change taken back" in text
    for row in (row for row in rows if row["model"] == "vcgru"):
        row["test"]["loss"] = 0.5 * min(loss)
    better = claims_of(by_model(groups_of(rows), "jsb", HIDDEN))
    assert better[0].held
    assert better[2].held
    for row in (row for row in rows if row["model"] == "vcgru"):
        row["test"]["loss"] = 1.5 * max(loss)
    worse = claims_of(by_model(groups_of(rows), "jsb", HIDDEN))
    assert not worse[0].held
    assert not worse[2].held


def test_results_are_json_without_paths(results: Path) -> None:
    for path in (results / "cells").iterdir():
        assert "/" not in json.dumps(json.loads(path.read_text()))
    assert set(ABLATIONS).isdisjoint(MODELS)


@pytest.mark.parametrize("name", ["vcgru", "soft-finish", "papers-form"])
def test_best_epoch_has_the_final_mask(name: str, music: Dataset) -> None:
    """Earlier epochs of a fast learner may validate better, but have another mask than the exported model."""
    torch.manual_seed(0)
    recipe, plan = ALL[name].make(KEYS, HIDDEN, None), replace(PLAN, epochs=7, rate=0.05)
    outcome = train(recipe, music, plan, 0, lambda *_: None)
    assert mask_of(recipe, outcome.best, 0.5, plan) == mask_of(recipe, plan.epochs - 1, 0.5, plan)
    allowed = [i for i in range(7) if mask_of(recipe, i, 0.5, plan) == mask_of(recipe, 6, 0.5, plan)]
    assert len(allowed) < outcome.epochs == len(outcome.history)
    costs = [max(0.0, outcome.history[i][2] - 0.097) for i in allowed]
    assert outcome.history[outcome.best][2] - 0.097 <= max(min(costs), 0.0) + 1e-9


def test_steered_target_falls_above_the_cost_and_rises_below(music: Dataset) -> None:
    torch.manual_seed(0)
    body, window = MODELS["vcgru"].make(KEYS, HIDDEN, None).body, window_of(list(music.test))
    penalty, loss = Steered(0.1), torch.tensor(2.0)
    targets = [penalty.target]
    for opening in (0.9, 0.9, 0.02, 0.02):
        body.begin(window, opening)
        result = body(window, body.start(2), HARD)
        omega = penalty(result, loss, 0.0)
        targets.append(penalty.target)
        assert omega.requires_grad
        assert 0 < float(omega.detach()) < 2 * float(loss)
    assert targets[0] == pytest.approx((AIM * 0.1) ** 0.5)
    assert targets[0] > targets[1] > targets[2] < targets[3] < targets[4]


def test_training_target_follows_the_validated_share() -> None:
    penalty = Steered(0.1)
    first = penalty.aim
    penalty.settle(AIM * 0.1)
    assert penalty.aim == pytest.approx(first)
    penalty.settle(0.2)
    lower = penalty.aim
    penalty.settle(0.02)
    assert lower < first < penalty.aim
    for _ in range(50):
        penalty.settle(0.0)
    assert penalty.aim == pytest.approx(0.15), "within its bounds"


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_random_skip_equals_a_loop_over_steps(rate: float, music: Dataset) -> None:
    torch.manual_seed(5)
    body = RandomSkipBody(KEYS, HIDDEN, rate)
    whole = make_lanes(music.test, 2)
    state, h, first = body.eval().start(2), torch.full((2, HIDDEN), 0.5), True
    for window in whole.windows(25, torch.device("cpu")):
        with torch.no_grad():
            result = body(window, (h,) if first else state, HARD)
            for t in range(len(window.x)):
                h = h * window.keep[t]
                stepped, _ = body.cell(window.x[t][None], window.x[t][None], torch.ones(1, 2, 1), h, HARD)
                h = torch.where(result.updated[t][:, None] > 0, stepped[0], h)
                assert torch.allclose(result.hidden[t], h, atol=1e-5)
        state, first = result.state, False


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", list(MODELS))
def test_cuda_gives_the_same_loss_and_work(name: str, music: Dataset) -> None:
    torch.manual_seed(6)
    recipe = MODELS[name].make(KEYS, HIDDEN, MatchedCost(600.0, 0.1))
    network = recipe.network(KEYS)
    lanes = make_lanes(music.test, 3)
    here = evaluate(network, music, lanes, 20)
    there = evaluate(network.to("cuda"), music, lanes, 20)
    assert there.loss == pytest.approx(here.loss, rel=1e-4)
    assert there.macs["all"] == pytest.approx(here.macs["all"], rel=1e-2)


def test_reset_gate_of_the_ablation_acts_before_the_product(music: Dataset) -> None:
    window = window_of(music.test[:2])
    torch.manual_seed(3)
    before = ABLATIONS["reset-before"].make(music.inputs, 16, None).body
    after = MODELS["vcgru"].make(music.inputs, 16, None).body
    with torch.no_grad():
        before.cell.recurrent.mul_(4)
    after.load_state_dict(before.state_dict())
    assert not torch.allclose(run(before, window).hidden, run(after, window).hidden, atol=1e-3)
