"""What the codecs of JSON have in common: text to objects, and objects to numbers and times."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from vcedge.runtime.codecs import fast_json as quick_json
from vcedge.runtime.codecs.reading import Undecodable, shown
from vcedge.runtime.codecs.timestamps import timestamp_ns
from vcedge.wording import iso_time

FLOAT_SECONDS_BELOW = 2**32
"""Up to here (the year 2106) seconds in a float64 are exact to the microsecond."""


def parse(payload: bytes) -> Any:
    """Any JSON value. Raises Undecodable."""
    if quick_json.read is not None:
        try:
            return quick_json.read(payload)
        except (ValueError, RecursionError):
            pass  # the strict reader tells why, or reads it after all
    return parse_strictly(payload)


def parse_strictly(payload: bytes) -> Any:
    """The same by Python's own reader.

    RecursionError: nested too deeply; other ValueErrors: an integer of thousands of digits.
    """
    try:
        return _DECODER.decode(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise Undecodable("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Undecodable(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Undecodable("nested too deeply") from None
    except ValueError as error:
        raise Undecodable(f"not JSON: {error}") from None


def write(value: Any) -> bytes:
    """Compact JSON in UTF-8, with all digits of a float."""
    return _ENCODER.encode(value).encode()


def numbers(values: list[Any], name: str) -> list[float]:
    """Finite numbers as float64; NaN for null."""
    if set(map(type, values)) == {float} and -math.inf < min(values) <= max(values) < math.inf:
        return values  # the usual list, and so a quick one
    return [number(value, name) for value in values]


def number(value: object, name: str) -> float:
    """A finite number as float64; NaN for null. Raises Undecodable."""
    if type(value) is float:
        found = value
    elif type(value) is int:
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
    elif value is None:
        return math.nan
    else:
        raise Undecodable(f"{shown(name)} is {a_kind(value)}, expected a number")
    if math.isinf(found):
        raise Undecodable(f"{shown(name)} is too large for a number")
    return found


def time_ns(value: object, key: str) -> int:
    """Nanoseconds since 1970. Raises Undecodable."""
    try:
        return timestamp_ns(value)
    except ValueError as error:
        raise Undecodable(f"'{key}': {error}") from None


def seconds(ns: int) -> float | str:
    """A time as `time_ns` reads it back exactly: seconds, or ISO 8601 where those would lose nanoseconds."""
    micros, rest = divmod(ns, 1000)
    exact = rest == 0 and abs(micros) < FLOAT_SECONDS_BELOW * 1_000_000
    return micros / 1_000_000 if exact else iso_time(ns)


def refuse_surrogates(payload: bytes, names: Iterable[str]) -> None:
    """An escaped half of a character is no text that could be written anywhere. Raises Undecodable."""
    if b"\\u" not in payload:
        return
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise Undecodable("the name of a channel is not Unicode") from None


def kind(value: object) -> str:
    """What JSON calls it."""
    kinds = {str: "string", bool: "boolean", list: "list", dict: "object", type(None): "null"}
    return kinds.get(type(value), "number")


def a_kind(value: object) -> str:
    """The same with its article."""
    return f"an {kind(value)}" if isinstance(value, dict) else f"a {kind(value)}"


def _no_constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is not JSON; a missing value is null or left out")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)
