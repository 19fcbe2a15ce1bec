"""Defines the manifest of a model file: its keys, types and ranges; reads it, and writes that of a detector.

docs/model-format.md specifies it. Exported files carry a manifest too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vcedge.config.problems import explain, shown
from vcedge.detector import DENSE_KINDS, CellKind, CellSpec, Detector, PartKind, Scorer
from vcedge.errors import ModelFileError, first_line
from vcedge.strict_json import first_repeated, parse_json

FORMAT = 1
WEIGHTS_ERROR = 1e-6
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


class _Part(BaseModel):
    """Checks a part of the manifest: exactly these keys, and no conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ChannelPart(_Part):
    """Checks one channel."""

    name: str = Field(min_length=1)
    unit: str
    low: float | None
    high: float | None
    rate: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _limits_in_order(self) -> ChannelPart:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"expected low {self.low} below high {self.high}")
        return self


class SchemaPart(_Part):
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


class FeaturesPart(_Part):
    """Checks the feature statistics of each channel."""

    center: list[float]
    scale: Scales
    change_scale: Scales
    clip: Positive
    flags: bool


class HighwayPart(_Part):
    """Checks the order of the linear forecaster and the ridge that it was fitted with."""

    order: int = Field(ge=1, le=INT32)
    ridge: Positive


class CellPart(_Part):
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


class ScorerPartEntry(_Part):
    """Checks one part of the scorer."""

    name: str = Field(min_length=1)
    kind: PartKind
    span: float = Field(ge=1)
    weight: Positive
    usual: Positive


class HorizonPart(HighwayPart):
    """Checks the scorer's second forecaster."""

    ahead: int = Field(ge=1, le=INT32)


class ReconstructionPart(_Part):
    """Checks which rows are reconstructed, and from how many components."""

    lags: list[Count] = Field(min_length=1)
    components: int = Field(ge=1, le=INT32)

    @model_validator(mode="after")
    def _lags_increase(self) -> ReconstructionPart:
        if self.lags[0] != 0 or any(b <= a for a, b in pairwise(self.lags)):
            raise ValueError(f"lags {shown(self.lags)}, expected increasing numbers that begin with 0")
        return self


class ScorerManifest(_Part):
    """Checks the scorer."""

    parts: list[ScorerPartEntry] = Field(min_length=1)
    horizon: HorizonPart
    reconstruction: ReconstructionPart

    @model_validator(mode="after")
    def _parts_agree(self) -> ScorerManifest:
        twice = first_repeated(part.name for part in self.parts)
        if twice is not None:
            raise ValueError(f"expected different names of parts, found {shown(twice)} twice")
        total = sum(part.weight for part in self.parts)
        if abs(total - 1.0) > WEIGHTS_ERROR:
            raise ValueError(f"weights that sum to {total:g}, expected 1")
        return self


class UsualPart(_Part):
    """Checks the usual values of the statistic."""

    median: Positive
    width: Positive


class TailPart(_Part):
    """Checks the tail of the peaks of held-out events."""

    start: Positive
    scale: Positive
    shape: float = Field(ge=-1, le=1)
    peaks: Count
    floor: Positive


class EventRulePart(_Part):
    """Checks when rows become an event."""

    release: float = Field(gt=0, le=1)
    min_rows: int = Field(ge=1, le=INT32)
    hold_rows: Count


class CalibrationPart(_Part):
    """Checks the limits."""

    threshold: Positive
    steepness: Positive
    surprise_limit: Positive
    surprise_ticks: Count
    warmup_rows: Count
    stuck_rows: list[Count]
    false_alarms_per_day: Positive
    rows: int = Field(ge=0, le=INT64)
    target_share: float = Field(gt=0, le=1)
    usual: UsualPart
    tail: TailPart
    events: EventRulePart


class ResemblancePart(_Part):
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


class Manifest(_Part):
    """Checks the complete manifest."""

    format: int = Field(ge=1, le=FORMAT)
    asset: str = Field(min_length=1, pattern=r"^[^/+#\s]+$")
    sensors: SchemaPart = Field(alias="schema")
    features: FeaturesPart
    highway: HighwayPart
    cell: CellPart | None
    scorer: ScorerManifest
    calibration: CalibrationPart
    resemblance: ResemblancePart | None
    reading: dict[str, Any]
    provenance: dict[str, Any]

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return len(self.sensors.channels)

    @model_validator(mode="after")
    def _sizes_agree(self) -> Manifest:
        lists: dict[str, Sequence[float]] = {
            "features.center": self.features.center,
            "features.scale": self.features.scale,
            "features.change_scale": self.features.change_scale,
            "calibration.stuck_rows": self.calibration.stuck_rows,
        }
        for key, values in lists.items():
            if len(values) != self.channels:
                raise ValueError(f"key '{key}' has {len(values)} numbers, expected {self.channels}, one a channel")
        inputs = self.channels * (2 if self.features.flags else 1)
        if self.cell is not None and self.cell.inputs != inputs:
            raise ValueError(f"key 'cell.inputs' is {self.cell.inputs}, expected {inputs}")
        return self


def parse_manifest(text: str, name: str) -> Manifest:
    """Parse and check a manifest. Raises ModelFileError with one line that begins with `name`, the file's."""
    raw = parse_json(text, name, "manifest")
    version = raw.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ModelFileError(
            f"{name}: format version {version} is newer than {FORMAT}, the newest that this vcedge reads: update vcedge"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        lines = explain(error, Manifest, raw, lambda _: f"{name}: manifest")
        raise ModelFileError(first_line(lines)) from None


def manifest_of(detector: Detector) -> dict[str, Any]:
    """Return the manifest of a detector as plain JSON values."""
    features, calibration, cell = detector.features, detector.calibration, detector.cell
    resemblance = detector.resemblance
    return {
        "format": FORMAT,
        "asset": detector.asset,
        "schema": detector.schema.to_json(),
        "features": {
            "center": features.center.tolist(),
            "scale": features.scale.tolist(),
            "change_scale": features.change_scale.tolist(),
            "clip": float(features.clip),
            "flags": bool(features.flags),
        },
        "highway": {"order": detector.highway.order, "ridge": float(detector.highway.ridge)},
        "cell": None
        if cell is None
        else {
            "kind": cell.spec.kind,
            "inputs": cell.spec.inputs,
            "hidden": cell.spec.hidden,
            "boundaries": [int(k) for k in cell.spec.boundaries],
            "gate_bias": float(cell.gate_bias),
        },
        "scorer": _scorer(detector.scorer),
        "calibration": {
            "threshold": float(calibration.threshold),
            "steepness": float(calibration.steepness),
            "surprise_limit": float(calibration.surprise_limit),
            "surprise_ticks": int(calibration.surprise_ticks),
            "warmup_rows": int(calibration.warmup_rows),
            "stuck_rows": [int(rows) for rows in calibration.stuck_rows],
            "false_alarms_per_day": float(calibration.false_alarms_per_day),
            "rows": int(calibration.rows),
            "target_share": float(calibration.target_share),
            "usual": asdict(calibration.usual),
            "tail": asdict(calibration.tail),
            "events": asdict(calibration.events),
        },
        "resemblance": None
        if resemblance is None
        else {"kinds": list(resemblance.kinds), "names": list(resemblance.names), "limit": float(resemblance.limit)},
        "reading": dict(detector.reading),
        "provenance": dict(detector.provenance),
    }


def _scorer(scorer: Scorer) -> dict[str, Any]:
    horizon, reconstruction = scorer.horizon, scorer.reconstruction
    return {
        "parts": [asdict(part) for part in scorer.parts],
        "horizon": {"order": horizon.order, "ridge": float(horizon.ridge), "ahead": int(horizon.ahead)},
        "reconstruction": {
            "lags": [int(lag) for lag in reconstruction.lags],
            "components": len(reconstruction.components),
        },
    }


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return the manifest as text: sorted keys, ASCII, floats that read back to the same bits.

    Raises ValueError or TypeError for values that JSON cannot represent.
    """
    return json.dumps(manifest, sort_keys=True, allow_nan=False, separators=(",", ":"))
