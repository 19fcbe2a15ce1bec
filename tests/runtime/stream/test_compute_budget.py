"""The compute budget: it limits a livelier machine, leaves others unchanged, and spares the first rows of events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.runtime.stream.compute_budget import EVENT_ROWS, LEAST_BIAS, MOST_SAVED, ComputeBudget
from vcedge.runtime.stream.state import Numbers
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import F64


def scored(values: F64, target: float, threshold: float = 1e9) -> list[Score]:
    detector = tiny_detector()
    detector = replace(detector, calibration=replace(detector.calibration, target_share=target))
    stream = Stream(NumpyEngine(detector), threshold)
    return [stream.push(sample) for sample in samples(values)]


def share(scores: list[Score]) -> float:
    return float(np.mean([score.updated / score.hidden for score in scores]))


def test_budget_holds_a_livelier_machine_to_the_target() -> None:
    values = recording(3, 6000, 3)
    free, held = scored(values, 1.0), scored(values, 0.4)
    assert share(held[1000:]) < 0.45 < share(free[1000:])


def test_budget_leaves_a_quiet_machine_unchanged() -> None:
    values = recording(3, 3000, 3)
    assert abs(share(scored(values, 1.0)) - share(scored(values, 0.9))) < 0.03


def test_a_violent_event_keeps_the_full_network() -> None:
    values = recording(3, 4000, 3)
    values[3000:3200] += 60 * tiny_detector().features.scale * np.resize([1.0, -1.0], (200, 1))
    held = scored(values, 0.3, threshold=6.0)
    inside = [score for score in held[3000:3200] if score.alarm][10:]
    assert len(inside) > 50
    assert share(inside) > 0.9


def test_budget_holds_a_long_event_to_the_target() -> None:
    held = scored(recording(3, 6000, 3), 0.4, threshold=-30.0)
    assert all(score.alarm for score in held[1000:])
    assert share(held[1000:]) < 0.45


def test_a_requested_floor_makes_no_debt() -> None:
    detector = replace(tiny_detector(), calibration=replace(tiny_detector().calibration, target_share=0.3))
    stream = Stream(NumpyEngine(detector), 1e9)
    rows = samples(recording(3, 400, 3))
    full = [stream.push(row, ComputePolicy(detector.levels)) for row in rows]
    assert share(full) == 1.0
    assert stream.budget.bias(in_event=False) == 0.0


def test_looseness_moves_the_target() -> None:
    detector = replace(tiny_detector(), calibration=replace(tiny_detector().calibration, target_share=0.4))

    def held(looseness: float) -> float:
        stream, bias = Stream(NumpyEngine(detector), 1e9), float(np.log(looseness))
        return share([stream.push(row, ComputePolicy(logit_bias=bias)) for row in samples(recording(3, 2500, 3))][500:])

    assert held(0.4) < held(1.0) - 0.03
    assert held(1.0) + 0.05 < held(2.0)


@given(st.floats(0.01, 1), st.floats(0, 1), st.floats(-1e6, 1e6))
def test_target_lies_between_the_floor_and_one(target: float, floor: float, bias: float) -> None:
    budget = ComputeBudget(target, floor)
    assert budget.target() <= target
    assert min(target, floor) <= budget.target(bias) + 1e-12 <= 1.0 + 1e-12
    assert (budget.target(bias) - budget.target()) * bias >= 0


def test_savings_of_quiet_rows_are_capped() -> None:
    budget = ComputeBudget(0.25, 0.125)
    for _ in range(10_000):
        budget.spend(0.125, in_event=False)
    dense = 0
    while budget.bias(in_event=False) == 0:
        budget.spend(1.0, in_event=False)
        dense += 1
    assert 4 < dense < 2 * MOST_SAVED


@given(st.lists(st.floats(0, 1), min_size=200, max_size=300), st.floats(0.2, 1))
def test_a_scheduler_that_obeys_the_bias_keeps_to_the_target(asked: list[float], target: float) -> None:
    budget, shares = ComputeBudget(target, 0.125), []
    for share in asked:
        shares.append(0.125 if budget.bias(in_event=False) < 0 else max(share, 0.125))
        budget.spend(shares[-1], in_event=False)
    assert np.mean(shares) <= target + 1.0 / len(shares)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())), st.floats(0.01, 1))
def test_bias_is_never_positive_and_bounded(rows: list[tuple[float, bool]], target: float) -> None:
    budget, open_rows = ComputeBudget(target), 0
    for spent, in_event in rows:
        assert LEAST_BIAS <= budget.bias(in_event=in_event) <= 0
        if in_event and open_rows < EVENT_ROWS:
            assert budget.bias(in_event=in_event) == 0
        budget.spend(spent, in_event=in_event)
        open_rows = open_rows + 1 if in_event else 0


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())), st.booleans())
def test_a_restored_budget_continues_identically(rows: list[tuple[float, bool]], in_event: bool) -> None:
    numbers = Numbers.fresh()
    first = ComputeBudget(0.2, numbers=numbers)
    for spent, was_in_event in rows:
        first.spend(spent, in_event=was_in_event)
    second = ComputeBudget(0.2, numbers=Numbers.from_buffer_copy(numbers))
    assert second.bias(in_event=in_event) == first.bias(in_event=in_event)
