"""Reads files that can be run: a model.vcedge, or a graph exported from one, which carries the model in its metadata.

An exported file has three entries of metadata in any format: `vcedge` is the manifest, the same text as in the model;
`vcedge.model` has the bytes of the model.vcedge that it was made from; `vcedge.export` is a JSON object that describes
the graph (`GraphInfo`). So one file is enough: the parts outside the graph (highway, scorer, limits) come from the
model in it, which is checked as strictly as any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vcedge import model_file
from vcedge.config.problems import explain
from vcedge.detector import Detector
from vcedge.errors import ModelFileError, UsageError, first_line
from vcedge.manifest import manifest_of, manifest_text, parse_manifest
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import ENGINES, load_engine
from vcedge.strict_json import parse_json

MANIFEST, MODEL, EXPORT = "vcedge", "vcedge.model", "vcedge.export"
"""Keys of an exported file's metadata."""
GRAPH_FORMAT = 1
"""Version of the metadata EXPORT; the format of the manifest covers what the graph computes."""
Quantize = Literal["none", "int8"]

READERS = {"onnx": "vcedge.runtime.exported.onnx_file", "tflite": "vcedge.runtime.exported.tflite_file"}
"""Module of each format, with `metadata(data, name) -> dict[str, bytes]`, which needs no interpreter."""
INTERPRETERS = {"onnx": "vcedge.runtime.exported.onnx_engine", "tflite": "vcedge.runtime.exported.tflite_engine"}
"""Module of each engine that runs exported files, with `load(artifact) -> Engine`, which imports the interpreter."""


@dataclass(frozen=True)
class GraphInfo:
    """Describes an exported graph."""

    to: str
    """Format and the engine that runs it: `onnx` or `tflite`."""
    layout: str
    whole: bool = False
    """True if the graph is the complete detector, from raw values to the statistic; False for its network alone."""
    quantize: Quantize = "none"

    @property
    def words(self) -> str:
        """Description for people, such as "onnx, dense, network"."""
        parts = [self.to, self.layout, "whole detector" if self.whole else "network"]
        return ", ".join(parts if self.quantize == "none" else [*parts, self.quantize])


@dataclass(frozen=True)
class Artifact:
    """Holds a file that was read and checked. The parity gate checks that its graph computes the same as its model."""

    name: str
    """Path, for messages."""
    data: bytes
    detector: Detector
    model: bytes
    """Bytes of the model.vcedge: `data` itself, or what an exported file carries."""
    graph: GraphInfo | None = None
    """None for a model.vcedge."""


class _GraphPart(BaseModel):
    """Checks that the entry `vcedge.export` has exactly these keys."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=1, le=GRAPH_FORMAT)
    to: Literal["onnx", "tflite"]
    layout: str = Field(min_length=1, max_length=40)
    whole: bool
    quantize: Quantize


def read_artifact(path: Path) -> Artifact:
    """Read a model or an exported file. Raises ModelFileError unless it is sound, InputNotFound if there is none."""
    return artifact_of(model_file.read(path), str(path))


def artifact_of(data: bytes, name: str) -> Artifact:
    """Parse the bytes of a model or an exported file; messages begin with `name`. Raises ModelFileError."""
    to = format_of(data, name)
    if to is None:
        return Artifact(name, data, model_file.loads(data, name), data)
    metadata: Mapping[str, bytes] = import_module(READERS[to]).metadata(data, name)
    for key in (MANIFEST, EXPORT, MODEL):
        if key not in metadata:
            raise ModelFileError(f"{name}: metadata '{key}' is missing, expected a file that vcedge exported")
    manifest = _text(metadata, MANIFEST, name)
    parse_manifest(manifest, name)
    graph = _graph(_text(metadata, EXPORT, name), name)
    if graph.to != to:
        raise ModelFileError(f"{name}: key 'to' is '{graph.to}' in a file of the format {to}")
    detector = model_file.loads(metadata[MODEL], f"{name}: model")
    if manifest != manifest_text(manifest_of(detector)):
        raise ModelFileError(f"{name}: metadata '{MANIFEST}' differs from the manifest of the model in '{MODEL}'")
    return Artifact(name, data, detector, metadata[MODEL], graph)


def format_of(data: bytes, name: str) -> str | None:
    """Return `onnx` or `tflite` by the first bytes, else by the end of the name; None for a model.vcedge."""
    if data[4:8] == b"TFL3" or data[:4] == b"PK\x03\x04":  # a zip holds a family of step models
        return "tflite"
    if data[:1] == b"\x08" and data[8:9] != b"{":  # field 1 of a ModelProto; a safetensors header begins at 8
        return "onnx"
    suffix = Path(name).suffix
    return {".onnx": "onnx", ".tflite": "tflite", ".zip": "tflite"}.get(suffix)


def metadata_of(model: bytes, graph: GraphInfo) -> dict[str, bytes]:
    """Return the entries of metadata for a graph that was made from the model file with these bytes."""
    manifest = manifest_text(manifest_of(model_file.loads(model)))
    export = json.dumps({"format": GRAPH_FORMAT, **asdict(graph)}, sort_keys=True)
    return {MANIFEST: manifest.encode(), MODEL: model, EXPORT: export.encode()}


def engine_for(artifact: Artifact, name: str = "auto") -> Engine:
    """Return the engine of that name for a file; `auto` is the interpreter of its format for an exported file.

    The engines of models run an exported file too, by the model in it. Raises UsageError if the named engine does not
    run the file, Unavailable if the interpreter is not installed, ModelFileError if it refuses the graph.
    """
    graph = artifact.graph
    if graph is not None and name in ("auto", graph.to):
        engine: Engine = import_module(INTERPRETERS[graph.to]).load(artifact)
        return engine
    if name in INTERPRETERS:
        what = "a model.vcedge: see vcedge export" if graph is None else f"an exported file of the format {graph.to}"
        raise UsageError(f"engine '{name}' runs .{name} files, and {artifact.name} is {what}")
    if graph is not None and name not in ENGINES:
        raise UsageError(f"engine '{name}' is not available; for {artifact.name}: {', '.join([graph.to, *ENGINES])}")
    return load_engine(artifact.detector, name)


def load(path: str | Path, engine: str = "auto", *, network: bool = True) -> Engine:
    """Load a model or an exported file and return the engine that runs it, for `Stream`.

    Args:
        path: A model.vcedge, or an .onnx, .tflite or .tflite.zip file that was exported from one.
        engine: `numpy` or `native` run either kind of file, `onnx` and `tflite` an exported one of their format.
            `auto` is the fastest that is installed for a model, and the interpreter of its format for an exported file.
        network: If false, the network is switched off: forecaster and scorer alone decide.

    Returns:
        An immutable engine; any number of streams may share it. `engine.detector` holds the channels and limits.

    Raises:
        InputNotFound: There is no file, or it cannot be read.
        ModelFileError: The file is damaged, of a newer format, or not a model.
        UsageError: The engine is unknown or does not run this kind of file.
        Unavailable: The interpreter of the exported file is not installed.
    """
    artifact = read_artifact(Path(path))
    if network:
        return engine_for(artifact, engine)
    return load_engine(artifact.detector.without_network(), engine)


def _text(metadata: Mapping[str, bytes], key: str, name: str) -> str:
    try:
        return metadata[key].decode("utf-8")
    except UnicodeDecodeError:
        raise ModelFileError(f"{name}: metadata '{key}' is not UTF-8") from None


def _graph(text: str, name: str) -> GraphInfo:
    what = f"metadata '{EXPORT}'"
    raw = parse_json(text, name, what)
    version = raw.get("format")
    if isinstance(version, int) and version > GRAPH_FORMAT:
        raise ModelFileError(f"{name}: {what}: version {version} is newer than {GRAPH_FORMAT}: update vcedge")
    try:
        part = _GraphPart.model_validate(raw)
    except ValidationError as error:
        raise ModelFileError(first_line(explain(error, _GraphPart, raw, lambda _: f"{name}: {what}"))) from None
    return GraphInfo(part.to, part.layout, part.whole, part.quantize)
