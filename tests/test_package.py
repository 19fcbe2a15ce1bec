"""`import vcedge`: its names, and the example in its documentation."""

from __future__ import annotations

import doctest
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vcedge
from tests.support.detectors import tiny_detector
from tests.support.process import modules_after
from vcedge.errors import UsageError
from vcedge.model_file import save
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import schema_of


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model of the machine in the example, in the working directory."""
    detector = tiny_detector()
    schema = schema_of(("Pressure", "Current", "Flow"), period_s=1.0, max_gap_s=5.0)
    features = replace(detector.features, center=np.array([1.2, 0.8, 32.0]), scale=np.array([0.5, 0.1, 4.0]))
    monkeypatch.chdir(tmp_path)
    save(replace(detector, schema=schema, features=features), tmp_path / "model.vcedge")
    return tmp_path / "model.vcedge"


@pytest.mark.usefixtures("model")
def test_example_of_the_documentation_runs() -> None:
    result = doctest.testmod(vcedge, raise_on_error=False)
    assert result.attempted > 5
    assert result.failed == 0


def test_names_of_the_root_are_those_of_their_modules() -> None:
    assert vcedge.Stream is Stream
    assert set(vcedge.__all__) <= set(dir(vcedge))
    with pytest.raises(AttributeError, match="'vcedge' has no attribute 'lode'"):
        vcedge.lode  # type: ignore[attr-defined]  # noqa: B018


def test_load_accepts_an_engine_and_a_path_as_text(model: Path) -> None:
    assert vcedge.load(str(model), engine="numpy").name == "numpy"
    assert vcedge.load(model, network=False).detector.cell is None
    with pytest.raises(UsageError, match="engine 'onnx' runs"):
        vcedge.load(model, engine="onnx")


def test_scoring_loads_neither_torch_nor_the_mqtt_client() -> None:
    loaded = modules_after("vcedge", "vcedge.runtime.exported.artifact", "vcedge.runtime.stream.stream")
    assert not {"torch", "paho", "onnxruntime", "typer"} & loaded
