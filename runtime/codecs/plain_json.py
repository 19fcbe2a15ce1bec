"""The codec `json`: one object with the values of all channels, or a block of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vcedge.history.times import MAX_ABS_NS
from vcedge.runtime.codecs.fast_json import write_plain
from vcedge.runtime.codecs.json_text import json_type, number, numbers, parse, refuse_surrogates, seconds, time_ns
from vcedge.runtime.codecs.reading import Limits, Reading, Undecodable, shown
from vcedge.schema import NS_PER_S


def decode(payload: bytes, limits: Limits) -> Reading:
    """Decode `{"ts": 1700000000.123, "v": {"Pressure": 1.2}}`, or a block with `t0`, `dt` and lists of values.

    `null` is a missing value (NaN); other keys are ignored. Raises Undecodable.
    """
    message = parse(payload)
    if not isinstance(message, dict):
        raise Undecodable(f"a JSON {json_type(message)}, expected an object")
    channels = message.get("v")
    if not isinstance(channels, dict):
        raise Undecodable("key 'v' is missing" if channels is None else "key 'v' is not an object of channels")
    limits.check(len(channels), 1)
    refuse_surrogates(payload, channels)
    if "t0" in message or "dt" in message:
        return _block(message, channels, limits)
    columns = {name: [number(value, name)] for name, value in channels.items()}
    ts = message.get("ts")
    return Reading(None if ts is None else (time_ns(ts, "ts"),), columns)


def encode(sample_ns: int, channels: Mapping[str, float]) -> bytes:
    """Encode one sample of finite numbers."""
    return write_plain({"ts": seconds(sample_ns), "v": dict(channels)})


def _block(message: dict[str, Any], channels: dict[str, Any], limits: Limits) -> Reading:
    """Decode equally spaced samples; every channel has the same number of values."""
    if message.get("t0") is None or message.get("dt") is None:
        raise Undecodable("a block needs both 't0' and 'dt'")
    start_ns = time_ns(message["t0"], "t0")
    step_ns = number(message["dt"], "dt") * NS_PER_S
    if not 1 <= step_ns < MAX_ABS_NS:
        raise Undecodable("'dt' is not a time in seconds above zero")
    rows = 0
    columns: dict[str, list[float]] = {}
    for name, values in channels.items():
        if not isinstance(values, list):
            raise Undecodable(f"channel {shown(name)} of a block is not a list")
        if columns and len(values) != rows:
            raise Undecodable(f"channel {shown(name)} has {len(values)} values, others have {rows}")
        rows = len(values)
        limits.check(len(channels), rows)
        columns[name] = numbers(values, name)
    if rows == 0:
        raise Undecodable("a block without samples")
    times = tuple(start_ns + round(row * step_ns) for row in range(rows))
    if times[-1] >= MAX_ABS_NS:
        raise Undecodable("the block ends after the year 2116")
    return Reading(times, columns, block=True)
