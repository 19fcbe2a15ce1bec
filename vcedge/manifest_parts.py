"""Checks the parts of a model file's manifest: keys, types and ranges, as docs/model-format.md specifies them."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from vcedge.config.problems import shown
from vcedge.detector import DENSE_KINDS, CellKind, CellSpec
from vcedge.schema import Role
from vcedge.strict_json import first_repeated

INT32, INT64 = 2**31 - 1, 2**63 - 1


def _positive(values: list[float]) -> list[float]:
    wrong = next((value for value in values if value <= 0), None)
    if wrong is not None:
        raise ValueError(f"expected numbers greater than 0, found {wrong}")
    return values


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, le=INT32)]
Nanoseconds = Annotated[int, Field(gt=0, le=INT64)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
Scales = Annotated[list[float], AfterValidator(_positive)]


class Part(BaseModel):
    """Checks a part of the manifest: exactly these keys, and no conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ChannelPart(Part):
    """Checks one channel."""

    name: str = Field(min_length=1)
    unit: str
    low: float | None
    high: float | None
    rate: float | None = Field(default=None, gt=0)
    role: Role

    @model_validator(mode="after")
    def _limits_in_order(self) -> ChannelPart:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"expected low {self.low} below high {self.high}")
        return self


class SchemaPart(Part):
    """Checks the channels and the spacing of samples."""

    channels: list[ChannelPart] = Field(min_length=1)
    period_ns: Nanoseconds
    max_gap_ns: Nanoseconds

    @model_validator(mode="after")
    def _names_differ(self) -> SchemaPart:
        twice = first_repeated(channel.name for channel in self.channels)
        if twice is not None:
            raise ValueError(f"expected different channel names, found {shown(twice)} twice")
        return self


class FeaturesPart(Part):
    """Checks the feature statistics of each channel."""

    center: list[float]
    scale: Scales
    change_scale: Scales
    clip: Positive
    flags: bool


class HighwayPart(Part):
    """Checks the order of the linear forecaster and the ridge that it was fitted with."""

    order: int = Field(ge=1, le=INT32)
    ridge: Positive


class CellPart(Part):
    """Checks the shape of the cell."""

    kind: CellKind
    inputs: int = Field(ge=1, le=INT32)
    hidden: int = Field(ge=1, le=INT32)
    boundaries: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    gate_bias: float

    @model_validator(mode="after")
    def _boundaries_fit(self) -> CellPart:
        sizes = self.boundaries
        if sizes[-1] != self.hidden or any(b <= a for a, b in pairwise(sizes)):
            text = f"boundaries {shown(sizes)}, expected increasing numbers that end at hidden {self.hidden}"
            raise ValueError(text)
        if self.kind in DENSE_KINDS and len(sizes) > 1:
            raise ValueError(f"boundaries {shown(sizes)}, expected only [{self.hidden}] for a {self.kind}")
        return self

    @property
    def spec(self) -> CellSpec:
        """Shape as a detector holds it."""
        return CellSpec(self.kind, self.inputs, self.hidden, tuple(self.boundaries))


class PromisePart(Part):
    """Checks the false events that the decision rule gave on normal rows, by its margin."""

    reference: float
    margins: list[float] = Field(min_length=1)
    events: list[Count] = Field(min_length=1)

    @model_validator(mode="after")
    def _lists_agree(self) -> PromisePart:
        if len(self.margins) != len(self.events) or any(b <= a for a, b in pairwise(self.margins)):
            raise ValueError("expected increasing margins, and as many events")
        return self


class EventRulePart(Part):
    """Checks when rows become an event."""

    release: float = Field(gt=0, le=1)
    min_rows: int = Field(ge=1, le=INT32)
    hold_rows: Count


class CalibrationPart(Part):
    """Checks the limits."""

    threshold: Positive
    steepness: Positive
    surprise_limit: Positive
    surprise_ticks: Count
    warmup_rows: Count
    stuck_rows: list[Count]
    false_alarms_per_day: Positive
    wanted_per_day: Positive
    rows: int = Field(ge=0, le=INT64)
    target_share: float = Field(gt=0, le=1)
    median: float
    memory: Positive
    lasting: float
    promise: PromisePart
    events: EventRulePart


class SeenPart(Part):
    """Checks the range of each channel in training."""

    low: list[float]
    high: list[float]
    margin_low: list[Annotated[float, Field(ge=0)]]
    margin_high: list[Annotated[float, Field(ge=0)]]

    @model_validator(mode="after")
    def _ranges_in_order(self) -> SeenPart:
        wrong = next((pair for pair in zip(self.low, self.high, strict=False) if pair[0] > pair[1]), None)
        if wrong is not None:
            raise ValueError(f"expected low {wrong[0]} not above high {wrong[1]}")
        return self


class ResemblancePart(Part):
    """Checks the kinds of faults that events are compared with, and their names."""

    kinds: list[Name] = Field(min_length=1)
    names: list[Name] = Field(min_length=1)
    limit: Positive

    @model_validator(mode="after")
    def _kinds_are_named(self) -> ResemblancePart:
        twice = first_repeated(self.kinds)
        if twice is not None:
            raise ValueError(f"expected different kinds, found {shown(twice)} twice")
        if len(self.names) != len(self.kinds):
            raise ValueError(f"expected as many names as kinds, found {len(self.names)} for {len(self.kinds)}")
        return self
