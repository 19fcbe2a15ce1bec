"""The example in docs: a program with onnxruntime alone gives the scores of vcedge."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from tests.support.detectors import recording
from tests.support.exports import exported, small_model
from tests.support.process import ROOT, python
from vcedge.runtime.engine.registry import load_engine

EXAMPLE = ROOT / "docs" / "examples" / "score_with_onnxruntime.py"
ALONE = "import runpy, sys; sys.modules['vcedge'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"


def test_example_program_gives_the_same_scores(tmp_path: Path) -> None:
    model = small_model(hidden=32)
    values = recording(4, 400, 3, missing=0.03)
    (tmp_path / "detector.onnx").write_bytes(exported(model, "onnx", whole=True).data)
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(model.detector.schema.names)
        writer.writerows([["" if np.isnan(value) else repr(float(value)) for value in row] for row in values])
    result = python("-c", ALONE, str(EXAMPLE), str(tmp_path / "detector.onnx"), str(tmp_path / "rows.csv"))
    assert result.returncode == 0, result.stderr
    printed = list(csv.DictReader(io.StringIO(result.stdout)))
    engine = load_engine(model.detector, "numpy")
    state = engine.new_state()
    steps = [engine.step(row, state) for row in values]
    np.testing.assert_allclose([float(row["raw"]) for row in printed], [step[0] for step in steps], rtol=1e-5)
    scores = [model.detector.calibration.score(step[0]) for step in steps]
    np.testing.assert_allclose([float(row["score"]) for row in printed], scores, atol=1e-5)
    assert [int(row["level"]) for row in printed] == [step[1] for step in steps]
