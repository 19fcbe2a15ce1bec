"""Finds codecs by name among the entry points of the group `vcedge.codecs`: those of this package and plug-ins.

A plug-in is code from elsewhere, so its results are checked: the service gets a valid Reading or Undecodable.
"""

from __future__ import annotations

import math
from importlib.metadata import EntryPoint, entry_points

from vcedge.config.runtime import RuntimeConfig
from vcedge.errors import ConfigError
from vcedge.history.times import MAX_ABS_NS
from vcedge.runtime.codecs.reading import Codec, Limits, Reading, Undecodable

GROUP = "vcedge.codecs"
OWN = "vcedge.runtime.codecs."
"""Prefix of this package's codecs, whose tests show that they return valid readings only."""
MAX_REASON = 200
"""Characters of a reason."""


class Decoder:
    """Decodes messages with a codec, within limits, and checks what a plug-in returns."""

    def __init__(self, name: str, codec: Codec, limits: Limits, *, trusted: bool = False) -> None:
        self._name, self._codec, self._limits, self._trusted = name, codec, limits, trusted

    def __call__(self, payload: bytes) -> Reading:
        """Return the content of a message. Raises Undecodable, and nothing else."""
        limits = self._limits
        if len(payload) > limits.max_bytes:
            raise Undecodable(f"{len(payload)} bytes, expected at most {limits.max_bytes}")
        if self._trusted:
            return self._codec(payload, limits)
        try:
            reading = self._codec(payload, limits)
            fault = _fault(reading)
        except Undecodable as reason:
            raise Undecodable(_one_line(reason)) from None
        except (Exception, SystemExit) as error:
            raise Undecodable(_one_line(f"codec '{self._name}' failed: {type(error).__name__}: {error}")) from error
        if fault:
            raise Undecodable(f"codec '{self._name}' returned {fault}")
        limits.check(len(reading.columns), reading.rows)
        return reading


def decoder_of(config: RuntimeConfig) -> Decoder:
    """Return the decoder of a configuration. Raises ConfigError as `open_decoder` does."""
    limits = Limits(config.input.max_bytes, config.input.max_channels, config.input.max_rows)
    return open_decoder(config.input.codec_name, limits, f"{config.source}: key 'input.codec'")


def open_decoder(name: str, limits: Limits, key: str) -> Decoder:
    """Return the decoder with the codec of this name; `key` is the source of the name, for messages.

    Raises ConfigError that names the installed codecs, or what is wrong with the plug-in.
    """
    found = entry_points(group=GROUP, name=name)
    if not found:
        names = ", ".join(sorted({point.name for point in entry_points(group=GROUP)})) or "none"
        raise ConfigError(f"{key} is '{name}', expected an installed codec: {names}")
    if len({point.value for point in found}) > 1:
        origins = ", ".join(sorted(map(_origin, found)))
        raise ConfigError(f"{key}: several packages have a codec '{name}', expected one: {origins}")
    point = next(iter(found))
    try:
        codec = point.load()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{key}: codec {_origin(point)} cannot be loaded: {_one_line(f'{type(error).__name__}: {error}')}"
        ) from error
    if not callable(codec):
        raise ConfigError(f"{key}: codec {_origin(point)} is of type {type(codec).__name__}, expected a function")
    return Decoder(name, codec, limits, trusted=point.module.startswith(OWN))


def _origin(point: EntryPoint) -> str:
    package = f" of {point.dist.name}" if point.dist is not None else ""
    return f"'{point.name}' ({point.value}){package}"


def _one_line(words: object) -> str:
    """Return a plug-in's text as one printable line of at most MAX_REASON characters."""
    text = " ".join(str(words)[: 2 * MAX_REASON].split())
    return "".join(c if c.isprintable() else "?" for c in text)[:MAX_REASON]


def _fault(reading: object) -> str:
    """Return what is wrong with the result of a plug-in; empty if it is valid."""
    if not isinstance(reading, Reading):
        return f"a {type(reading).__name__}, expected a Reading"
    times = reading.times_ns
    if times is not None and not (
        isinstance(times, tuple) and times and all(type(t) is int and abs(t) < MAX_ABS_NS for t in times)
    ):
        return "times that are not a tuple of integers of nanoseconds"
    if reading.rows > 1 and not reading.block:
        return "several samples that are not a block"
    columns: object = reading.columns
    if not isinstance(columns, dict):
        return "columns that are not a dictionary"
    for name, values in columns.items():
        if not isinstance(name, str) or not _is_unicode(name):
            return "the name of a channel that is not Unicode"
        if not isinstance(values, list) or len(values) != reading.rows:
            return f"a column that is not a list of {reading.rows} values"
        if not all(type(value) is float and not math.isinf(value) for value in values):
            return "a value that is not a finite float or NaN"
    return ""


def _is_unicode(name: str) -> bool:
    """Return whether a string can be encoded: half of a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in name)
