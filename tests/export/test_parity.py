"""The parity gate: equal exports pass in every layout, wrong ones are stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from tests.support.exports import exported, forged, model_of, small_model
from vcedge.detector import Cell, Detector
from vcedge.errors import DataError, GateFailed, ModelFileError
from vcedge.export.parity import FLOAT
from vcedge.export.verify import STEPS, compare, verify
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.state import State
from vcedge.runtime.exported.artifact import GraphInfo, engine_for
from vcedge.schema import F64

pytestmark = pytest.mark.slow

FLOAT_LAYOUTS = [
    ("onnx", "dense", False),
    ("onnx", "branches", False),
    ("onnx", "dense", True),
    ("onnx", "branches", True),
]
FLOAT_LAYOUTS += [("tflite", layout, False) for layout in ("case", "if4", "family", "dense")]
Change = Callable[[Cell], Cell]


@pytest.mark.parametrize(("to", "layout", "whole"), FLOAT_LAYOUTS)
def test_every_layout_passes(to: str, layout: str, whole: bool) -> None:
    model = small_model(flags=True)
    parity = verify(model, exported(model, to, layout, whole=whole))
    assert parity.problem is None
    assert parity.steps == STEPS
    assert min(parity.levels.get(level, 0) for level in range(1, 5)) > 100
    assert parity.flips <= 5
    assert max(parity.worst.values()) < FLOAT.relative
    assert parity.worst["correction"] > 0, "compared, and not just zero with zero"


@pytest.mark.parametrize(("to", "layout"), [("onnx", "branches"), ("tflite", "case"), ("tflite", "family")])
def test_int8_is_close_but_not_equal(to: str, layout: str) -> None:
    model = small_model()
    parity = verify(model, exported(model, to, layout, quantize="int8"))
    assert parity.problem is None
    assert 1e-4 < parity.worst["h"] < parity.tolerance.relative


@pytest.mark.parametrize("changes", [{"cell": "gru", "levels": 1}, {"cell": "vcrnn"}, {"cell": "rnn", "levels": 1}])
@pytest.mark.parametrize("to", ["onnx", "tflite"])
def test_other_kinds_of_cell_pass(to: str, changes: dict[str, Any]) -> None:
    model = small_model(**changes)
    assert verify(model, exported(model, to)).problem is None


def test_detector_without_a_network_passes() -> None:
    model = model_of(tiny_detector(cell=None))
    assert verify(model, exported(model, "onnx", whole=True)).problem is None


def swapped(cell: Cell) -> Cell:
    order = [1, 0, 2]
    return replace(cell, recurrent=cell.recurrent[order], input=cell.input[order], bias=cell.bias[order])


def bias_off(cell: Cell) -> Cell:
    bias = cell.bias.copy()
    bias[2, 0] += 1e-3
    return replace(cell, bias=bias)


def gate_off(cell: Cell) -> Cell:
    return replace(cell, gate_bias=cell.gate_bias + 1e-3)


def transposed(cell: Cell) -> Cell:
    return replace(cell, recurrent=np.ascontiguousarray(cell.recurrent.transpose(0, 2, 1)))


@pytest.mark.parametrize(("to", "layout"), [("onnx", "branches"), ("tflite", "case")])
@pytest.mark.parametrize(
    ("change", "what"), [(swapped, "h["), (bias_off, "h["), (gate_off, "level"), (transposed, "h[")]
)
def test_wrong_network_fails_and_the_step_is_named(change: Change, what: str, to: str, layout: str) -> None:
    model = small_model()
    assert model.detector.cell is not None
    wrong = replace(model.detector, cell=change(model.detector.cell))
    parity = verify(model, forged(model, wrong, GraphInfo(to, layout)))
    assert parity.problem is not None
    assert parity.problem.startswith("step ")
    assert parity.first is not None
    assert parity.first.what.startswith(what)


def test_wrong_scheduler_fails_with_int8_too() -> None:
    model = small_model()
    assert model.detector.cell is not None
    wrong = replace(model.detector, cell=gate_off(model.detector.cell))
    parity = verify(model, forged(model, wrong, GraphInfo("tflite", "case", False, "int8")))
    assert parity.first is not None
    assert parity.first.what == "level"


def test_family_with_a_wrong_scheduler_is_refused() -> None:
    model = small_model()
    assert model.detector.cell is not None
    wrong = replace(model.detector, cell=gate_off(model.detector.cell))
    with pytest.raises(ModelFileError, match=r"scheduler.*picks level \d where the model's weights pick \d"):
        verify(model, forged(model, wrong, GraphInfo("tflite", "family")))


def off_by_little(detector: Detector) -> Detector:
    highway = detector.highway
    return replace(detector, highway=replace(highway, bias=highway.bias + np.float32(1e-3)))


def other_weights(detector: Detector) -> Detector:
    parts = detector.scorer.parts
    heavier = (replace(parts[0], weight=parts[0].weight + 1e-3), *parts[1:])
    return replace(detector, scorer=replace(detector.scorer, parts=heavier))


@pytest.mark.parametrize("change", [off_by_little, other_weights])
def test_wrong_part_around_the_network_fails(change: Callable[[Detector], Detector]) -> None:
    model = small_model()
    wrong = change(model.detector)
    assert verify(model, forged(model, wrong, GraphInfo("onnx", "dense", True))).problem is not None


class StatelessEngine:
    """Runs an exported file without feeding the hidden state back."""

    def __init__(self, engine: Any) -> None:
        self._engine, self.name, self.detector = engine, engine.name, engine.detector

    def new_state(self) -> State:
        state: State = self._engine.new_state()
        return state

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        state.h[:] = 0
        outcome: tuple[float, int, F64] = self._engine.step(values, state, policy)
        return outcome


def test_state_that_is_not_fed_back_fails() -> None:
    model = small_model()
    engine: Any = StatelessEngine(engine_for(exported(model, "onnx")))
    assert compare(model.detector, engine, recording(1, 600, 3)).problem is not None


def test_file_of_another_model_and_empty_recording_are_refused() -> None:
    model = small_model()
    with pytest.raises(GateFailed, match="exported from the model sha256:"):
        verify(small_model(seed=1), exported(model, "onnx"))
    with pytest.raises(DataError, match="no rows"):
        verify(model, exported(model, "onnx"), np.zeros((0, 3)))
    with pytest.raises(DataError, match="expected an exported file"):
        verify(model, model)
