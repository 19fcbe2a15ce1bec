"""Reads and writes model.vcedge, a detector as one safetensors file, as docs/model-format.md specifies.

Reading is strict: a file that deviates from the specification is refused with one line before anything is built.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as tensor_file

from vcedge.config.problems import shown
from vcedge.detector import Cell, Detector, Features, Head, Highway, all_finite
from vcedge.errors import InputNotFound, ModelFileError, first_line
from vcedge.files import write_atomic
from vcedge.limits import Calibration, EventRule, Promise
from vcedge.manifest import Manifest, manifest_of, manifest_text, parse_manifest
from vcedge.manifest_parts import CalibrationPart
from vcedge.manifest_scorer import ScorerPart
from vcedge.resemblance import FEATURES, Resemblance
from vcedge.schema import F32, Channel, SensorSchema
from vcedge.scorer import KINDS, TRACKS, Cycle, Distance, Reconstruction, Scorer
from vcedge.seen_range import SeenRange
from vcedge.strict_json import parse_json
from vcedge.tensors import TENSORS, part_of, tensors_of

KEY = "vcedge"
MAX_FILE = 2**30
MAX_HEADER = 2**24
Shapes = dict[str, tuple[int, ...]]


def save(detector: Detector, path: Path) -> None:
    """Write a model file atomically: a reader sees the old file or the new one.

    Raises ModelFileError for a detector that `load` would refuse (weights that are not finite, ...), OSError if writing
    fails.
    """
    data = dumps(detector)
    loads(data, str(path))
    write_atomic(path, data)


def dumps(detector: Detector) -> bytes:
    """Return the bytes of a model file, unchecked; the same detector gives the same bytes."""
    tensors = {name: np.ascontiguousarray(array) for name, array in sorted(tensors_of(detector).items())}
    return bytes(tensor_file.save(tensors, {KEY: manifest_text(manifest_of(detector))}))


def load(path: Path) -> Detector:
    """Load the detector in a file. Raises ModelFileError unless the file is valid, InputNotFound if there is none."""
    return loads(read(path), str(path))


def read(path: Path) -> bytes:
    """Return the bytes of a model file, so that `loads` and `model_id` get the same content. Raises like `load`."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe could block
            raise InputNotFound(f"{path}: not a regular file, expected a model file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise ModelFileError(f"{path}: larger than {MAX_FILE} bytes, expected a model file")
    return data


def model_id(source: Path | bytes) -> str:
    """Return `sha256:` and the SHA-256 of the file in hexadecimal. Raises like `load` if it cannot be read."""
    data = source if isinstance(source, bytes) else read(source)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def loads(data: bytes, name: str = "model") -> Detector:
    """Load the detector in the bytes of a file; messages begin with `name`. Raises ModelFileError."""
    header = _header(data, name)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise ModelFileError(f"{name}: a safetensors file without the metadata '{KEY}', expected a model file")
    if len(metadata) > 1:
        raise ModelFileError(f"{name}: metadata {shown(sorted(metadata))}, expected only '{KEY}'")
    manifest = parse_manifest(metadata[KEY], name)
    _check_shapes(header, tensor_shapes(manifest), name)
    try:
        tensors = tensor_file.load(data)
    except SafetensorError as error:
        raise ModelFileError(f"{name}: not a sound safetensors file: {first_line(error)}") from None
    _check_values(tensors, name)
    return detector_from(manifest, tensors, name)


def tensor_shapes(manifest: Manifest) -> Shapes:
    """Return the names and shapes of the tensors that a file with this manifest must hold."""
    C, scorer, cell, resemblance = manifest.channels, manifest.scorer, manifest.cell, manifest.resemblance
    sizes = {
        "C": C,
        "1 + P C": 1 + manifest.highway.order * C,
        "1 + O C": 1 + scorer.horizon.order * C,
        "K C": len(scorer.reconstruction.lags) * C,
        "M": scorer.reconstruction.components,
        "F": len(FEATURES),
        "KINDS": len(KINDS),
        "TRACKS": len(TRACKS),
        "2": 2,
    }
    parts = {"highway", "scorer", "scorer.horizon", "scorer.reconstruction"}
    if scorer.distance is not None:
        sizes["Z"] = scorer.distance.centroids
        parts.add("scorer.distance")
    if scorer.cycle is not None:
        parts.add("scorer.cycle")
    if cell is not None:
        spec = cell.spec
        sizes |= {"D": spec.hidden, "N": spec.inputs, "G": spec.gates, "R": spec.reset_biases}
        sizes["N + 3 C"] = spec.signals(C)
        parts |= {"cell", "head"}
    if resemblance is not None:
        sizes["E"] = len(resemblance.kinds)
        parts.add("resemblance")
    present = {name: tensor for name, tensor in TENSORS.items() if part_of(name) in parts}
    return {name: tuple(sizes[size] for size in tensor.shape) for name, tensor in present.items()}


def detector_from(manifest: Manifest, tensors: Mapping[str, F32], name: str = "model") -> Detector:
    """Return the detector of a checked manifest and the tensors that `tensor_shapes` requires."""
    channels = tuple(Channel(c.name, c.unit, c.low, c.high, c.rate, c.role) for c in manifest.sensors.channels)
    features, cell, seen = manifest.features, manifest.cell, manifest.seen
    named, resemblance = manifest.resemblance, None
    if named is not None:
        arrays = _arrays(tensors, "resemblance")
        resemblance = Resemblance(tuple(named.kinds), tuple(named.names), **arrays, limit=named.limit)
    return Detector(
        asset=manifest.asset,
        schema=SensorSchema(channels, manifest.sensors.period_ns, manifest.sensors.max_gap_ns),
        features=Features(
            center=np.array(features.center, np.float64),
            scale=np.array(features.scale, np.float64),
            change_scale=_exact_f32(features.change_scale, f"{name}: manifest: key 'features.change_scale'"),
            clip=features.clip,
            flags=features.flags,
        ),
        highway=Highway(**_arrays(tensors, "highway"), ridge=manifest.highway.ridge),
        cell=None if cell is None else Cell(cell.spec, **_arrays(tensors, "cell"), gate_bias=cell.gate_bias),
        head=None if cell is None else Head(**_arrays(tensors, "head")),
        scorer=_scorer(manifest.scorer, tensors),
        seen=SeenRange(**{name: np.array(values, np.float64) for name, values in seen}),
        calibration=_calibration(manifest.calibration),
        reading=manifest.reading,
        provenance=manifest.provenance,
        resemblance=resemblance,
    )


def _arrays(tensors: Mapping[str, F32], part: str) -> dict[str, Any]:
    """Return the arrays of one part by the names of its fields."""
    names = (name for name in TENSORS if name.rpartition(".")[0] == part)
    return {name.rpartition(".")[2]: tensors[name] for name in names}


def _scorer(manifest: ScorerPart, tensors: Mapping[str, F32]) -> Scorer:
    horizon, distance, cycle = manifest.horizon, manifest.distance, manifest.cycle
    return Scorer(
        span=manifest.span,
        **_arrays(tensors, "scorer"),
        usual=np.array(manifest.usual, np.float64),
        weights=np.array(manifest.weights, np.float64),
        line=manifest.line.line,
        horizon=Highway(**_arrays(tensors, "scorer.horizon"), ridge=horizon.ridge, ahead=horizon.ahead),
        reconstruction=Reconstruction(tuple(manifest.reconstruction.lags), **_arrays(tensors, "scorer.reconstruction")),
        distance=None
        if distance is None
        else Distance(**_arrays(tensors, "scorer.distance"), line=distance.line.line, weight=distance.weight),
        cycle=None
        if cycle is None
        else Cycle(cycle.block, cycle.blocks, **_arrays(tensors, "scorer.cycle"), line=cycle.line.line),
    )


def _calibration(part: CalibrationPart) -> Calibration:
    parts = {
        "stuck_rows": tuple(part.stuck_rows),
        "promise": Promise(part.promise.reference, tuple(part.promise.margins), tuple(part.promise.events)),
        "events": EventRule(**part.events.model_dump()),
    }
    return Calibration(**{**part.model_dump(), **parts})


def _header(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON header of a safetensors file after checking its length."""
    if len(data) < 8:
        raise ModelFileError(f"{name}: {len(data)} bytes, expected a model file")
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8:
        found = f"a header of {length} bytes in a file of {len(data)}"
        raise ModelFileError(f"{name}: {found}: not a model file, or cut short")
    if length > MAX_HEADER:
        raise ModelFileError(f"{name}: a header of {length} bytes, expected at most {MAX_HEADER}")
    try:
        text = data[8 : 8 + length].decode("utf-8")
    except UnicodeDecodeError:
        raise ModelFileError(f"{name}: the header is not UTF-8, expected a model file") from None
    return parse_json(text, name, "header")


def _check_shapes(header: Mapping[str, Any], expected: Shapes, name: str) -> None:
    """Raise ModelFileError unless the header lists exactly the expected tensors with their type and shape."""
    for tensor in sorted(set(expected) - set(header)):
        raise ModelFileError(f"{name}: tensor '{tensor}' is missing")
    for tensor in sorted(set(header) - set(expected)):
        raise ModelFileError(f"{name}: unknown tensor {shown(tensor)}, expected only those of the manifest")
    for tensor, shape in expected.items():
        info = header[tensor] if isinstance(header[tensor], dict) else {}
        found = (info.get("dtype"), info.get("shape"))
        if found != ("F32", list(shape)):
            text = " ".join(json.dumps(part)[:60] for part in found)
            raise ModelFileError(f"{name}: tensor '{tensor}' is {text}, expected \"F32\" {list(shape)}")


def _check_values(tensors: Mapping[str, NDArray[Any]], name: str) -> None:
    """Raise ModelFileError for a value outside of its tensor's range."""
    for tensor, array in sorted(tensors.items()):
        wrong, expected = ~np.isfinite(array), "a finite number"
        if TENSORS[tensor].values == "positive":
            wrong, expected = wrong | ~(array > 0), "a number greater than 0"
        elif TENSORS[tensor].values == "share":
            wrong, expected = wrong | ~((array >= 0) & (array <= 1)), "a number from 0 to 1"
        if wrong.any():
            place = [int(i) for i in np.argwhere(wrong)[0]]
            raise ModelFileError(
                f"{name}: tensor '{tensor}' holds {array[tuple(place)]} at {place}, expected {expected}"
            )


def _exact_f32(values: list[float], what: str) -> F32:
    """Return numbers (C,) that must be 32-bit floats already: rounding would change the model."""
    wide = np.array(values, np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    if not all_finite(narrow) or (narrow != wide).any():
        raise ModelFileError(f"{what} holds {wide[narrow != wide][0]}, expected 32-bit numbers")
    return narrow
