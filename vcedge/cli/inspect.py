"""`vcedge inspect`: describes a model or an exported file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vcedge.cli.console import print_json, print_table
from vcedge.errors import UsageError
from vcedge.wording import alarm_rate, count, listed

if TYPE_CHECKING:
    from vcedge.detector import Detector

SHORT_ID = 12


def inspect_command(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A model.vcedge, or a file exported from one.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the same and more as JSON on stdout.")] = False,
    engines: Annotated[
        bool, typer.Option("--engines", help="List the engines of this machine, and why others are missing.")
    ] = False,
) -> None:
    """Describe a model or an exported file: machine, channels, network, limits, and origin.

    The file is read as strictly as the service reads it: a file that is shown here also runs.

    \b
    Example:
      vcedge inspect model.vcedge
      vcedge inspect model.vcedge --json | jq .calibration.threshold
      vcedge inspect --engines
    """
    if engines:
        _inspect_engines(file, as_json=json)
        return
    if file is None:
        raise UsageError("expected a FILE such as model.vcedge, or --engines")
    from vcedge.model_file import model_id
    from vcedge.runtime.exported.artifact import read_artifact

    artifact = read_artifact(file)
    description = describe(artifact.detector, str(file), model_id(artifact.data), len(artifact.data))
    if artifact.graph is not None:
        graph = {**vars(artifact.graph), "model": model_id(artifact.model), "words": artifact.graph.words}
        description = {**description, "type": artifact.graph.to, "graph": graph}
    if json:
        print_json(description)
    else:
        print_table(rows_of(description), title=str(file))


def _inspect_engines(file: Path | None, *, as_json: bool) -> None:
    from vcedge.runtime.engine.native_support import native_problem, native_sets, native_status
    from vcedge.runtime.engine.registry import ENGINES

    if file is not None:
        raise UsageError(f"--engines describes this machine, expected no FILE beside it such as {file}")
    if as_json:
        print_json({"engines": list(ENGINES), "kernel": {"sets": native_sets(), "problem": native_problem()}})
    else:
        print_table(
            [("engines", ", ".join(ENGINES)), ("auto", next(iter(ENGINES))), ("native kernel", native_status())],
            title="engines",
        )


def describe(detector: Detector, file: str, identity: str, size: int) -> dict[str, Any]:
    """Return everything about a model but its arrays of weights, as JSON values."""
    from vcedge.manifest import manifest_of
    from vcedge.schema import NS_PER_S
    from vcedge.tensors import tensors_of

    manifest = manifest_of(detector)
    features = manifest["features"]
    statistics = zip(features["center"], features["scale"], strict=True)
    channels = [
        {**channel, "center": center, "scale": scale}
        for channel, (center, scale) in zip(manifest["schema"]["channels"], statistics, strict=True)
    ]
    cell = None
    if detector.cell is not None:
        cell = {**manifest["cell"], "levels": detector.levels, "target": _target(detector)}
    return {
        "file": file,
        "type": "model",
        "format": manifest["format"],
        "id": identity,
        "bytes": size,
        "parameters": sum(int(tensor.size) for tensor in tensors_of(detector).values()),
        "macs": {
            "full": detector.macs(detector.hidden),
            "levels": [] if cell is None else [detector.macs(k) for k in detector.boundaries],
        },
        "asset": detector.asset,
        "period_s": detector.schema.period_ns / NS_PER_S,
        "max_gap_s": detector.schema.max_gap_ns / NS_PER_S,
        "channels": channels,
        "missing_flags": detector.features.flags,
        "highway": manifest["highway"],
        "cell": cell,
        "scorer": manifest["scorer"],
        "seen": manifest["seen"],
        "calibration": manifest["calibration"],
        "reading": manifest["reading"],
        "provenance": manifest["provenance"],
    }


def rows_of(description: dict[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of the description for people."""
    calibration, cell = description["calibration"], description["cell"]
    size = f"{description['bytes']:,} bytes, {description['parameters']:,} parameters"
    rows = [
        ("asset", description["asset"]),
        ("id", f"sha256:{description['id'].removeprefix('sha256:')[:SHORT_ID]}"),
        *_graph_rows(description),
        ("format", f"{description['format']}, {size}"),
        ("period", f"{description['period_s']:g} s; a pause of more than {description['max_gap_s']:g} s is a gap"),
        ("channels", str(len(description["channels"]))),
    ]
    rows += [(f"  {channel['name']}", _channel_words(channel)) for channel in description["channels"]]
    rows.append(("highway", f"linear, {description['highway']['order']} past samples"))
    if cell is None:
        rows.append(("cell", "none: the linear detector alone"))
    else:
        target = "" if cell["target"] is None else f", target {cell['target']:.0%} updated"
        rows.append(("cell", f"{cell['kind']}, {cell['hidden']} hidden, {cell['inputs']} inputs"))
        rows.append(("levels", f"{', '.join(map(str, cell['boundaries']))} dimensions{target}"))
    rows += _scorer_rows(description["scorer"])
    rate, rows_used = alarm_rate(calibration["false_alarms_per_day"]), count(calibration["rows"], "row")
    rows.append(("threshold", f"{calibration['threshold']:g} nats, for {rate}"))
    warm_up = f"the first {calibration['warmup_rows']} after a reset are warm-up"
    rows.append(("calibrated on", f"{rows_used}; {warm_up}"))
    return rows + _provenance_rows(description["provenance"])


def _graph_rows(description: dict[str, Any]) -> list[tuple[str, str]]:
    """Return layout and model of an exported file; nothing for a model."""
    graph = description.get("graph")
    if graph is None:
        return []
    return [("graph", graph["words"]), ("of model", graph["model"][: len("sha256:") + SHORT_ID])]


def _scorer_rows(scorer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the statistic reads."""
    distance, cycle = scorer["distance"], scorer["cycle"]
    rows = [("scorer", f"{len(scorer['weights'])} readings, smoothed over {scorer['span']:g} samples")]
    if distance is not None:
        rows.append(("distance", f"to the nearest of {distance['centroids']} groups of rows seen in training"))
    if cycle is not None:
        rows.append(("cycle", f"{cycle['block'] * cycle['blocks']:,} samples, in {count(cycle['blocks'], 'block')}"))
    return rows


def _channel_words(channel: dict[str, Any]) -> str:
    unit = f" {channel['unit']}" if channel["unit"] else ""
    if channel["role"] == "constant":
        return f"constant at {channel['center']:.4g}{unit}"
    words = f"{channel['center']:.4g} ± {channel['scale']:.4g}{unit}"
    if channel["role"] == "command":
        words = f"command, {words}"
    if channel["low"] is None and channel["high"] is None:
        return words
    low, high = ("open" if limit is None else f"{limit:g}" for limit in (channel["low"], channel["high"]))
    return f"{words}, limits {low} to {high}"


def _provenance_rows(provenance: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what the model states about its origin, unchecked: a model from elsewhere may state anything."""
    rows = []
    files, versions, seed = (provenance.get(key) for key in ("files", "versions", "seed"))
    if isinstance(files, list):
        names = [str(item.get("name")) if isinstance(item, dict) else str(item) for item in files]
        rows.append(("trained on", listed(names, 3)))
    if isinstance(versions, dict):
        rows.append(("trained with", ", ".join(f"{name} {version}" for name, version in versions.items())))
    if seed is not None:
        rows.append(("seed", str(seed)))
    return rows


def _target(detector: Detector) -> float | None:
    """Return the mean share of dimensions that training aimed at; None if the provenance does not state it."""
    config = detector.provenance.get("config")
    model = config.get("model") if isinstance(config, dict) else None
    target = model.get("target") if isinstance(model, dict) else None
    return float(target) if isinstance(target, int | float) else None
