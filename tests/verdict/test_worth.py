"""Whether the gated network is worth its cost: the answer by the evidence."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.verdict.worth import FEW_EVENTS, NOISE, Evidence, Rival, is_worth_it

GOOD = Evidence(
    events=12,
    injected=False,
    vcgru=Rival("VCGRU", 0.84, 0.9),
    off=Rival("VCGRU, network off", 0.80, 0.8),
    dense=Rival("GRU, same size", 0.845, 0.9),
    simple=Rival("ridge-VAR, EWMA 20", 0.78, 0.7),
    cost=0.3,
)


def test_a_network_that_adds_and_is_beaten_by_none_is_worth_it() -> None:
    worth = is_worth_it(GOOD)
    assert worth.answer == "yes"
    text = " ".join(worth.reasons)
    assert "adds 0.040" in text
    assert "ahead of the best simple detector, ridge-VAR, EWMA 20 (VUS-PR 0.840 and 0.780)" in text
    assert "on a par with the best dense network" in text
    assert "30% of the multiply-adds" in text


@pytest.mark.parametrize(
    ("change", "answer", "word"),
    [
        ({"off": Rival("off", 0.838, 0.9)}, "no", "cell: none"),
        ({"off": Rival("off", 0.90, 0.9)}, "no", "takes away 0.060"),
        ({"simple": Rival("KNN", 0.9, 0.9)}, "no", "behind the best simple detector, KNN"),
        ({"dense": Rival("GRU", 0.9, 0.9)}, "no", "behind the best dense network, GRU"),
        ({"events": FEW_EVENTS - 1}, "not yet", "by chance"),
        ({"events": 0}, "not yet", "no events"),
        ({"injected": True}, "not yet", "recorded faults"),
        ({"injected": True, "off": Rival("off", 0.84, 0.9)}, "no", "adds nothing"),
    ],
)
def test_each_weakness_has_its_answer_and_sentence(change: dict[str, object], answer: str, word: str) -> None:
    worth = is_worth_it(replace(GOOD, **change))  # type: ignore[arg-type]
    assert worth.answer == answer
    assert word in " ".join(worth.reasons)
    assert worth.to_json() == {"answer": answer, "reasons": list(worth.reasons)}


scores = st.floats(0, 1)
evidence = st.builds(
    Evidence,
    events=st.integers(0, 40),
    injected=st.booleans(),
    vcgru=st.builds(Rival, st.just("VCGRU"), st.one_of(scores, st.just(math.nan)), scores),
    off=st.builds(Rival, st.just("off"), scores, scores),
    dense=st.builds(Rival, st.just("GRU"), scores, scores),
    simple=st.builds(Rival, st.just("KNN"), scores, scores),
    cost=st.floats(0.01, 2),
)


@given(evidence)
def test_yes_needs_enough_real_events_and_a_lead_beyond_noise(one: Evidence) -> None:
    worth = is_worth_it(one)
    assert worth.reasons
    assert all(reason.endswith(".") and "nan" not in reason for reason in worth.reasons)
    if worth.answer == "yes":
        assert one.events >= FEW_EVENTS
        assert not one.injected
        assert one.vcgru.vus_pr > one.off.vus_pr + NOISE
        assert one.vcgru.vus_pr >= max(one.dense.vus_pr, one.simple.vus_pr) - NOISE - 1e-12
