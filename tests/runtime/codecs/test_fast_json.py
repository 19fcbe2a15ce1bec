"""orjson and the standard library agree on reading any bytes, and on writing values that are read back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from vcedge.runtime.codecs import fast_json
from vcedge.runtime.codecs.json_text import parse, parse_strictly
from vcedge.runtime.codecs.reading import Undecodable

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def outcome(read: Any, payload: bytes) -> tuple[str, Any]:
    try:
        return "read", repr(read(payload))
    except Undecodable as reason:
        return "refused", str(reason)


def same(payload: bytes) -> None:
    assert outcome(parse, payload) == outcome(parse_strictly, payload)


@given(VALUES.map(lambda value: json.dumps(value).encode()))
def test_both_readers_agree_on_json(payload: bytes) -> None:
    same(payload)


@given(st.binary(max_size=60) | st.text('{}[]:,"\\u0deE+-.aNfl ', max_size=40).map(str.encode))
@example(b"[" * 900 + b"]" * 900)
@example(b"[" * 100_000)
@example(b'{"ts": 1e999, "v": {}}')
@example(b'{"v": NaN}')
@example(b'{"a": 1, "a": 2}')
@example(b'"\\ud800"')
def test_invalid_json_gives_the_same_reason_with_and_without_orjson(payload: bytes) -> None:
    same(payload)


@given(VALUES)
def test_output_of_both_writers_reads_back_equal(value: Any) -> None:
    for written in (fast_json.write(value), fast_json.write_plain(value)):
        assert parse_strictly(written) == value


def test_orjson_is_installed() -> None:
    assert fast_json.read is not None, "the extra 'fast' is part of 'dev'"


@given(st.integers(2**63, 10**40) | st.integers(-(10**40), -(2**63)))
def test_large_integers_are_the_same_float(number: int) -> None:
    payload = b"[%d]" % number
    assert float(parse(payload)[0]) == float(parse_strictly(payload)[0])
