"""Agreement of two models: episodes, disagreements, correlation, and restored state."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import START_NS
from vcedge.runtime.assets.agreement import Agreement
from vcedge.runtime.stream.score import Score
from vcedge.schema import NS_PER_S

PATIENCE = 3
OPENED = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


def score(row: int, value: float = 0.1, status: str = "ok") -> Score:
    return Score(START_NS + row * NS_PER_S, row, value, value, False, 1.0, 8, 16, status, (), "", (), ())  # type: ignore[arg-type] # fmt: skip


def agreement_of(opened: list[tuple[bool, bool]]) -> tuple[Agreement, list[tuple[int, str]]]:
    """Return the agreement after rows with these events open, and the events of disagreement: row and type."""
    agreement = Agreement(PATIENCE)
    disagreements = []
    for row, pair in enumerate(opened):
        event = agreement.push(score(row), score(row), pair)
        if event is not None:
            disagreements.append((row, event.type))
    return agreement, disagreements


def episodes(opened: list[tuple[bool, bool]]) -> list[list[tuple[bool, bool]]]:
    """Return the ended stretches in which either model has an event open."""
    found: list[list[tuple[bool, bool]]] = [[]]
    for pair in opened:
        if any(pair):
            found[-1].append(pair)
        elif found[-1]:
            found.append([])
    return found[:-1]


@given(OPENED)
def test_episodes_are_counted_by_the_models_that_detect_them(opened: list[tuple[bool, bool]]) -> None:
    state = agreement_of(opened)[0].state
    seen = [(any(a for a, _ in rows), any(b for _, b in rows)) for rows in episodes(opened)]
    expected = tuple(seen.count(who) for who in ((True, True), (True, False), (False, True)))
    assert (state.both, state.only_first, state.only_second) == expected


@given(OPENED)
def test_disagreement_begins_after_its_delay_and_ends(opened: list[tuple[bool, bool]]) -> None:
    agreement, disagreements = agreement_of([*opened, (False, False)])
    assert not agreement.disagreeing
    assert [kind for _, kind in disagreements] == ["new", "end"] * (len(disagreements) // 2)
    for row, kind in disagreements:
        if kind == "new":
            before = opened[row - PATIENCE + 1 : row + 1]
            assert before.count(before[0]) == PATIENCE
            assert sorted(before[0]) == [False, True]


@given(OPENED, st.integers(0, 60))
def test_restored_agreement_counts_the_same(opened: list[tuple[bool, bool]], cut: int) -> None:
    whole, disagreements = agreement_of(opened)
    first, before = agreement_of(opened[:cut])
    second = Agreement(PATIENCE)
    second.restore(json.loads(json.dumps(first.snapshot())))
    for row, pair in enumerate(opened[cut:], cut):
        event = second.push(score(row), score(row), pair)
        if event is not None:
            before.append((row, event.type))
    assert (json.dumps(second.snapshot()), before) == (json.dumps(whole.snapshot()), disagreements)


def test_correlation_is_pearsons_over_samples_scored_by_both() -> None:
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
