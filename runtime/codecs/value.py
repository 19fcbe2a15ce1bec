"""The codec `value`: one number of one sensor, which `{channel}` in the topic names."""

from __future__ import annotations

from vcedge.runtime.codecs.fast_json import write_plain
from vcedge.runtime.codecs.json_text import json_type, number, parse, seconds, time_ns
from vcedge.runtime.codecs.reading import UNNAMED, Limits, Reading, Undecodable

KEYS = ("v", "value")


def decode(payload: bytes, _: Limits) -> Reading:
    """Decode `1.2`, or with its time `{"ts": 1700000000.123, "v": 1.2}`; the key may be `value` too.

    `null` is a missing value (NaN); other keys are ignored. Raises Undecodable.
    """
    message = parse(payload)
    if not isinstance(message, dict):
        if message is not None and type(message) not in (int, float):
            raise Undecodable(f"a JSON {json_type(message)}, expected a number or an object")
        return Reading(None, {UNNAMED: [number(message, "value")]})
    found = [key for key in KEYS if key in message]
    if len(found) != 1:
        raise Undecodable("keys 'v' and 'value' at once" if found else "key 'v' is missing")
    columns = {UNNAMED: [number(message[found[0]], found[0])]}
    ts = message.get("ts")
    return Reading(None if ts is None else (time_ns(ts, "ts"),), columns)


def encode(sample_ns: int, value: float) -> bytes:
    """Encode one finite number with its time."""
    return write_plain({"ts": seconds(sample_ns), "v": value})
