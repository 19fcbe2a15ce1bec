"""The codec `senml`: packs of SenML in JSON (RFC 8428), one record for each value.

The channel is a record's own name `n`; the base name, which identifies the device, is the channel only if there is no
other name. Units are not converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vcedge.history.times import MAX_ABS_NS
from vcedge.runtime.codecs.fast_json import write_plain
from vcedge.runtime.codecs.json_text import json_type, json_type_with_article, number, parse, refuse_surrogates
from vcedge.runtime.codecs.reading import Limits, Reading, Undecodable, shown, tabulate
from vcedge.runtime.codecs.timestamps import YEARS
from vcedge.schema import NS_PER_S

VERSION = 10
MAX_RECORDS = 50_000
"""Most records of one pack: even an empty one costs some microseconds."""
ABSOLUTE_FROM_S = 2**28
"""From this value on a time counts from 1970, below it from the arrival of the message (RFC 8428, 4.5.3)."""
BASE_FIELDS = frozenset({"bn", "bt", "bu", "bv", "bs", "bver"})
VALUE_FIELDS = ("v", "vb", "vs", "vd")
TEXTS = ("bn", "bu", "n", "u")
NUMBERS = ("bt", "bv", "bs", "bver", "t", "ut", "s")
_UNSUPPORTED = {"vs": "a string (vs)", "vd": "data (vd)", "s": "a sum without a value"}
_NS_PER_MICRO = 1000


def decode(payload: bytes, limits: Limits) -> Reading:
    """Decode `[{"bn": "dev1:", "bt": 1700000000, "n": "Pressure", "v": 1.2}, {"n": "Flow", "v": 3, "t": 0.5}]`.

    Values of one time make one sample, several times a block; a boolean is 0 or 1. Raises Undecodable.
    """
    pack = parse(payload)
    if not isinstance(pack, list):
        raise Undecodable(f"a JSON {json_type(pack)}, expected a list of records")
    if len(pack) > MAX_RECORDS:
        raise Undecodable(f"{len(pack)} records, expected at most {MAX_RECORDS}")
    points = list(_points(pack))
    refuse_surrogates(payload, {name for _, name, _ in points})
    absolute = {micros >= ABSOLUTE_FROM_S * 1_000_000 for micros, _, _ in points}
    if len(absolute) > 1:
        raise Undecodable("some times count from 1970 and some from the arrival, expected one kind")
    in_ns = ((micros * _NS_PER_MICRO, name, value) for micros, name, value in points)
    return tabulate(in_ns, limits, relative=False in absolute)


def encode(sample_ns: int, channels: Mapping[str, float]) -> bytes:
    """Encode one sample of finite numbers, its time rounded to the microsecond.

    The first record has the base time, and no record has a base name. Raises ValueError for a time that SenML would
    read as relative to now.
    """
    if sample_ns < ABSOLUTE_FROM_S * NS_PER_S:
        raise ValueError("SenML has no absolute time before July 1978")
    records: list[dict[str, Any]] = [{"n": name, "v": value} for name, value in channels.items()]
    if records:
        records[0] = {"bt": round(sample_ns / _NS_PER_MICRO) / 1_000_000, **records[0]}
    return write_plain(records)


def _points(pack: list[Any]) -> Iterator[tuple[int, str, float]]:
    """Yield time in microseconds, channel and value of each record, with the current base fields applied."""
    base: dict[str, Any] = {}
    devices: dict[str, str] = {}
    for position, record in enumerate(pack, 1):
        try:
            if not isinstance(record, dict):
                raise Undecodable(f"{json_type_with_article(record)}, expected an object")
            _check(record)
            base.update({field: record[field] for field in BASE_FIELDS & record.keys()})
            if record.keys() <= BASE_FIELDS:
                continue
            device = base.get("bn", "")
            name = record.get("n") or device
            if not name:
                raise Undecodable("has no name")
            if devices.setdefault(name, device) != device:
                raise Undecodable(f"{shown(name)} has two base names, expected those of one device")
            yield _micros(base.get("bt", 0), record.get("t", 0)), name, _value(record, base, name)
        except Undecodable as reason:
            raise Undecodable(f"record {position}: {reason}") from None


def _check(record: dict[str, Any]) -> None:
    """Raise Undecodable for a known field of another type, and for an unknown one that must be understood."""
    for field in TEXTS:
        if not isinstance(record.get(field, ""), str):
            raise Undecodable(f"'{field}' is {json_type_with_article(record[field])}, expected a string")
    for field in NUMBERS:
        if field in record:
            if record[field] is None:
                raise Undecodable(f"'{field}' is a null, expected a number")
            number(record[field], field)
    if record.get("bver", VERSION) != VERSION:
        raise Undecodable(f"version {record['bver']} (bver), expected {VERSION}")
    unknown = next((field for field in record if field.endswith("_")), None)
    if unknown is not None:
        raise Undecodable(f"field {shown(unknown)} is not supported, and its final underscore forbids to ignore it")


def _value(record: dict[str, Any], base: dict[str, Any], name: str) -> float:
    found = [field for field in VALUE_FIELDS if field in record]
    if len(found) > 1:
        raise Undecodable(f"{shown(name)} has several values: {', '.join(found)}")
    field = found[0] if found else "s" if "s" in record else None
    if field is None:
        raise Undecodable(f"{shown(name)} has no value")
    if field in _UNSUPPORTED:
        raise Undecodable(f"{shown(name)} is {_UNSUPPORTED[field]}, expected a number (v) or a boolean (vb)")
    if field == "vb":
        if not isinstance(record["vb"], bool):
            raise Undecodable(f"{shown(name)} is {json_type_with_article(record['vb'])}, expected a boolean (vb)")
        return float(record["vb"])
    if record["v"] is None:
        raise Undecodable(f"{shown(name)} is null; a missing value is left out")
    return number(number(record["v"], name) + number(base.get("bv", 0), "bv"), name)


def _micros(*seconds: float) -> int:
    """Return the sum in microseconds. Each part is rounded by itself, since the sum of floats would lose digits."""
    if not all(abs(part) < MAX_ABS_NS // NS_PER_S for part in seconds):
        raise Undecodable(YEARS)
    micros = sum(round(part * 1_000_000) for part in seconds)
    if not abs(micros) < MAX_ABS_NS // _NS_PER_MICRO:
        raise Undecodable(YEARS)
    return micros
