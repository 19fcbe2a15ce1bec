"""Settings that people change while the service runs: threshold, compute policy, inhibition, and the compute stage.

A message replaces one setting completely: a key that it leaves out gets its default. It is either applied or refused,
with a reason, never applied in part. No input or output, and no clock.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from vcedge.config.problems import explain, shown
from vcedge.config.strict import Strict
from vcedge.errors import DataError, first_line
from vcedge.runtime.assets.companions import Companions
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.stream.stream import Stream
from vcedge.strict_json import parse_json

MAX_PAYLOAD = 1024
"""Size limit of a message, in bytes."""
LOOSEST = 100.0
"""Largest factor on the scheduler's odds; its inverse is the smallest. Beyond them nothing changes."""
MOST_ALARMS = 10_000.0
LAST_MS = 9_000_000_000_000.0
"""The year 2255: later times do not fit into 64 bits of nanoseconds."""
_NS_PER_MS = 1_000_000


class Refused(DataError):
    """Says that a setting is refused; the text is the reason that the sender gets."""


class ThresholdSetting(Strict):
    """Sets a fixed threshold, an adaptive one by its events a day, or with neither the configured one."""

    raw: float | None = Field(default=None, gt=0)
    false_alarms_per_day: float | None = Field(default=None, gt=0, le=MOST_ALARMS)

    @model_validator(mode="after")
    def _is_one(self) -> ThresholdSetting:
        if self.raw is not None and self.false_alarms_per_day is not None:
            raise ValueError("expected raw or false_alarms_per_day, not both")
        return self


class ComputeSetting(Strict):
    """Sets how much of the network is computed. A surprise always computes all of it."""

    policy: Literal["auto", "full"] = "auto"
    min_level: int = Field(default=1, ge=1)
    looseness: float = Field(default=1.0, ge=1 / LOOSEST, le=LOOSEST)
    """Factor on the scheduler's odds m/(1 - m) (Jernite et al. 2017, eq. 7), and on the budget, which would undo it."""


class InhibitSetting(Strict):
    """Suppresses alarms for samples before a time."""

    until: float | None = Field(default=None, ge=0, le=LAST_MS)
    """Milliseconds since 1970, compared with the samples' times; null or 0 ends the inhibition."""

    @property
    def until_ns(self) -> int:
        """The time in nanoseconds, rounded to the microsecond; 0: none."""
        fraction, whole = math.modf(self.until or 0.0)
        return int(whole) * _NS_PER_MS + round(fraction * 1000) * 1000


class StageSetting(Strict):
    """Moves the asset to a compute stage, and holds it there or lets it advance."""

    stage: int | None = Field(default=None, ge=0)
    """Counted from 0; absent: the present one."""
    hold: bool = False


SettingKind = Literal["threshold", "compute", "inhibit", "stage"]
Setting = ThresholdSetting | ComputeSetting | InhibitSetting | StageSetting
Message = TypeVar("Message", bound=Strict)
KINDS: dict[SettingKind, type[Setting]] = {
    "threshold": ThresholdSetting,
    "compute": ComputeSetting,
    "inhibit": InhibitSetting,
    "stage": StageSetting,
}


def kind_of(word: str) -> SettingKind:
    """Return the setting that a topic names. Raises Refused."""
    for kind in KINDS:
        if kind == word:
            return kind
    raise Refused(f"no setting {shown(word)}, expected one of: {', '.join(KINDS)}")


def parse_setting(kind: SettingKind, payload: bytes) -> Setting:
    """Parse a message on the `set` topic of a setting. Raises Refused."""
    return parse_message(KINDS[kind], kind, payload)


def parse_message(form: type[Message], name: str, payload: bytes, most: int = MAX_PAYLOAD) -> Message:
    """Parse a message on the topic `NAME/set`; `null` is the same as `{}`. Raises Refused."""
    if len(payload) > most:
        raise Refused(f"{len(payload)} bytes, expected at most {most}")
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None
    try:
        raw = {} if text.strip() == "null" else parse_json(text, name, "the message")
        return form.model_validate(raw, strict=True)
    except ValidationError as error:
        reason = explain(error, form, raw, lambda _: name)
    except DataError as error:
        reason = str(error)
    raise Refused(first_line(reason).removeprefix(f"{name}: "))


class Settings:
    """Applies settings to the streams of one asset, and remembers the requested ones."""

    def __init__(self, stream: Stream, threshold: float | None = None, companions: Companions | None = None) -> None:
        """Manage the settings of a stream; `threshold` is the configured one, None for the calibrated one."""
        self._stream, self._configured = stream, threshold
        self._companions = companions or Companions()
        self._given: dict[SettingKind, Setting] = {}
        """Settings made by hand, as they were requested; the streams hold their effects."""
        self.policy = AS_TRAINED
        """The compute policy of the next row."""

    def __contains__(self, kind: SettingKind) -> bool:
        """Return whether it was set by hand, even to its default. The stage always counts, since it moves by itself."""
        return kind in self._given or kind == "stage"

    @property
    def kinds(self) -> list[SettingKind]:
        """The settings that the asset has."""
        return [kind for kind in KINDS if kind != "stage" or self._companions.stages is not None]

    def set(self, kind: SettingKind, setting: Setting) -> bool:
        """Apply a setting; return whether that changed anything. Raises Refused.

        Resetting the threshold to the configured one restarts its adaptation each time.
        """
        if setting == self._given.get(kind) and setting != ThresholdSetting():
            return False
        self._apply(setting)
        if kind != "stage":  # the stages hold their own state
            self._given[kind] = setting
        return True

    def state(self, kind: SettingKind) -> dict[str, Any]:
        """Return a setting in force, and its effects, as JSON values."""
        if kind == "stage":
            return {} if self._companions.stages is None else self._companions.stages.report()
        setting = self._given.get(kind) or KINDS[kind]()
        values = {**setting.model_dump(), "set": kind in self}
        stream = self._stream
        if kind == "threshold":
            return {**values, "threshold": stream.threshold, "calibrated": stream.detector.calibration.threshold}
        if kind == "compute":
            return {**values, "levels": stream.detector.levels}
        until_ns = stream.inhibition.until_ns
        return {**values, "until": milliseconds(until_ns) if until_ns else None}

    def snapshot(self) -> dict[str, Any]:
        """Return what was set by hand as JSON values; `restore` is the inverse."""
        return {kind: setting.model_dump() for kind, setting in self._given.items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Apply all settings of a snapshot. The stream's own snapshot has to be restored after that.

        Raises ValueError or Refused for anything else.
        """
        for kind in KINDS:
            if kind in snapshot:
                self.set(kind, KINDS[kind].model_validate(snapshot[kind], strict=True))

    def _apply(self, setting: Setting) -> None:
        stream = self._stream
        if isinstance(setting, InhibitSetting):
            for each in (stream, *self._companions.streams):
                each.inhibition.inhibit(setting.until_ns)
        elif isinstance(setting, ComputeSetting):
            self._compute(setting)
        elif isinstance(setting, StageSetting):
            self._move(setting)
        elif setting == ThresholdSetting():
            stream.set_threshold(self._configured)
        else:
            stream.set_threshold(setting.raw, setting.false_alarms_per_day)

    def _compute(self, setting: ComputeSetting) -> None:
        levels = self._stream.detector.levels
        if setting.min_level > levels:
            raise Refused(f"key 'min_level' is {setting.min_level}, expected at most {levels}, the levels of the model")
        floor = levels if setting.policy == "full" else setting.min_level
        self.policy = ComputePolicy(floor, math.log(setting.looseness))

    def _move(self, setting: StageSetting) -> None:
        if self._companions.stages is None:
            raise Refused("the configuration has no stages for this asset (key assets.NAME.stages)")
        try:
            self._companions.stages.move(setting.stage, hold=setting.hold)
        except ValueError as error:
            raise Refused(str(error)) from None
