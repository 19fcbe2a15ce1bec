"""What people set of an asset while the service runs: threshold, computing, and a time without alarms.

A message says all of one setting: what it leaves out takes its default. It is taken whole or refused whole, with a
reason. No input or output, and no clock.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from vcedge.config.problems import explain, shown
from vcedge.config.strict import Strict
from vcedge.errors import DataError, first_line
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.stream.stream import Stream
from vcedge.strict_json import parse_json

MAX_PAYLOAD = 1024
"""Bytes of the largest message that is read."""
LOOSEST = 100.0
"""Largest factor on the scheduler's odds, and its inverse the smallest: beyond it every level is the same."""
MOST_ALARMS = 10_000.0
LAST_MS = 9_000_000_000_000.0
"""The year 2255: what is later has no time in nanoseconds."""
_NS_PER_MS = 1_000_000


class Refused(DataError):
    """A setting that is not taken; the text is the reason that goes back to whoever sent it."""


class ThresholdSetting(Strict):
    """`raw` as it stands, or what promises so many events a day and is adapted, or with neither the calibrated one."""

    raw: float | None = Field(default=None, gt=0)
    false_alarms_per_day: float | None = Field(default=None, gt=0, le=MOST_ALARMS)

    @model_validator(mode="after")
    def _is_one(self) -> ThresholdSetting:
        if self.raw is not None and self.false_alarms_per_day is not None:
            raise ValueError("expected raw or false_alarms_per_day, not both")
        return self


class ComputeSetting(Strict):
    """How much of the network is computed. A surprise gets all of it whatever is said here."""

    policy: Literal["auto", "full"] = "auto"
    min_level: int = Field(default=1, ge=1)
    looseness: float = Field(default=1.0, ge=1 / LOOSEST, le=LOOSEST)
    """Factor on the scheduler's odds m/(1 - m), eq. 7, and on what the budget allows (docs/decisions/0033)."""


class InhibitSetting(Strict):
    """No alarm for samples before this time."""

    until: float | None = Field(default=None, ge=0, le=LAST_MS)
    """Milliseconds since 1970 in the time of the samples; null or 0 ends it."""

    @property
    def until_ns(self) -> int:
        """In nanoseconds, to the microsecond; 0: none."""
        fraction, whole = math.modf(self.until or 0.0)
        return int(whole) * _NS_PER_MS + round(fraction * 1000) * 1000


Kind = Literal["threshold", "compute", "inhibit"]
Setting = ThresholdSetting | ComputeSetting | InhibitSetting
KINDS: dict[Kind, type[Setting]] = {
    "threshold": ThresholdSetting,
    "compute": ComputeSetting,
    "inhibit": InhibitSetting,
}


def kind_of(word: str) -> Kind:
    """The setting that a topic names. Raises Refused."""
    for kind in KINDS:
        if kind == word:
            return kind
    raise Refused(f"no setting {shown(word)}, expected one of: {', '.join(KINDS)}")


def parse_setting(kind: Kind, payload: bytes) -> Setting:
    """What a message on a `set` topic says; `null` is the same as `{}`. Raises Refused."""
    if len(payload) > MAX_PAYLOAD:
        raise Refused(f"{len(payload)} bytes, expected at most {MAX_PAYLOAD}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None
    try:
        raw = {} if text.strip() == "null" else parse_json(text, kind, "the message")
        return KINDS[kind].model_validate(raw, strict=True)
    except ValidationError as error:
        reason = explain(error, KINDS[kind], raw, lambda _: kind)
    except DataError as error:
        reason = str(error)
    raise Refused(first_line(reason).removeprefix(f"{kind}: "))


class Settings:
    """Of one stream: what was set, and its effect."""

    def __init__(self, stream: Stream, threshold: float | None = None) -> None:
        """`threshold` is the configuration's, None for the calibrated one."""
        self._stream = stream
        self._configured = threshold
        self._given: dict[Kind, Setting] = {}
        self.followers: list[Stream] = []
        """Streams of other models of the asset: alarms are inhibited in them as well."""
        self.min_level, self.logit_bias = 1, 0.0
        """The compute policy of the next row."""

    def __contains__(self, kind: Kind) -> bool:
        """Whether somebody has set it, be it to its default."""
        return kind in self._given

    def of(self, kind: Kind) -> Setting:
        """What holds; where nobody set it, the default."""
        return self._given.get(kind) or KINDS[kind]()

    def set(self, kind: Kind, setting: Setting) -> bool:
        """Set one; whether that changed anything. A threshold set back is adapted anew each time. Raises Refused."""
        if setting == self._given.get(kind) and setting != ThresholdSetting():
            return False
        self._apply(setting)
        self._given[kind] = setting
        return True

    def state(self, kind: Kind) -> dict[str, Any]:
        """What holds and what follows from it, as JSON values."""
        values = {**self.of(kind).model_dump(), "set": kind in self}
        stream = self._stream
        if kind == "threshold":
            return {**values, "threshold": stream.threshold, "calibrated": stream.detector.calibration.threshold}
        if kind == "compute":
            return {**values, "levels": stream.detector.levels}
        until_ns = stream.operation.until_ns
        return {**values, "until": milliseconds(until_ns) if until_ns else None}

    def snapshot(self) -> dict[str, Any]:
        """What was set, as JSON values; `restore` is the inverse. Until when alarms are inhibited the stream knows."""
        return {kind: setting.model_dump() for kind, setting in self._given.items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Set all of a snapshot, whatever the stream was before; its own comes after that.

        Raises ValueError or Refused where it is none.
        """
        for kind in KINDS:
            if kind in snapshot:
                setting = KINDS[kind].model_validate(snapshot[kind], strict=True)
                self._apply(setting)
                self._given[kind] = setting

    def _apply(self, setting: Setting) -> None:
        stream = self._stream
        if isinstance(setting, InhibitSetting):
            for each in (stream, *self.followers):
                each.operation.inhibit(setting.until_ns)
        elif isinstance(setting, ComputeSetting):
            self._compute(setting)
        elif setting == ThresholdSetting():
            stream.set_threshold(self._configured)
        else:
            if setting.raw is None and stream.detector.calibration.tail.peaks == 0:
                raise Refused("the model holds no tail to take false_alarms_per_day from: set raw, or train it again")
            stream.set_threshold(setting.raw, setting.false_alarms_per_day)

    def _compute(self, setting: ComputeSetting) -> None:
        levels = self._stream.detector.levels
        if setting.min_level > levels:
            raise Refused(f"key 'min_level' is {setting.min_level}, expected at most {levels}, the levels of the model")
        self.min_level = levels if setting.policy == "full" else setting.min_level
        self.logit_bias = math.log(setting.looseness)
