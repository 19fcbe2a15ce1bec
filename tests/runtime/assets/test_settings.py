"""Settings of an asset: what is accepted, what is refused and why, and the effect on the stream."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.detectors import recording, samples, tiny_detector
from vcedge.config.succession import StageConfig
from vcedge.limits import Promise
from vcedge.runtime.assets.companions import Companions
from vcedge.runtime.assets.compute_stages import ComputeStages
from vcedge.runtime.assets.settings import KINDS, Refused, SettingKind, Settings, kind_of, parse_setting
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.storage.snapshot import encode_line
from vcedge.runtime.stream.stream import Stream
from vcedge.topics import OutputTopics

SCHEMAS = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas"
SETS = {kind: Draft202012Validator(json.loads((SCHEMAS / f"{kind}_set.json").read_text())) for kind in KINDS}
STATES = {kind: Draft202012Validator(json.loads((SCHEMAS / f"{kind}_state.json").read_text())) for kind in KINDS}
PLAIN = tiny_detector()
PROMISE = Promise(reference=4.0, margins=(0.1, 0.5, 1.0, 2.0), events=(40, 20, 5, 0))
DETECTOR = replace(PLAIN, calibration=replace(PLAIN.calibration, promise=PROMISE, threshold=4.5, rows=8640))
"""A tenth of a day was measured."""


def settings_of(threshold: float | None = None) -> tuple[Stream, Settings]:
    stream = Stream(load_engine(DETECTOR), threshold)
    return stream, Settings(stream, threshold)


def put(settings: Settings, kind: SettingKind, message: object) -> None:
    settings.set(kind, parse_setting(kind, json.dumps(message).encode()))


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("threshold", b'{"raw": -1}', "key 'raw' is -1, expected greater than 0"),
        ("threshold", b'{"raw": "12.5"}', "key 'raw' is '12.5', expected a number"),
        ("threshold", b'{"raw": true}', "key 'raw' is True, expected a number"),
        ("threshold", b'{"raw": NaN}', "the message holds NaN, expected finite numbers"),
        ("threshold", b'{"raw": 1e999}', "key 'raw' is inf, expected a finite number"),
        ("threshold", b'{"rae": 1}', "unknown key 'rae'; did you mean 'raw'?"),
        ("threshold", b'{"raw": 1, "raw": 2}', "the message has the key 'raw' twice"),
        ("threshold", b'{"raw": 1, "false_alarms_per_day": 1}', "expected raw or false_alarms_per_day, not both"),
        ("threshold", b'{"false_alarms_per_day": 0}', "key 'false_alarms_per_day' is 0, expected greater than 0"),
        ("threshold", b"12.5", "the message is 12.5, expected an object"),
        ("threshold", b"ON", "the message is not JSON"),
        ("threshold", b"\xff", "not UTF-8"),
        ("threshold", b"[" * 1000, "the message is nested too deeply"),
        ("threshold", b" " * 2000, "2000 bytes, expected at most 1024"),
        ("compute", b'{"policy": "fast"}', "key 'policy' is 'fast', expected 'auto' or 'full'"),
        ("compute", b'{"min_level": 0}', "key 'min_level' is 0, expected greater than or equal to 1"),
        ("compute", b'{"min_level": 1.5}', "key 'min_level' is 1.5, expected a whole number"),
        ("compute", b'{"min_level": 5}', "key 'min_level' is 5, expected at most 4, the levels of the model"),
        ("compute", b'{"looseness": 0}', "key 'looseness' is 0, expected greater than or equal to 0.01"),
        ("compute", b'{"looseness": null}', "key 'looseness' is None, expected a number"),
        ("inhibit", b'{"until": "tomorrow"}', "key 'until' is 'tomorrow', expected a number"),
        ("inhibit", b'{"until": 1e20}', "key 'until' is 1e+20, expected less than or equal to"),
    ],
)
def test_refused_setting_has_no_effect(kind: SettingKind, payload: bytes, reason: str) -> None:
    _, settings = settings_of()
    put(settings, "threshold", {"raw": 3})
    put(settings, "compute", {"min_level": 2})
    before = [settings.state(name) for name in KINDS]
    with pytest.raises(Refused) as caught:
        settings.set(kind, parse_setting(kind, payload))
    assert str(caught.value).startswith(reason)
    assert len(str(caught.value).splitlines()) == 1
    assert [settings.state(name) for name in KINDS] == before


NUMBERS = st.one_of(st.integers(-3, 10), st.integers(), st.floats(width=32), st.just(10**400), st.booleans())
VALUES = st.one_of(NUMBERS, st.none(), st.sampled_from(["auto", "full", "x"]), st.lists(NUMBERS, max_size=1))
KEYS = st.sampled_from(
    ["raw", "false_alarms_per_day", "policy", "min_level", "looseness", "until", "stage", "hold", "extra"]
)
LEVELS = DETECTOR.levels


@given(kind=st.sampled_from(list(KINDS)), message=st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=3)))
def test_accepted_settings_are_those_of_the_schema(kind: SettingKind, message: Any) -> None:
    """Exceptions: what depends on the model, and whole numbers with a decimal point."""
    payload = json.dumps(message).encode()
    try:
        parse_setting(kind, payload)
        taken = True
    except Refused:
        taken = False
    whole = [message.get(key) for key in ("min_level", "stage")] if isinstance(message, dict) else []
    spelled = any(isinstance(number, float) for number in whole)
    fits = message is None or (b"NaN" not in payload and b"Infinity" not in payload and SETS[kind].is_valid(message))
    assert taken == (fits and not spelled)


@given(kind=st.sampled_from(list(KINDS)), payload=st.binary(max_size=40))
def test_any_bytes_are_accepted_or_refused(kind: SettingKind, payload: bytes) -> None:
    with suppress(Refused):
        assert isinstance(parse_setting(kind, payload), KINDS[kind])


def test_threshold_is_set_and_reset() -> None:
    stream, settings = settings_of()
    put(settings, "threshold", {"raw": 12.5})
    assert stream.threshold == 12.5
    for rate, expected in ((1000.0, 4.1), (200.0, 4.5), (199.0, 5.0), (49.0, 6.0), (0.01, 6.0)):
        put(settings, "threshold", {"false_alarms_per_day": rate})
        assert stream.threshold == expected
    put(settings, "threshold", None)
    assert stream.threshold == 4.5
    assert "threshold" in settings
    configured, other = settings_of(threshold=7.0)
    put(other, "threshold", {"raw": 3.0})
    put(other, "threshold", {})
    assert configured.threshold == 7.0


def test_threshold_by_rate_adapts_and_fixed_threshold_stays() -> None:
    values = recording(3, 900, 3)
    values[100:110] += 50 * PLAIN.features.scale
    rows = samples(values)
    for message, adapts in (({"raw": 1.0}, False), ({"false_alarms_per_day": 5000.0}, True)):
        stream, settings = settings_of()
        put(settings, "threshold", message)
        assert (len({stream.push(row).threshold for row in rows}) > 1) == adapts


def test_compute_setting_sets_the_policy() -> None:
    _, settings = settings_of()
    assert settings.policy == (1, 0.0)
    put(settings, "compute", {"min_level": 2, "looseness": 2})
    assert settings.policy == (2, math.log(2))
    put(settings, "compute", {"policy": "full", "looseness": 0.5})
    assert settings.policy == (LEVELS, math.log(0.5))
    put(settings, "compute", {})
    assert settings.policy == (1, 0.0)


@given(st.one_of(st.integers(0, 9_000_000_000_000), st.floats(0, 4e12)))
def test_inhibition_is_exact_to_the_microsecond(until: float) -> None:
    stream, settings = settings_of()
    put(settings, "inhibit", {"until": until})
    assert abs(stream.inhibition.until_ns - until * 1e6) <= 1000
    if isinstance(until, int):
        assert stream.inhibition.until_ns == until * 1_000_000
    put(settings, "inhibit", {"until": None})
    assert not stream.inhibition.possible


MESSAGES: dict[SettingKind, list[dict[str, Any]]] = {
    "threshold": [{}, {"raw": 3.5}, {"false_alarms_per_day": 100.0}],
    "compute": [{}, {"policy": "full"}, {"min_level": 2, "looseness": 0.5}],
    "inhibit": [{}, {"until": 1_700_000_050_000}, {"until": 1_700_000_950_000}],
}


@settings_of_hypothesis(max_examples=25)
@given(st.lists(st.sampled_from([(kind, message) for kind in MESSAGES for message in MESSAGES[kind]]), max_size=6))
def test_restored_settings_give_the_same_scores(sets: list[tuple[SettingKind, dict[str, Any]]]) -> None:
    stream, settings = settings_of(threshold=None)
    rows = samples(recording(4, 160, 3))
    for row in rows[:80]:
        stream.push(row)
    for kind, message in sets:
        put(settings, kind, message)
    again, restored = settings_of(threshold=None)
    stored = json.loads(encode_line([settings.snapshot(), stream.snapshot()]))
    restored.restore(stored[0])
    again.restore(stored[1])
    for kind in settings.kinds:
        assert restored.state(kind) == settings.state(kind)
        assert (kind in restored) == (kind in settings)
        origin = {"schema": 1, "boot": "0", "asset": "a", "model": "a@sha256:0123456789ab", "refused": ""}
        STATES[kind].validate({**origin, **settings.state(kind)})
    for row in rows[80:]:
        policy = settings.policy
        assert policy == restored.policy
        assert again.push(row, policy) == stream.push(row, policy)


def test_restore_overrides_earlier_settings_of_a_stream() -> None:
    """As when a model takes over again from another one."""
    stream, settings = settings_of()
    put(settings, "threshold", {"raw": 9.0})
    put(settings, "compute", {"looseness": 0.5})
    again = Settings(stream)
    again.restore({"threshold": {}, "compute": {}})
    assert stream.threshold == 4.5
    assert again.policy.logit_bias == 0.0
    assert [again.state(kind)["set"] for kind in again.kinds] == [True, True, False]


def test_repeated_setting_changes_nothing() -> None:
    _, settings = settings_of()
    for kind, first in (("threshold", {"raw": 3}), ("compute", {}), ("inhibit", {"until": 5})):
        setting = parse_setting(kind_of(kind), json.dumps(first).encode())
        assert [settings.set(kind_of(kind), setting) for _ in range(3)] == [True, False, False]
    back = parse_setting("threshold", b"{}")
    assert [settings.set("threshold", back) for _ in range(2)] == [True, True]  # adapted anew each time


def test_compute_stage_is_a_setting_of_assets_with_stages() -> None:
    stream, plain = settings_of()
    assert plain.kinds == ["threshold", "compute", "inhibit"]
    with pytest.raises(Refused, match=r"^the configuration has no stages for this asset \(key assets\.NAME\.stages\)$"):
        put(plain, "stage", {"stage": 0})
    stages = ComputeStages([StageConfig(min_level=2), StageConfig()])
    settings = Settings(stream, companions=Companions(stages=stages))
    assert settings.kinds == list(KINDS)
    put(settings, "stage", {"stage": 1, "hold": True})
    assert (settings.state("stage")["stage"], settings.state("stage")["hold"]) == (1, True)
    put(settings, "stage", {})
    assert (settings.state("stage")["stage"], settings.state("stage")["hold"]) == (1, False)
    with pytest.raises(Refused, match=r"^key 'stage' is 2, expected 0 to 1$"):
        put(settings, "stage", {"stage": 2})
    assert "stage" in settings, "it moves by itself: a retained message is always outdated"
    assert settings.snapshot() == {}, "its state is kept with the stages"


def test_settings_topic_is_parsed() -> None:
    outputs = OutputTopics("site/a", "n")
    assert outputs.sets == "site/a/n/+/+/set"
    assert outputs.setting_of("site/a/n/pump 1/threshold/set") == ("pump 1", "threshold")
    for other in ("site/a/n/threshold/set", "site/a/m/p/threshold/set", "site/a/n/p/threshold/state", "x/set", ""):
        assert outputs.setting_of(other) is None
    assert outputs.setting_of("site/a/n//threshold/set") is None
    with pytest.raises(Refused, match="expected one of: threshold, compute, inhibit"):
        kind_of("thresold")
