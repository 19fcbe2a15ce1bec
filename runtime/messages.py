"""From the bytes of a message to samples: no input or output, and no clock.

A codec turns bytes into a `Reading`, whatever the channels are; `arrange` puts it in the order of a model's channels.
What cannot be read raises `Undecodable` with a reason and nothing else, whatever the bytes are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from vcedge.errors import DataError
from vcedge.history.times import MAX_ABS_NS
from vcedge.runtime.timestamps import timestamp_ns
from vcedge.schema import F64, NS_PER_S

MAX_PAYLOAD = 1 << 20
"""Bytes of the largest message that is read."""


class Undecodable(DataError):
    """A message that cannot be read; the text is the reason that goes with it to the dead letters."""


@dataclass(frozen=True)
class Reading:
    """What one message says: a value of each named channel, or with `block` a list of B values.

    `times_ns` (B,) is None where the message tells no time: it then counts as of its arrival.
    """

    times_ns: tuple[int, ...] | None
    columns: dict[str, list[float]]
    block: bool = False

    @property
    def rows(self) -> int:
        """How many samples B."""
        return 1 if self.times_ns is None else len(self.times_ns)


Codec = Callable[[bytes], Reading]


def decode_json(payload: bytes) -> Reading:
    """`{"ts": 1700000000.123, "v": {"Pressure": 1.2}}`, or a block `{"t0": ..., "dt": 0.01, "v": {"Pressure": [...]}}`.

    `null` is a missing value (NaN), further keys are ignored. Raises Undecodable.
    """
    message = _parse(payload)
    channels = message.get("v")
    if not isinstance(channels, dict):
        raise Undecodable("key 'v' is missing" if channels is None else "key 'v' is not an object of channels")
    if b"\\u" in payload:
        _refuse_surrogates(channels)
    if "t0" in message or "dt" in message:
        return _block(message, channels)
    columns = {name: [_number(value, name)] for name, value in channels.items()}
    ts = message.get("ts")
    return Reading(None if ts is None else (_time(ts, "ts"),), columns)


CODECS: dict[str, Codec] = {"json": decode_json}


def arrange(reading: Reading, names: Sequence[str]) -> tuple[F64, int]:
    """Values (B, C) of the named channels, NaN where the message is silent, and how many channels were unknown."""
    columns = reading.columns
    silent = [math.nan] * reading.rows
    values = np.array([columns.get(name, silent) for name in names], np.float64)  # (C, B)
    known = sum(name in columns for name in names)
    return np.ascontiguousarray(values.reshape(len(names), reading.rows).T), len(columns) - known


def _parse(payload: bytes) -> dict[str, Any]:
    """A JSON object. RecursionError: nested too deeply; other ValueErrors: an integer of thousands of digits."""
    if len(payload) > MAX_PAYLOAD:
        raise Undecodable(f"{len(payload)} bytes, expected at most {MAX_PAYLOAD}")
    try:
        message = _DECODER.decode(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise Undecodable("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Undecodable(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Undecodable("nested too deeply") from None
    except ValueError as error:
        raise Undecodable(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise Undecodable(f"a JSON {_kind(message)}, expected an object")
    return message


def _no_constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is not JSON; a missing value is null or left out")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _block(message: dict[str, Any], channels: dict[str, Any]) -> Reading:
    """Equally spaced samples; every channel has as many values."""
    if message.get("t0") is None or message.get("dt") is None:
        raise Undecodable("a block needs both 't0' and 'dt'")
    start_ns = _time(message["t0"], "t0")
    step_ns = _number(message["dt"], "dt") * NS_PER_S
    if not 1 <= step_ns < MAX_ABS_NS:
        raise Undecodable("'dt' is not a time in seconds above zero")
    rows = 0
    columns: dict[str, list[float]] = {}
    for name, values in channels.items():
        if not isinstance(values, list):
            raise Undecodable(f"channel {_shown(name)} of a block is not a list")
        if columns and len(values) != rows:
            raise Undecodable(f"channel {_shown(name)} has {len(values)} values, others have {rows}")
        rows = len(values)
        columns[name] = [_number(value, name) for value in values]
    if rows == 0:
        raise Undecodable("a block without samples")
    times = tuple(start_ns + round(row * step_ns) for row in range(rows))
    if times[-1] >= MAX_ABS_NS:
        raise Undecodable("the block ends after the year 2116")
    return Reading(times, columns, block=True)


def _number(value: object, name: str) -> float:
    """A finite number as float64; NaN for null."""
    if type(value) is float:
        number = value
    elif type(value) is int:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    elif value is None:
        return math.nan
    else:
        raise Undecodable(f"{_shown(name)} is a {_kind(value)}, expected a number")
    if math.isinf(number):
        raise Undecodable(f"{_shown(name)} is too large for a number")
    return number


def _time(value: object, key: str) -> int:
    try:
        return timestamp_ns(value)
    except ValueError as error:
        raise Undecodable(f"'{key}': {error}") from None


def _refuse_surrogates(channels: dict[str, Any]) -> None:
    """An escaped half of a character is no text that could be written anywhere."""
    try:
        "".join(channels).encode()
    except UnicodeEncodeError:
        raise Undecodable("the name of a channel is not Unicode") from None


def _kind(value: object) -> str:
    kinds = {str: "string", bool: "boolean", list: "list", dict: "object", type(None): "null"}
    return kinds.get(type(value), "number")


def _shown(name: str) -> str:
    """A name that somebody else chose, in a few characters."""
    return repr(name if len(name) <= 40 else name[:40] + "…")
