"""The codecs: every case of tests/golden/codecs, and hostile bytes."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hostile import CODECS, HOSTILE, any_message, read_or_undecodable
from vcedge.runtime.codecs import Limits, Reading, Undecodable, plain_json, senml, value
from vcedge.runtime.codecs.reading import UNNAMED, arrange
from vcedge.runtime.codecs.registry import open_decoder
from vcedge.runtime.recordings.replay import message_of

GOLDEN = sorted(case for codec in CODECS for case in (Path(__file__).parents[2] / "golden/codecs" / codec).iterdir())
YEARS_NS = st.integers(-(1 << 62) + 1, (1 << 62) - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
LIMITS = Limits()


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_golden_cases(case: Path) -> None:
    payload = (case / "input.json").read_bytes()
    decode = open_decoder(case.parent.name, LIMITS, "codec")
    error = case / "expected.err"
    if error.exists():
        with pytest.raises(Undecodable) as caught:
            decode(payload)
        assert str(caught.value) == error.read_text().strip()
        return
    reading = decode(payload)
    expected = json.loads((case / "expected.json").read_text())
    assert reading.times_ns == (None if expected["times_ns"] is None else tuple(expected["times_ns"]))
    assert list(reading.columns) == list(expected["columns"])
    for name, values in expected["columns"].items():
        np.testing.assert_array_equal(reading.columns[name], [math.nan if v is None else v for v in values])
    assert reading.block == expected["block"]
    assert reading.relative == expected.get("relative", False)


@pytest.mark.parametrize("codec", CODECS)
@given(payload=st.binary(max_size=200))
def test_any_bytes_are_read_or_undecodable(codec: str, payload: bytes) -> None:
    read_or_undecodable(codec, payload)


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data())
def test_any_message_is_read_or_undecodable(codec: str, data: st.DataObject) -> None:
    read_or_undecodable(codec, data.draw(any_message(codec)))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: payload[:20].decode("latin-1"))
def test_hostile_payloads_have_a_short_reason(codec: str, payload: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        open_decoder(codec, LIMITS, "codec")(payload)
    assert 5 < len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("codec", "payload", "limits", "reason"),
    [
        ("json", b'{"v":{"a":1}}', Limits(max_bytes=12), "13 bytes, expected at most 12"),
        ("json", b'{"v":{"a":1,"b":1,"c":1}}', Limits(max_channels=2), "3 channels, expected at most 2"),
        ("json", b'{"t0":1,"dt":1,"v":{"a":[1,2,3]}}', Limits(max_rows=2), "3 samples, expected at most 2"),
        ("senml", b'[{"n":"a","v":1},{"n":"b","v":1}]', Limits(max_channels=1), "2 channels, expected at most 1"),
        ("senml", b'[{"n":"a","v":1},{"n":"a","t":1,"v":1}]', Limits(max_rows=1), "2 samples, expected at most 1"),
    ],
)
def test_sizes_beyond_the_limits_are_refused(codec: str, payload: bytes, limits: Limits, reason: str) -> None:
    with pytest.raises(Undecodable, match=f"^{re.escape(reason)}$"):
        open_decoder(codec, limits, "codec")(payload)


def test_small_senml_pack_cannot_expand_to_a_large_table() -> None:
    records = [{"n": f"c{i}", "t": i, "v": 1} for i in range(2000)]
    with pytest.raises(Undecodable, match=r"^2000 channels of 2000 samples, expected at most 1000000 values$"):
        open_decoder("senml", Limits(max_channels=5000), "codec")(json.dumps(records).encode())


@given(YEARS_NS, st.dictionaries(NAMES, FINITE | st.just(math.nan), max_size=5))
def test_replayed_message_is_read_back_exactly(time_ns: int, channels: dict[str, float]) -> None:
    values = np.array(list(channels.values()), np.float64)
    reading = plain_json.decode(message_of(time_ns, list(channels), values), LIMITS)
    assert reading.times_ns == (time_ns,)
    arranged, unknown = arrange(reading, list(channels))
    np.testing.assert_array_equal(arranged[0], values)
    assert unknown == 0


@given(st.integers(2**28 * 10**6, 4_000_000_000_000_000), st.dictionaries(NAMES, FINITE, min_size=1, max_size=5))
def test_senml_and_single_values_are_read_back_exactly(micros: int, channels: dict[str, float]) -> None:
    reading = senml.decode(senml.encode(micros * 1000, channels), LIMITS)
    assert reading == Reading((micros * 1000,), {name: [number] for name, number in channels.items()})
    for number in channels.values():
        single = value.decode(value.encode(micros * 1000, number), LIMITS)
        assert single == Reading((micros * 1000,), {UNNAMED: [number]})


@given(st.integers(0, 4_000_000_000_000_000))
def test_seconds_are_exact_to_the_microsecond(micros: int) -> None:
    message = f'{{"ts": {micros // 10**6}.{micros % 10**6:06d}, "v": {{}}}}'
    assert plain_json.decode(message.encode(), LIMITS).times_ns == (micros * 1000,)


def test_arrange_fills_missing_channels_and_counts_unknown_ones() -> None:
    reading = Reading((1, 2), {"b": [1.0, 2.0], "x": [3.0, 4.0]}, block=True)
    values, unknown = arrange(reading, ["a", "b"])
    np.testing.assert_array_equal(values, [[math.nan, 1.0], [math.nan, 2.0]])
    assert unknown == 1


def test_relative_times_count_from_the_arrival() -> None:
    assert Reading(None, {}).times(7) == (7,)
    assert Reading((-2, 0), {}, block=True, relative=True).times(7) == (5, 7)
    assert Reading((1, 2), {}, block=True).times(7) == (1, 2)
    assert [Reading(None, {}).timed, Reading((1,), {}, relative=True).timed, Reading((1,), {}).timed] == [0, 0, 1]
