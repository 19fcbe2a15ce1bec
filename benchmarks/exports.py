"""Exports models of real plants in every layout for `scripts/check-exports`, and measures the time that skipping saves.

python -m benchmarks.exports make FOLDER     trains briefly (parity does not depend on quality), exports, verifies
python -m benchmarks.exports [--json]        time of a step, each layout beside dense in the same interpreter
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.fitting import default_config
from benchmarks.detection.sets import SeriesSource
from tests.support.detectors import tiny_detector
from tests.support.exports import GEOMETRIC, exported, model_of
from vcedge.bench.break_even import BreakEven, break_even
from vcedge.detector import Detector
from vcedge.export.formats import ExportRequest, graph_of, writer_of
from vcedge.export.verify import verify
from vcedge.pinning import one_core
from vcedge.runtime.exported.artifact import Artifact, artifact_of
from vcedge.train.pipeline import train_detector

SETS, SIZES = ("SKAB", "SMD", "BATADAL"), (64, 128, 256)
LEVELS: dict[str, Any] = {"8": 8, "4": GEOMETRIC}
INT8_SIZE = 128
TIMED = {"onnx": (("branches",), (128, 256, 512, 1024)), "tflite": (("case", "family"), (64, 128, 256, 512))}
INPUTS, QUARTER = 16, 0.25


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench exports", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON on stdout")
    making = parser.add_subparsers(dest="command").add_parser("make", help="write models and exported files")
    making.add_argument("folder", type=Path)
    options = parser.parse_args()
    with one_core():
        if options.command == "make":
            make(options.folder)
            return
        rows = [row(found, hidden, to, layout) for found, hidden, to, layout in times()]
    if options.json:
        print(json.dumps({"rows": rows}, indent=2))


def make(folder: Path) -> None:
    """Write models and exported files, verify them in the installed interpreters, print a line of JSON for each."""
    for name in SETS:
        for hidden in SIZES:
            for words, levels in LEVELS.items():
                at = folder / f"{name}-{hidden}-{words}"
                at.mkdir(parents=True, exist_ok=True)
                _export_all(_model(name, hidden, levels), at, int8=hidden == INT8_SIZE)


def times() -> Iterator[tuple[BreakEven, int, str, str]]:
    """Yield the break-even of each layout that skips, on a model of 16 channels with random weights."""
    for to, (layouts, sizes) in TIMED.items():
        for hidden in sizes:
            model = model_of(tiny_detector(channels=INPUTS, hidden=hidden, levels=8))
            for layout in layouts:
                yield break_even(model, exported(model, to, layout), rounds=200), hidden, to, layout


def row(found: BreakEven, hidden: int, to: str, layout: str) -> dict[str, Any]:
    """Print one line of the table and return it."""
    us = found.us[[k / hidden for k in found.boundaries].index(QUARTER)]
    faster = found.dense_us / us
    int8 = "-" if found.dense_int8_us is None else f"{found.dense_int8_us:.1f}"
    numbers = f"25% {us:6.1f} us, dense {found.dense_us:6.1f} us, dense int8 {int8} us: {faster:.2f} times as fast"
    print(f"{to:<7} {layout:<9} D={hidden:<5} {numbers}", file=sys.stderr)
    return {"hidden": hidden, "inputs": INPUTS, "to": to, "layout": layout, "faster_at_25": faster, **found.to_json()}


def _export_all(model: Artifact, folder: Path, *, int8: bool) -> None:
    (folder / "model.vcedge").write_bytes(model.data)
    for graph in _wanted(model.detector, int8=int8):
        began = time.perf_counter()
        artifact = exported(model, graph.to, graph.layout, whole=graph.whole, quantize=graph.quantize)
        parity = verify(model, artifact)
        suffix = artifact.name.partition(".")[2]
        kind = "whole" if graph.whole else "network"
        path = folder / f"{graph.layout}-{kind}-{graph.quantize}.{suffix}"
        path.write_bytes(artifact.data)
        seconds = round(time.perf_counter() - began, 1)
        print(json.dumps({"file": str(path), **parity.to_json(), "seconds": seconds}), flush=True)


def _wanted(detector: Detector, *, int8: bool) -> Iterator[Any]:
    for to, kinds in (("onnx", (False, True)), ("tflite", (False,))):
        for whole in kinds:
            for layout in writer_of(to).layouts(detector, whole=whole):
                for quantize in ("none", "int8") if int8 and not whole else ("none",):
                    yield graph_of(detector, ExportRequest(to, layout, whole, quantize))


def _model(name: str, hidden: int, levels: Any) -> Artifact:
    data = data_folder()
    series = SeriesSource(data, load_reference(data), 1).load(name)[0]
    config = default_config(0, hidden_size=hidden, levels=levels)
    config = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 1})})
    return artifact_of(model_of(train_detector(config, series.recording).finished).data, f"{name}.vcedge")


if __name__ == "__main__":
    main()
