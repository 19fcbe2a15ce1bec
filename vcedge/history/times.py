"""Converts times to nanoseconds since 1970 in UTC: ISO 8601, a strptime format, or epoch numbers.

The fast path reads all cells of a block that have the same layout at once; other cells are read one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timezone
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.history.numbers import floats_of
from vcedge.history.recording import NO_TIME
from vcedge.history.spellings import ISO, pattern_of
from vcedge.schema import NS_PER_S

Times = NDArray[np.int64]
Cells = Sequence[str] | NDArray[Any]
"""An unconverted column: texts (a list, or an array of bytes), numbers, or datetime64."""

MAX_ABS_NS = 1 << 62  # years 1824 to 2116: the difference of two times fits an int64 too
_MAX_CELL = 64
EPOCH_UNITS_NS = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}


class TextTimes:
    """Reads times that follow one pattern: ISO 8601, or a strptime format."""

    def __init__(self, time_format: str | None) -> None:
        """Raise ConfigError for a format that strptime does not know."""
        self._format = time_format
        self._pattern = ISO if time_format is None else pattern_of(time_format)

    def read(self, cells: Cells) -> Times:
        """Return the times of texts (B,), NO_TIME where a text does not match the pattern."""
        times = np.full(len(cells), NO_TIME, np.int64)
        left = np.ones(len(cells), np.bool_)
        packed = _packed(cells)
        if packed is not None and self._pattern is not None:
            left = self._read_alike(packed, times)
        for i in np.flatnonzero(left).tolist():
            cell = cells[i]
            times[i] = self.read_one(cell.decode("latin-1") if isinstance(cell, bytes) else str(cell))
        return times

    def read_one(self, text: str) -> int:
        """Return one time, or NO_TIME."""
        text = text.strip().strip('"').strip()
        if self._pattern is None:
            return _strptime(text, self._format or "")
        match = self._pattern.fullmatch(text)
        if match is None:
            return NO_TIME
        found = match.groupdict()
        try:
            day = date(_year(found), int(found.get("m") or 1), int(found.get("d") or 1))
        except ValueError:
            return NO_TIME
        hour, minute, second = (int(found.get(key) or 0) for key in "HMS")
        if hour > 23 or minute > 59 or second > 59:
            return NO_TIME
        seconds = (day.toordinal() - _EPOCH_DAY) * 86400 + hour * 3600 + minute * 60 + second
        fraction = int((found.get("f") or "").ljust(9, "0"))
        time_ns = (seconds - _zone_s(found.get("z"))) * NS_PER_S + fraction
        return time_ns if abs(time_ns) < MAX_ABS_NS else NO_TIME

    def _read_alike(self, packed: NDArray[np.uint8], times: Times) -> NDArray[np.bool_]:
        """Fill in the times of rows with the layout of the first of their length; return the mask of the others."""
        assert self._pattern is not None
        left = np.ones(len(packed), np.bool_)
        lengths = _lengths(packed)
        for length in np.unique(lengths)[:8].tolist():
            rows = np.flatnonzero(lengths == length)
            text = packed[rows[0], :length].tobytes().decode("latin-1")
            match = self._pattern.fullmatch(text)
            if match is None or len(rows) < 8:
                continue
            found, good = _read_columns(packed[rows, :length], match)
            times[rows[good]] = found[good]
            left[rows[good]] = False
        return left


class EpochTimes:
    """Reads times that are numbers since 1970, in one unit for the whole file."""

    def __init__(self, unit_ns: int) -> None:
        self._unit_ns = unit_ns

    def read(self, cells: Cells) -> Times:
        """Return the times of numbers or of their texts (B,), NO_TIME where there is none.

        Integers are exact. Numbers with a fraction are read to the microsecond, the precision of a double.
        """
        typed = isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf"
        numbers: NDArray[Any] = np.asarray(cells) if typed else _numbers_of(cells)
        unit = self._unit_ns
        if numbers.dtype.kind in "iu":
            good = numbers < MAX_ABS_NS // unit
            if numbers.dtype.kind == "i":
                good &= numbers > -(MAX_ABS_NS // unit)
            return np.where(good, np.where(good, numbers, 0).astype(np.int64) * unit, NO_TIME)
        numbers = numbers.astype(np.float64)
        with np.errstate(invalid="ignore"):
            good = np.abs(numbers) < MAX_ABS_NS / unit
        step = 1000 if unit >= 1000 else 1
        counts = np.rint(np.where(good, numbers, 0.0) * (unit // step)).astype(np.int64)
        return np.where(good, counts * step, NO_TIME)


class TypedTimes:
    """Reads times of type datetime64, as in Parquet files and arrays."""

    def read(self, cells: Cells) -> Times:
        """Return the times of a datetime64 array (B,), NO_TIME for NaT and outside the years 1824 to 2116."""
        assert isinstance(cells, np.ndarray)
        coarse = cells.astype("datetime64[s]").astype(np.int64)
        good = (coarse > -(MAX_ABS_NS // NS_PER_S)) & (coarse < MAX_ABS_NS // NS_PER_S)
        exact = np.where(good, cells, np.datetime64(0, "s")).astype("datetime64[ns]").astype(np.int64)
        return np.where(good, exact, NO_TIME)


TimeReader = TextTimes | EpochTimes | TypedTimes
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def _read_columns(chars: NDArray[np.uint8], match: re.Match[str]) -> tuple[Times, NDArray[np.bool_]]:
    """Return the times of rows (B, length), and the mask of those whose digits are where the matched row has them."""
    spans = {key: match.span(key) for key, text in match.groupdict().items() if text is not None and key != "z"}
    literal = np.ones(chars.shape[1], np.bool_)
    for start, stop in spans.values():
        literal[start:stop] = False
    good = (chars[:, literal] == chars[0, literal]).all(axis=1)
    digits = chars - np.uint8(ord("0"))  # anything below "0" wraps to above 9
    good &= (digits[:, ~literal] <= 9).all(axis=1)

    def field(key: str, absent: int) -> Times:
        if key not in spans:
            return np.full(len(chars), absent, np.int64)
        start, stop = spans[key]
        powers = 10 ** np.arange(stop - start - 1, -1, -1, dtype=np.int64)
        return np.asarray(digits[:, start:stop].astype(np.int64) @ powers)

    year = field("Y", 1900) if "y" not in spans else _century(field("y", 0))
    month, day = field("m", 1), field("d", 1)
    hour, minute, second = field("H", 0), field("M", 0), field("S", 0)
    good &= (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    good &= (year > 1824) & (year < 2116)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[D]").astype(np.int64)
    good &= (day >= 1) & (day <= following - first)
    seconds = (first + day - 1) * 86400 + hour * 3600 + minute * 60 + second - _zone_s(match.groupdict().get("z"))
    scale = 10 ** (9 - (spans["f"][1] - spans["f"][0])) if "f" in spans else 1
    return np.where(good, seconds, 0) * NS_PER_S + field("f", 0) * scale, good


def _packed(cells: Cells) -> NDArray[np.uint8] | None:
    """Return texts (B,) as zero padded bytes (B, longest); None if they are too long or not ASCII."""
    if isinstance(cells, np.ndarray):
        array = np.ascontiguousarray(cells)
        if array.dtype.kind != "S":
            return None
    else:
        if not cells or max(map(len, cells)) > _MAX_CELL:
            return None
        try:
            array = np.array(cells, dtype=np.bytes_)
        except UnicodeEncodeError:
            return None
    if not array.size or not array.dtype.itemsize:
        return None
    return array.view(np.uint8).reshape(len(array), -1)


def _lengths(packed: NDArray[np.uint8]) -> Times:
    """Return the lengths (B,) of zero padded texts."""
    longest = int(np.flatnonzero(packed.any(axis=0)).max(initial=-1)) + 1
    if longest and packed[:, longest - 1].all():  # fast path: all texts have one length
        return np.full(len(packed), longest, np.int64)
    used = packed != 0
    return np.where(used.any(axis=1), packed.shape[1] - np.argmax(used[:, ::-1], axis=1), 0)


def _numbers_of(cells: Cells) -> NDArray[Any]:
    try:
        if isinstance(cells, np.ndarray) or max(map(len, cells), default=0) <= _MAX_CELL:
            return np.array(cells, dtype=np.bytes_).astype(np.int64)
        raise OverflowError
    except (ValueError, OverflowError, UnicodeEncodeError):
        texts = [c.decode("latin-1") if isinstance(c, bytes) else str(c) for c in cells]
        return floats_of([text.replace(",", ".") for text in texts], ".", lambda _: None)


def _strptime(text: str, time_format: str) -> int:
    try:
        moment = datetime.strptime(text, time_format)
    except ValueError:
        return NO_TIME
    moment = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment
    passed = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    time_ns = (passed.days * 86400 + passed.seconds) * NS_PER_S + passed.microseconds * 1000
    return time_ns if abs(time_ns) < MAX_ABS_NS else NO_TIME


def _century(year: Times) -> Times:
    return year + np.where(year < 69, 2000, 1900)


def _year(found: dict[str, str | None]) -> int:
    if found.get("y") is not None:
        return int(_century(np.array([int(found["y"] or 0)]))[0])
    return int(found.get("Y") or 1900)


def _zone_s(zone: str | None) -> int:
    if zone is None or zone in {"Z", "z", "UTC"}:
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds
