"""The parity gate: equal exports pass in every layout, wrong ones are stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.detectors import recording, variants
from tests.support.exports import exported, forged, model_of, small_model
from vcedge.detector import Cell, Detector
from vcedge.errors import DataError, GateFailed, ModelFileError
from vcedge.export.parity import FLOAT
from vcedge.export.verify import STEPS, compare, verify
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy
from vcedge.runtime.engine.numpy_engine import NumpyEngine
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
CellChange = Callable[[Cell], Cell]
Change = Callable[[Detector], Detector]


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


@pytest.mark.parametrize("name", ["linear", "roles", "commands", "readings", "wide"])
def test_whole_detector_of_every_kind_passes(name: str) -> None:
    """Without a network; with commands and constants; without any sensor; without distance and cycle."""
    model = model_of(variants()[name])
    parity = verify(model, exported(model, "onnx", whole=True))
    assert parity.problem is None
    assert parity.worst["raw"] > 0, "compared, and not just zero with zero"


def test_states_of_scorer_and_cycle_are_fed_back() -> None:
    """A graph that follows the numpy engine through holes, new values and cycles has its state, too."""
    detector = variants()["roles"]
    engine, oracle = engine_for(exported(model_of(detector), "onnx", whole=True)), NumpyEngine(detector)
    found, wanted = engine.new_state(), oracle.new_state()
    values = recording(5, 300, 5, missing=0.1)
    values[100:110, 1] = 1e4
    excess = []
    for row in values:
        engine.step(row, found)
        oracle.step(row, wanted)
        excess.append(wanted.cycle_excess)
    assert max(excess) > 0
    assert wanted.novelty[1] > 0
    for name in ("smooth", "readings", "novelty", "cycle_part", "cycle_ring", "cycle_deviation", "lags", "forecast"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-4, atol=1e-5, err_msg=name)


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
def test_wrong_network_fails_and_the_step_is_named(change: CellChange, what: str, to: str, layout: str) -> None:
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


def with_scorer(**changes: Any) -> Change:
    return lambda detector: replace(detector, scorer=replace(detector.scorer, **changes))


def other_weights(detector: Detector) -> Detector:
    weights = detector.scorer.weights.copy()
    weights[:2] += 1e-3, -1e-3
    return with_scorer(weights=weights)(detector)


def other_fill(detector: Detector) -> Detector:
    whiten = detector.scorer.whiten * np.linspace(1.0, 1.01, detector.channels, dtype=np.float32)
    return with_scorer(whiten=(whiten + whiten.T) / 2)(detector)


def nearer(detector: Detector) -> Detector:
    distance = detector.scorer.distance
    assert distance is not None
    return with_scorer(distance=replace(distance, centroids=distance.centroids + np.float32(1e-2)))(detector)


def other_cycle(detector: Detector) -> Detector:
    cycle = detector.scorer.cycle
    assert cycle is not None
    return with_scorer(cycle=replace(cycle, mean=cycle.mean + np.float32(1e-2)))(detector)


def narrower(detector: Detector) -> Detector:
    return replace(detector, seen=replace(detector.seen, high=detector.seen.high - 0.1))


@pytest.mark.parametrize("change", [off_by_little, other_weights, other_fill, nearer, other_cycle, narrower])
def test_wrong_part_around_the_network_fails(change: Change) -> None:
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
