"""Checks the manifest of a model file, and writes that of a detector. docs/model-format.md specifies it.

Exported files carry a manifest too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import Field, ValidationError, model_validator

from vcedge.config.problems import explain
from vcedge.detector import Detector
from vcedge.errors import ModelFileError, first_line
from vcedge.limits import Calibration
from vcedge.manifest_parts import (
    CalibrationPart,
    CellPart,
    FeaturesPart,
    HighwayPart,
    Part,
    ResemblancePart,
    SchemaPart,
    SeenPart,
)
from vcedge.manifest_scorer import ScorerPart
from vcedge.scorer import Scorer
from vcedge.strict_json import parse_json

FORMAT = 2


class Manifest(Part):
    """Checks the complete manifest."""

    format: int = Field(ge=FORMAT, le=FORMAT)
    asset: str = Field(min_length=1, pattern=r"^[^/+#\s]+$")
    sensors: SchemaPart = Field(alias="schema")
    features: FeaturesPart
    highway: HighwayPart
    cell: CellPart | None
    scorer: ScorerPart
    seen: SeenPart
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
            "seen.low": self.seen.low,
            "seen.high": self.seen.high,
            "seen.margin_low": self.seen.margin_low,
            "seen.margin_high": self.seen.margin_high,
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
    if isinstance(version, int) and not isinstance(version, bool) and 0 < version < FORMAT:
        raise ModelFileError(
            f"{name}: format version {version} is older than {FORMAT}, which this vcedge reads: train it again, "
            "its statistic is another one"
        )
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        lines = explain(error, Manifest, raw, lambda _: f"{name}: manifest")
        raise ModelFileError(first_line(lines)) from None


def manifest_of(detector: Detector) -> dict[str, Any]:
    """Return the manifest of a detector as plain JSON values."""
    features, cell, resemblance = detector.features, detector.cell, detector.resemblance
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
        "seen": {name: values.tolist() for name, values in vars(detector.seen).items()},
        "calibration": _calibration(detector.calibration),
        "resemblance": None
        if resemblance is None
        else {"kinds": list(resemblance.kinds), "names": list(resemblance.names), "limit": float(resemblance.limit)},
        "reading": dict(detector.reading),
        "provenance": dict(detector.provenance),
    }


def _scorer(scorer: Scorer) -> dict[str, Any]:
    horizon, reconstruction, distance, cycle = scorer.horizon, scorer.reconstruction, scorer.distance, scorer.cycle
    return {
        "span": float(scorer.span),
        "usual": scorer.usual.tolist(),
        "weights": scorer.weights.tolist(),
        "line": asdict(scorer.line),
        "horizon": {"order": horizon.order, "ridge": float(horizon.ridge), "ahead": int(horizon.ahead)},
        "reconstruction": {
            "lags": [int(lag) for lag in reconstruction.lags],
            "components": len(reconstruction.components),
        },
        "distance": None
        if distance is None
        else {"centroids": len(distance.centroids), "line": asdict(distance.line), "weight": float(distance.weight)},
        "cycle": None
        if cycle is None
        else {"block": int(cycle.block), "blocks": int(cycle.blocks), "line": asdict(cycle.line)},
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "threshold": float(calibration.threshold),
        "steepness": float(calibration.steepness),
        "surprise_limit": float(calibration.surprise_limit),
        "surprise_ticks": int(calibration.surprise_ticks),
        "warmup_rows": int(calibration.warmup_rows),
        "stuck_rows": [int(rows) for rows in calibration.stuck_rows],
        "false_alarms_per_day": float(calibration.false_alarms_per_day),
        "wanted_per_day": float(calibration.wanted_per_day),
        "rows": int(calibration.rows),
        "target_share": float(calibration.target_share),
        "median": float(calibration.median),
        "memory": float(calibration.memory),
        "lasting": float(calibration.lasting),
        "promise": {
            "reference": float(calibration.promise.reference),
            "margins": [float(margin) for margin in calibration.promise.margins],
            "events": [int(events) for events in calibration.promise.events],
        },
        "events": asdict(calibration.events),
    }


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return the manifest as text: sorted keys, ASCII, floats that read back to the same bits.

    Raises ValueError or TypeError for values that JSON cannot represent.
    """
    return json.dumps(manifest, sort_keys=True, allow_nan=False, separators=(",", ":"))
