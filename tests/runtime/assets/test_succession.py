"""Agreement of two models, the decision of a trial, and the steps of compute stages."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import START_NS, recording, samples, tiny_detector
from vcedge.config.succession import StageConfig, UpdateConfig
from vcedge.runtime.assets.agreement import Agreement, AgreementState, ModelTotals
from vcedge.runtime.assets.compute_stages import ComputeStages
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.assets.trial import assess
from vcedge.runtime.codecs.reading import Samples
from vcedge.runtime.engine.interface import AS_TRAINED
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import NS_PER_S

PATIENCE = 3
OPENED = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


def score(row: int, value: float = 0.1, alarm: bool = False, status: str = "ok") -> Score:
    return Score(START_NS + row * NS_PER_S, row, value, value, alarm, 1.0, 8, 16, status, (), "", (), ())  # type: ignore[arg-type] # fmt: skip


def pushed(opened: list[tuple[bool, bool]]) -> tuple[Agreement, list[tuple[int, str]]]:
    """The agreement after rows with these events open, and what was said of disagreements: row and type."""
    agreement = Agreement(PATIENCE)
    said = []
    for row, pair in enumerate(opened):
        event = agreement.push(score(row), score(row), pair)
        if event is not None:
            said.append((row, event.type))
    return agreement, said


def episodes(opened: list[tuple[bool, bool]]) -> list[list[tuple[bool, bool]]]:
    """Stretches in which either has an event open, those that have ended."""
    found: list[list[tuple[bool, bool]]] = [[]]
    for pair in opened:
        if any(pair):
            found[-1].append(pair)
        elif found[-1]:
            found.append([])
    return found[:-1]


@given(OPENED)
def test_episodes_are_counted_by_the_models_that_saw_them(opened: list[tuple[bool, bool]]) -> None:
    state = pushed(opened)[0].state
    seen = [(any(a for a, _ in rows), any(b for _, b in rows)) for rows in episodes(opened)]
    expected = tuple(seen.count(who) for who in ((True, True), (True, False), (False, True)))
    assert (state.both, state.only_first, state.only_second) == expected


@given(OPENED)
def test_disagreement_begins_after_its_delay_and_ends(opened: list[tuple[bool, bool]]) -> None:
    agreement, said = pushed([*opened, (False, False)])
    assert not agreement.disagreeing
    assert [kind for _, kind in said] == ["new", "end"] * (len(said) // 2)
    for row, kind in said:
        if kind == "new":
            before = opened[row - PATIENCE + 1 : row + 1]
            assert before.count(before[0]) == PATIENCE
            assert sorted(before[0]) == [False, True]


@given(OPENED, st.integers(0, 60))
def test_restored_agreement_counts_the_same(opened: list[tuple[bool, bool]], cut: int) -> None:
    whole, said = pushed(opened)
    first, before = pushed(opened[:cut])
    second = Agreement(PATIENCE)
    second.restore(json.loads(json.dumps(first.snapshot())))
    for row, pair in enumerate(opened[cut:], cut):
        event = second.push(score(row), score(row), pair)
        if event is not None:
            before.append((row, event.type))
    assert (json.dumps(second.snapshot()), before) == (json.dumps(whole.snapshot()), said)


def test_correlation_is_pearsons_over_samples_that_both_judged() -> None:
    agreement = Agreement(PATIENCE)
    values = [(0.1, 0.3), (0.4, 0.2), (0.5, 0.9), (0.2, 0.1)]
    for row, (x, y) in enumerate(values):
        agreement.push(score(row, x), score(row, y), (False, False))
    agreement.push(score(9, 1.0, status="warmup"), score(9, 0.0), (False, False))
    xs, ys = zip(*values, strict=True)
    mx, my = sum(xs) / 4, sum(ys) / 4
    covariance = sum((x - mx) * (y - my) for x, y in values)
    expected = covariance / math.sqrt(sum((x - mx) ** 2 for x in xs) * sum((y - my) ** 2 for y in ys))
    assert agreement.correlation == pytest.approx(expected)
    assert agreement.report()["ticks"] == 4


BOUNDS = UpdateConfig.model_validate(
    {"key": "k", "shadow_ticks": 100, "probation_ticks": 1000, "max_alarm_share": 0.05, "max_us": 50.0}
)
FINE = ModelTotals(alarms=0, error=10.0, updated=1.0, us=100.0)


@pytest.mark.parametrize(
    ("ticks", "new", "outcome"),
    [
        (99, FINE, None),
        (100, FINE, ""),
        (3, ModelTotals(alarms=6, error=1.0), "alarms on 6 of 3 samples"),
        (100, ModelTotals(alarms=5, error=10.0), ""),
        (9, ModelTotals(error=1e9, us=1e9), None),
        (10, ModelTotals(error=10.0, us=10_000.0), "takes 1000 us a sample"),
        (10, ModelTotals(error=21.0), "2.10 times that of the other model"),
        (10, ModelTotals(error=float("inf")), "inf times"),
    ],
)
def test_trial_is_decided_by_its_bounds(ticks: int, new: ModelTotals, outcome: str | None) -> None:
    in_shadow = assess(BOUNDS, "shadow", AgreementState(ticks=ticks, first=FINE, second=new))
    on_probation = assess(BOUNDS, "probation", AgreementState(ticks=ticks * 10, first=new, second=FINE))
    if outcome:
        assert in_shadow is not None
        assert outcome in in_shadow
    else:
        assert in_shadow == outcome
    if new is FINE:
        assert on_probation == outcome


def test_shadow_and_model_in_charge_score_independently() -> None:
    rows = samples(recording(1, 200, 3))
    first, second = tiny_detector(), tiny_detector(seed=1)
    alone = [Stream(load_engine(detector)) for detector in (first, second)]
    expected = [[stream.push(row) for row in rows] for stream in alone]
    stream, shadow = Stream(load_engine(first)), Shadow(Stream(load_engine(second)), "m", PATIENCE)
    for row, one, two in zip(rows, *expected, strict=True):
        mine = stream.push(row)
        samples_ = Samples((row.time_ns,), row.values[None], timed=True, block=False)
        opened = shadow.follow(ScoredRows(samples_, AS_TRAINED, [mine], [stream.in_event], 1.0), AS_TRAINED)
        assert mine == one
        assert opened == [shadow.stream.in_event]
        assert shadow.stream.seq == two.seq
    assert shadow.stream.snapshot() == alone[1].snapshot()


STAGES = [StageConfig(min_level=4, dwell_ticks=10), StageConfig(min_level=2, dwell_ticks=20, budget=1), StageConfig()]


def test_stages_step_forward_back_and_forward_again() -> None:
    stages = ComputeStages(STAGES)
    assert stages.policy == (4, 0.0)
    assert not stages.push(9, 0)
    assert stages.push(1, 0)
    assert stages.policy[0] == 2
    assert not stages.push(5, 1)  # within its budget
    assert stages.push(1, 1)
    assert (stages.state.stage, stages.state.steps_back) == (0, 1)
    for _ in range(2):
        stages.push(20, 0)
    assert stages.state.stage == 2
    assert not stages.push(1_000_000, 0)  # there is none after the last


def test_extra_alarms_beyond_their_budget_are_a_step_back() -> None:
    stages = ComputeStages([StageConfig(dwell_ticks=10), StageConfig(dwell_ticks=10, extra_budget=1)])
    assert stages.push(10, 0, 1000)
    assert not stages.push(5, 0, 1)
    assert stages.push(1, 0, 1)
    assert (stages.state.stage, stages.state.extra, stages.state.steps_back) == (0, 0, 1)


def test_stage_set_by_hand_survives_a_restart() -> None:
    stages = ComputeStages(STAGES)
    stages.move(1, hold=True)
    assert not stages.push(1000, 1000)
    again = ComputeStages(STAGES)
    again.restore(json.loads(json.dumps(stages.snapshot())))
    assert again.report() == stages.report()
    fewer = ComputeStages(STAGES[:1])
    fewer.restore(stages.snapshot())
    assert fewer.state.stage == 0
    with pytest.raises(ValueError, match="expected 0 to 2"):
        stages.move(3, hold=False)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=50))
def test_stages_change_one_step_at_a_time(steps: list[tuple[int, int]]) -> None:
    stages = ComputeStages(STAGES)
    for ticks, missed in steps:
        before = stages.state.stage
        stages.push(ticks, missed)
        assert abs(stages.state.stage - before) <= 1
        if missed > 1:
            assert stages.state.stage == max(0, before - 1)
