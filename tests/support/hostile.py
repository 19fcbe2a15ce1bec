"""Messages of broken or hostile senders, and what they must lead to: for tests and scripts/fuzz."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import strategies as st

from vcedge.runtime.codecs import Limits, Undecodable
from vcedge.runtime.codecs.reading import arrange
from vcedge.runtime.codecs.registry import Decoder, open_decoder

CODECS = ("json", "senml", "value")
DECODERS: dict[str, Decoder] = {codec: open_decoder(codec, Limits(), "codec") for codec in CODECS}
HOSTILE = (
    b"[" * 200_000,
    b'{"v":' * 100_000,
    b'[{"n":' * 100_000,
    b'{"ts":1,"v":{"a":' + b"9" * 10_000 + b"}}",
    b'[{"n":"a","v":' + b"9" * 10_000 + b"}]",
    b"9" * 10_000,
    b'{"ts":' + b"9" * 400 + b',"v":{}}',
    b'[{"n":"a","v":1,"t":' + b"9" * 400 + b"}]",
    b'{"ts":"' + b"9" * 100_000 + b'","v":{}}',
    b'{"t0":1,"dt":1e300,"v":{"a":[1,2]}}',
    b'{"t0":4e9,"dt":1e9,"v":{"a":[1,2,3]}}',
    b'{"t0":1,"dt":1e-12,"v":{"a":[1,2,3]}}',
    b'{"v":{"' + b"a" * (1 << 20) + b'":1}}',
    b'{"t0":1,"dt":1,"v":{"a":[' + b"1," * 200_000 + b"1]}}",
    b'{"v":{' + b",".join(b'"%d":1' % i for i in range(5000)) + b"}}",
    b"[" + b",".join(b'{"n":"%d","t":%d,"v":1}' % (i, i) for i in range(20_000)) + b"]",
    b"[" + b"{}," * 200_000 + b"{}]",
    b"\xef\xbb\xbf{}",
    b"\x00" * 1000,
)
"""None of them is a message of any codec."""

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "ts", "v", "n"]), inner),
    max_leaves=8,
)
_NAMES = st.text(st.characters(), min_size=1, max_size=8)
_TIMES = st.integers(-(2**30), 2**32) | st.floats() | st.sampled_from(["2023-11-14T22:13:20Z", 1.7e12])
_VALUES = st.none() | st.floats() | st.integers()


def _json() -> st.SearchStrategy[Any]:
    keys = st.dictionaries(st.sampled_from(["ts", "t0", "dt"]), st.none() | _TIMES | _ANYTHING)
    channels = st.dictionaries(_NAMES, _VALUES | st.lists(_VALUES, max_size=3))
    return st.builds(lambda top, v: {**top, "v": v}, keys, channels | _ANYTHING)


def _senml() -> st.SearchStrategy[Any]:
    numbers = st.sampled_from(["bt", "t", "v", "bv", "s", "bs", "ut", "bver"])
    texts = st.sampled_from(["n", "bn", "u", "bu", "vs", "vd"])
    record = st.builds(
        lambda *parts: {key: value for part in parts for key, value in part.items()},
        st.dictionaries(numbers, _TIMES | _VALUES, max_size=4),
        st.dictionaries(texts, _NAMES, max_size=3),
        st.fixed_dictionaries({"n": _NAMES, "v": _VALUES}) | st.just({}),
        st.dictionaries(numbers | texts | st.sampled_from(["vb", "x_"]), _ANYTHING, max_size=1),
    )
    return st.lists(record, max_size=6)


def _value() -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(["ts", "v", "value"]), _TIMES | _VALUES | _ANYTHING) | _VALUES


def any_message(codec: str) -> st.SearchStrategy[bytes]:
    """Generate messages that a codec almost accepts, and some that it accepts."""
    near = {"json": _json, "senml": _senml, "value": _value}[codec]()
    text = st.builds(json.dumps, near | _ANYTHING, ensure_ascii=st.booleans())
    whole = text.map(lambda words: words.encode("utf-8", "surrogatepass"))
    return whole | st.builds(_spoiled, whole, st.integers(0, 1 << 16), st.binary(max_size=3))


def _spoiled(payload: bytes, position: int, junk: bytes) -> bytes:
    """Return a message with other bytes at one place, as a memory or transmission error makes it."""
    at = position % (len(payload) + 1)
    return payload[:at] + junk + payload[at + len(junk) :]


def read_or_undecodable(codec: str, payload: bytes) -> bool:
    """Return whether the message was read; assert a valid reading or a short reason, and no other error."""
    reason = ""
    try:
        reading = DECODERS[codec](payload)
    except Undecodable as error:
        reason = str(error)
    if reason:
        assert len(reason) < 300
        assert reason.isprintable()
        return False
    values, unknown = arrange(reading, list(reading.columns))
    assert values.shape == (reading.rows, len(reading.columns))
    assert unknown == 0
    assert not np.isinf(values).any()
    assert reading.block or reading.rows == 1
    assert all(abs(time_ns) < 1 << 63 for time_ns in reading.times(1_700_000_000 * 10**9))
    "".join(reading.columns).encode()
    return True
