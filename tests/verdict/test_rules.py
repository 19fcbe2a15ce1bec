"""The verdict on a training: its result by the facts, and what its sentences say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.verdict.facts import ChannelFacts, Facts, NetworkFacts
from vcedge.verdict.rules import judge
from vcedge.verdict.verdict import RESULTS, Verdict
from vcedge.wording import DAY_S


def channel(name: str = "BearingTemperature", jump: float | None = 1.8, drift: float | None = 3.0) -> ChannelFacts:
    return ChannelFacts(name, "°C", 20.0, jump, 40.0, drift, 1200.0, 50.0)


def blind(name: str = "Flow") -> ChannelFacts:
    return channel(name, None, None)


GOOD = Facts(
    rows=5 * int(DAY_S),
    period_s=1.0,
    wanted_per_day=1.0,
    promised_per_day=1.0,
    expected_per_day=0.4,
    channels=(channel(), channel("Pressure", 5.0, None)),
    new_states=0.0,
    network=NetworkFacts(2, 1, "Pressure", 0.12, 0.2, 0.4),
)


def texts(verdict: Verdict, about: str) -> str:
    return " ".join(reason.text for reason in verdict.reasons if reason.about == about)


def worse(verdict: Verdict) -> set[str]:
    return {reason.about for reason in verdict.reasons if reason.level != "PASS"}


def test_a_good_training_passes_and_says_what_is_found_in_the_channels_units() -> None:
    verdict = judge(GOOD)
    assert verdict.result == "PASS"
    assert "a jump of BearingTemperature by 1.8 °C (after 40 s)" in texts(verdict, "found")
    assert "a drift by 3 °C within 20 min" in texts(verdict, "found")
    assert texts(verdict, "advice") == "Put the model into service."


@pytest.mark.parametrize(
    ("change", "result", "about"),
    [
        ({"channels": (blind("A"), blind("B"))}, "FAIL", "found"),
        ({"channels": (channel(), *(blind(f"C{i}") for i in range(9)))}, "FAIL", "found"),
        ({"expected_per_day": None}, "FAIL", "false_alarms"),
        ({"expected_per_day": 200.0}, "FAIL", "false_alarms"),
        ({"expected_per_day": 8.0}, "WARN", "false_alarms"),
        ({"channels": (channel(), blind())}, "WARN", "missed"),
        ({"channels": (channel("A", 30.0, None), channel("B", 25.0, 22.0))}, "WARN", "missed"),
        ({"channels": None}, "WARN", "found"),
        ({"channels": (), "others": ("Valve",)}, "WARN", "found"),
        ({"rows": 4 * 3600, "promised_per_day": 18.0}, "WARN", "recording"),
        ({"rows": 1200, "promised_per_day": 290.0}, "FAIL", "recording"),
        ({"rows": 900, "period_s": 3600.0}, "WARN", "recording"),
        ({"interrupted": True}, "WARN", "recording"),
        ({"new_states": 0.12}, "WARN", "states"),
    ],
)
def test_each_shortcoming_lowers_the_result_and_has_its_sentence(
    change: dict[str, object], result: str, about: str
) -> None:
    verdict = judge(replace(GOOD, **change))  # type: ignore[arg-type]
    assert verdict.result == result
    assert about in worse(verdict)
    assert texts(verdict, "advice").startswith("The model can" if result == "WARN" else "Do not rely")


def test_hours_of_recording_say_what_they_show_and_how_much_would_do() -> None:
    short = replace(GOOD, rows=6 * 3600, promised_per_day=12.0, expected_per_day=0.0)
    sentence = texts(judge(short), "recording")
    assert "6 h of recording cannot show a rate of 1 false alarm a day" in sentence
    assert "the threshold is for 12 a day" in sentence
    assert "3 days would suffice" in sentence


def test_blind_channels_are_named_and_kinds_that_are_never_found() -> None:
    verdict = judge(replace(GOOD, channels=(channel(), blind("Flow")), missed_kinds=("swap", "delay")))
    assert "Flow" in texts(verdict, "missed")
    assert "50 °C" in texts(verdict, "missed")
    assert "swap and delay" in texts(verdict, "missed")
    assert "Flow" not in texts(verdict, "found")


def test_commands_are_named_as_channels_of_which_only_new_values_are_found() -> None:
    verdict = judge(replace(GOOD, others=("Valve", "Mode")))
    assert verdict.result == "PASS"
    assert "On Valve and Mode" in texts(verdict, "missed")


def test_a_network_that_adds_nothing_is_said_to_and_does_not_lower_the_result() -> None:
    idle = replace(GOOD, network=NetworkFacts(2, 0, "", 0.0, 0.2, 0.45))
    verdict = judge(idle)
    assert verdict.result == "PASS"
    assert "adds nothing" in texts(verdict, "network")
    assert "45%" in texts(verdict, "network")
    assert "cell: none" in texts(verdict, "network")
    assert texts(judge(replace(GOOD, network=None)), "network") == ""


sizes = st.one_of(st.none(), st.floats(0.01, 1e4))
channels = st.lists(
    st.builds(
        ChannelFacts,
        name=st.sampled_from(["A", "B", "C"]),
        unit=st.sampled_from(["", "bar"]),
        spread=st.floats(0, 1e4),
        jump=sizes,
        jump_s=st.floats(0, 1e6),
        drift=sizes,
        drift_s=st.floats(0, 1e6),
        largest=st.floats(0.01, 1e5),
    ),
    max_size=12,
).map(tuple)
all_facts = st.builds(
    Facts,
    rows=st.integers(0, 10**7),
    period_s=st.floats(1e-3, 3600),
    wanted_per_day=st.floats(0.01, 1000),
    promised_per_day=st.floats(0.01, 1000),
    expected_per_day=st.one_of(st.none(), st.floats(0, 1e4)),
    channels=st.one_of(st.none(), channels),
    others=st.sampled_from([(), ("Valve",)]),
    new_states=st.one_of(st.none(), st.floats(0, 1)),
    network=st.one_of(st.none(), st.just(GOOD.network)),
    interrupted=st.booleans(),
)


@given(all_facts)
def test_any_facts_have_a_verdict_of_sentences_that_ends_with_advice(facts: Facts) -> None:
    verdict = judge(facts)
    json = verdict.to_json()
    assert json["result"] in RESULTS
    assert json["result"] == max((d["level"] for d in json["details"]), key=RESULTS.index)
    assert json["reasons"] == [detail["text"] for detail in json["details"]]
    assert all(not text[0].islower() and text.endswith(".") and "nan" not in text for text in json["reasons"])
    assert [reason.about for reason in verdict.reasons].count("advice") == 1
    assert verdict.reasons[-1].about == "advice"


@given(all_facts, st.floats(1.1, 100))
def test_more_false_alarms_never_improve_the_result(facts: Facts, factor: float) -> None:
    if facts.expected_per_day is not None:
        noisier = replace(facts, expected_per_day=facts.expected_per_day * factor)
        assert RESULTS.index(judge(noisier).result) >= RESULTS.index(judge(facts).result)


@given(all_facts, st.integers(2, 50))
def test_a_longer_recording_that_keeps_the_promise_never_worsens_the_result(facts: Facts, times: int) -> None:
    if facts.expected_per_day is not None:
        facts = replace(facts, expected_per_day=min(facts.expected_per_day, facts.wanted_per_day))
    longer = replace(facts, rows=facts.rows * times)
    assert RESULTS.index(judge(longer).result) <= RESULTS.index(judge(facts).result)


@given(all_facts)
def test_a_channel_that_becomes_blind_never_improves_the_result(facts: Facts) -> None:
    if facts.channels:
        deafer = replace(facts, channels=(replace(facts.channels[0], jump=None, drift=None), *facts.channels[1:]))
        assert RESULTS.index(judge(deafer).result) >= RESULTS.index(judge(facts).result)
