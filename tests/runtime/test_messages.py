"""The JSON codec: every case of tests/golden/messages, and whatever bytes a hostile sender thinks of."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.runtime.messages import MAX_PAYLOAD, Reading, Undecodable, arrange, decode_json
from vcedge.runtime.replay import message_of

GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "messages").iterdir())
YEARS_NS = st.integers(-(1 << 62) + 1, (1 << 62) - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_golden(case: Path) -> None:
    payload = (case / "input.json").read_bytes()
    error = case / "expected.err"
    if error.exists():
        with pytest.raises(Undecodable) as caught:
            decode_json(payload)
        assert str(caught.value) == error.read_text().strip()
        return
    reading = decode_json(payload)
    expected = json.loads((case / "expected.json").read_text())
    assert reading.times_ns == (None if expected["times_ns"] is None else tuple(expected["times_ns"]))
    assert list(reading.columns) == list(expected["columns"])
    for name, values in expected["columns"].items():
        np.testing.assert_array_equal(reading.columns[name], [math.nan if v is None else v for v in values])
    assert reading.block == expected["block"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_undecodable(payload: bytes) -> None:
    _read_or_undecodable(payload)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "ts", "v"]), inner),
        max_leaves=8,
    ),
    st.dictionaries(st.sampled_from(["ts", "t0", "dt", "v"]), st.none() | st.floats() | st.integers() | st.text()),
    st.dictionaries(NAMES, st.none() | st.floats() | st.integers() | st.lists(st.none() | FINITE, max_size=3)),
)
def test_any_json_is_read_or_undecodable(anything: object, top: dict[str, object], values: dict[str, object]) -> None:
    for message in (anything, {**top, "v": values}, {"ts": anything, "v": values}, {"t0": 1, "dt": 1, "v": anything}):
        _read_or_undecodable(json.dumps(message).encode())


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 200_000,
        b'{"v":' * 100_000,
        b'{"ts":1,"v":{"a":' + b"9" * 10_000 + b"}}",
        b'{"ts":' + b"9" * 400 + b',"v":{}}',
        b'{"ts":"' + b"9" * 100_000 + b'","v":{}}',
        b'{"t0":1,"dt":1e300,"v":{"a":[1,2]}}',
        b'{"t0":4e9,"dt":1e9,"v":{"a":[1,2,3]}}',
        b'{"t0":1,"dt":1e-12,"v":{"a":[1,2,3]}}',
        b'{"v":{"' + b"a" * MAX_PAYLOAD + b'":1}}',
        b"\xef\xbb\xbf{}",
        b"\x00" * 1000,
    ],
    ids=lambda payload: payload[:20].decode("latin-1"),
)
def test_hostile_payloads_have_a_short_reason(payload: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        decode_json(payload)
    assert 5 < len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def _read_or_undecodable(payload: bytes) -> None:
    reason = ""
    try:
        reading = decode_json(payload)
    except Undecodable as error:
        reason = str(error)
    if reason:
        assert len(reason) < 300
        return
    values, unknown = arrange(reading, list(reading.columns))
    assert values.shape == (reading.rows, len(reading.columns))
    assert unknown == 0
    assert not np.isinf(values).any()


@given(YEARS_NS, st.dictionaries(NAMES, FINITE | st.just(math.nan), max_size=5))
def test_what_replay_publishes_is_read_back_exactly(time_ns: int, channels: dict[str, float]) -> None:
    values = np.array(list(channels.values()), np.float64)
    reading = decode_json(message_of(time_ns, list(channels), values))
    assert reading.times_ns == (time_ns,)
    arranged, unknown = arrange(reading, list(channels))
    np.testing.assert_array_equal(arranged[0], values)
    assert unknown == 0


@given(st.integers(0, 4_000_000_000_000_000))
def test_seconds_are_exact_to_the_microsecond(micros: int) -> None:
    message = f'{{"ts": {micros // 10**6}.{micros % 10**6:06d}, "v": {{}}}}'
    assert decode_json(message.encode()).times_ns == (micros * 1000,)


def test_arrange_fills_missing_channels_and_counts_unknown_ones() -> None:
    reading = Reading((1, 2), {"b": [1.0, 2.0], "x": [3.0, 4.0]}, block=True)
    values, unknown = arrange(reading, ["a", "b"])
    np.testing.assert_array_equal(values, [[math.nan, 1.0], [math.nan, 2.0]])
    assert unknown == 1
