"""Parses JSON for the codecs: text to objects, and objects to numbers and times."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

from vcedge.runtime.codecs import fast_json
from vcedge.runtime.codecs.reading import Undecodable, shown
from vcedge.runtime.codecs.timestamps import timestamp_ns
from vcedge.wording import iso_time

FLOAT_SECONDS_BELOW = 2**32
"""Below this (the year 2106) seconds in a float64 are exact to the microsecond."""


def parse(payload: bytes) -> Any:
    """Return the JSON value of a payload. Raises Undecodable."""
    if fast_json.read is not None:
        try:
            return fast_json.read(payload)
        except (ValueError, RecursionError):
            pass  # orjson refuses some valid JSON; `parse_strictly` decodes it, or gives the reason
    return parse_strictly(payload)


def parse_strictly(payload: bytes) -> Any:
    """Return the JSON value of a payload with Python's own decoder. Raises Undecodable."""
    try:
        return _DECODER.decode(payload.decode("utf-8"))
    except UnicodeDecodeError:
        raise Undecodable("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Undecodable(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Undecodable("nested too deeply") from None
    except ValueError as error:  # an integer of thousands of digits
        raise Undecodable(f"not JSON: {error}") from None


def numbers(values: list[Any], name: str) -> list[float]:
    """Return finite numbers as float64, NaN for null. Raises Undecodable that names the channel `name`."""
    if set(map(type, values)) == {float} and -math.inf < min(values) <= max(values) < math.inf:
        return values  # fast path
    return [number(value, name) for value in values]


def number(value: object, name: str) -> float:
    """Return a finite number as float64, NaN for null. Raises Undecodable."""
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
        raise Undecodable(f"{shown(name)} is {json_type_with_article(value)}, expected a number")
    if math.isinf(found):
        raise Undecodable(f"{shown(name)} is too large for a number")
    return found


def time_ns(value: object, key: str) -> int:
    """Return nanoseconds since 1970. Raises Undecodable that names `key`."""
    try:
        return timestamp_ns(value)
    except ValueError as error:
        raise Undecodable(f"'{key}': {error}") from None


def seconds(ns: int) -> float | str:
    """Return a time that `time_ns` reads back exactly: seconds, or ISO 8601 if those would lose nanoseconds."""
    micros, rest = divmod(ns, 1000)
    exact = rest == 0 and abs(micros) < FLOAT_SECONDS_BELOW * 1_000_000
    return micros / 1_000_000 if exact else iso_time(ns)


def refuse_surrogates(payload: bytes, names: Iterable[str]) -> None:
    """Raise Undecodable if a name has an escaped half of a surrogate pair, which cannot be encoded."""
    if b"\\u" not in payload:
        return
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        raise Undecodable("the name of a channel is not Unicode") from None


def json_type(value: object) -> str:
    """Return the JSON type of a value."""
    kinds = {str: "string", bool: "boolean", list: "list", dict: "object", type(None): "null"}
    return kinds.get(type(value), "number")


def json_type_with_article(value: object) -> str:
    """Return the JSON type of a value with its article."""
    return f"an {json_type(value)}" if isinstance(value, dict) else f"a {json_type(value)}"


def _no_constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is not JSON; a missing value is null or left out")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
