"""A stream restored in a new process continues identically, bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import recording, samples, tiny_detector, variants
from vcedge.errors import DataError
from vcedge.packed import pack_bytes, unpack
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import NS_PER_S, Sample

VARIANTS = variants()


def eventful(seed: int, channels: int) -> list[Sample]:
    """Missing values, a stuck channel, a fault, late samples, one without any value, and a gap."""
    values = recording(seed, 260, channels, missing=0.02)
    values[60:130, 0] = 1.25
    values[150:170, -1] += 40.0
    values[180] = np.nan
    rows = samples(values)
    rows[100], rows[155] = rows[90], Sample(-1, values[3])
    return [Sample(row.time_ns + 3600 * NS_PER_S * (index > 200), row.values) for index, row in enumerate(rows)]


@pytest.mark.parametrize("engine", ["auto", "numpy"])
@pytest.mark.parametrize("time_ns", [2**63, 10**20, -(2**63) - 1])
def test_push_rejects_a_time_that_does_not_fit_64_bits(engine: str, time_ns: int) -> None:
    stream = Stream(load_engine(tiny_detector(), engine))
    stream.push(Sample(1, np.zeros(3)))
    before = stream.snapshot()
    with pytest.raises(ValueError, match="fit 64 bits"):
        stream.push(Sample(time_ns, np.zeros(3)))
    assert stream.snapshot() == before


@pytest.mark.parametrize("name", VARIANTS)
@settings(max_examples=8)
@given(cuts=st.sets(st.integers(0, 259), max_size=4), seed=st.integers(0, 3))
def test_a_restored_stream_continues_identically(name: str, cuts: set[int], seed: int) -> None:
    detector = VARIANTS[name]
    engine = load_engine(detector)
    whole, cut = Stream(engine), Stream(engine)
    for index, sample in enumerate(eventful(seed, detector.channels)):
        if index in cuts:
            stored = cut.snapshot()
            cut = Stream(engine)
            cut.restore(stored)
        assert cut.push(sample) == whole.push(sample)
    assert cut.snapshot() == whole.snapshot()


def test_restore_rejects_a_snapshot_of_another_model() -> None:
    snapshot = Stream(load_engine(tiny_detector(channels=4))).snapshot()
    stream = Stream(load_engine(tiny_detector()))
    with pytest.raises(DataError, match="another model"):
        stream.restore(snapshot)


@pytest.mark.parametrize("spoiled", [b"", b"x", None, 3, [], {}, "no base64!", {"seq": 1}])
def test_restore_rejects_anything_but_a_snapshot(spoiled: object) -> None:
    stream = Stream(load_engine(tiny_detector()))
    with pytest.raises(DataError):
        stream.restore(spoiled)


@pytest.mark.parametrize("version", [1, 2, 3, 5, 99])
def test_restore_rejects_another_format_and_says_what_is_lost(version: int) -> None:
    stream = Stream(load_engine(tiny_detector()))
    snapshot = bytearray(stream.snapshot())
    snapshot[4] = version
    with pytest.raises(DataError, match=f"format {version}, this program reads 4: the stream starts with a new state"):
        stream.restore(bytes(snapshot))


def test_restore_rejects_a_snapshot_that_is_cut_short() -> None:
    stream = Stream(load_engine(tiny_detector()))
    with pytest.raises(DataError, match="bytes, expected"):
        stream.restore(stream.snapshot()[:-1])


def test_a_snapshot_excludes_a_manual_threshold() -> None:
    engine = load_engine(tiny_detector())
    by_hand, calibrated = Stream(engine, 3.25), Stream(engine)
    calibrated.restore(by_hand.snapshot())
    assert calibrated.threshold == engine.detector.calibration.threshold
    by_hand.restore(calibrated.snapshot())
    assert by_hand.threshold == 3.25


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.bool_])
def test_packed_arrays_keep_every_bit(dtype: type) -> None:
    array = np.array([[0.0, -0.0, np.inf], [np.nan, 1.1, -5e-324]])
    stored = array.astype(dtype) if dtype is not np.int64 else np.arange(6).reshape(2, 3) - 3
    again = unpack(json.loads(json.dumps(pack_bytes(stored.tobytes()))), np.zeros_like(stored))
    assert again.tobytes() == stored.tobytes()
    assert (again.dtype, again.shape) == (stored.dtype, stored.shape)
    with pytest.raises(DataError):
        unpack(pack_bytes(stored.tobytes()), np.zeros((3, 3), stored.dtype))
