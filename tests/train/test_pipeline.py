"""Training of a detector: reproducible, bounded and interruptible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import recording, recording_of
from vcedge.calibration.trace import run_engine
from vcedge.config.train import DataConfig, FitConfig, ModelConfig, TrainConfig
from vcedge.detector import CELL_KINDS, DENSE_KINDS
from vcedge.errors import DataError
from vcedge.history import DataReport
from vcedge.model_file import load, save
from vcedge.runtime.engine.registry import ENGINES, REFERENCE, load_engine
from vcedge.train.pipeline import Trained, train_detector
from vcedge.train.schedule import mask_mode, share_budget
from vcedge.train.summary import change_correlation, summarise
from vcedge.train.training import Epoch

ROWS, CHANNELS = 1200, 3


def config_of(cell: str = "vcgru", epochs: int = 3, seed: int = 0, **model: object) -> TrainConfig:
    return TrainConfig(
        asset="rig",
        data=DataConfig(train=["a.csv"]),
        model=ModelConfig(cell=cell, hidden_size=16, levels=4, **model),  # type: ignore[arg-type]
        train=FitConfig(epochs=epochs, seed=seed),
    )


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_detector(config_of(epochs=16, target=0.5), recording_of(recording(1, 3000, CHANNELS)))


def test_file_depends_on_the_seed_alone(tmp_path: Path) -> None:
    source = recording_of(recording(2, ROWS, CHANNELS), gap_at=500)
    files = []
    for index, seed in enumerate((3, 3, 4)):
        path = tmp_path / f"{index}.vcedge"
        save(train_detector(config_of(seed=seed), source).detector, path)
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_judged_rows_reach_the_split() -> None:
    source = replace(recording_of(recording(2, ROWS, CHANNELS)), must_not_alarm=((700, 720), (1100, 1101)))
    assert train_detector(config_of(epochs=1), source).split.must_not_alarm == source.must_not_alarm


def test_gate_moves_with_the_input_and_keeps_to_its_target(trained: Trained) -> None:
    assert trained.detector.cell is not None
    assert len(set(trained.device_trace.updated.tolist())) > 1
    correlation = change_correlation(trained.device_trace, trained.detector)
    assert correlation is not None
    assert correlation > 0.2
    share = trained.device_trace.within(trained.split.tail).updated.mean() / 16
    assert 0.3 < share <= 0.5


@pytest.mark.parametrize("kind", DENSE_KINDS)
def test_dense_kind_updates_every_dimension(kind: str) -> None:
    result = train_detector(config_of(kind), recording_of(recording(3, ROWS, CHANNELS)))
    assert result.detector.levels == 1
    assert set(result.device_trace.updated.tolist()) == {16}


@pytest.mark.parametrize("kind", CELL_KINDS)
def test_every_kind_learns_and_is_saved(kind: str, tmp_path: Path) -> None:
    values = np.random.default_rng(1).standard_normal((3000, CHANNELS))
    values[1:, 1:] = 0.1 * values[1:, 1:] + np.abs(values[:-1, :1])  # not predictable by a linear forecast
    result = train_detector(config_of(kind, epochs=16, target=0.5), recording_of(values))
    learned = result.result.epochs[result.result.best].validation
    assert learned < 0.99 * result.result.alone[1]
    save(result.detector, tmp_path / "m.vcedge")
    back = load(tmp_path / "m.vcedge")
    assert back.cell is not None
    assert back.cell.spec.kind == kind
    for name in ENGINES:
        scored = run_engine(load_engine(back, name), values, ((0, len(values)),))
        if name == REFERENCE:
            assert np.array_equal(scored.raw, result.device_trace.raw)
        assert np.mean(scored.updated == result.device_trace.updated) > 0.999
        assert np.quantile(np.abs(scored.raw / result.device_trace.raw - 1), 0.99) < 1e-3


def test_without_a_cell_the_linear_forecaster_is_the_detector(tmp_path: Path) -> None:
    values = recording(3, ROWS, CHANNELS)
    alone = train_detector(config_of("none"), recording_of(values))
    assert alone.detector.cell is None
    assert alone.result.epochs == []
    save(alone.finished, tmp_path / "m.vcedge")
    assert load(tmp_path / "m.vcedge").hidden == 0
    metrics = summarise(alone, DataReport(), 1.0)
    assert metrics["model"]["cell"] == "none"
    assert not any("network" in reason for reason in metrics["verdict"]["reasons"])


def test_interrupted_training_keeps_the_best_epoch(tmp_path: Path) -> None:
    seen: list[Epoch] = []
    source = recording_of(recording(4, ROWS, CHANNELS))
    result = train_detector(config_of(epochs=20), source, lambda e, _: seen.append(e), lambda: len(seen) == 2)
    assert result.result.interrupted
    assert len(result.result.epochs) == 2
    assert result.result.best in (0, 1)
    save(result.detector, tmp_path / "m.vcedge")
    assert load(tmp_path / "m.vcedge").asset == "rig"


def test_interruption_before_the_first_epoch_ends_raises() -> None:
    with pytest.raises(KeyboardInterrupt):
        train_detector(config_of(), recording_of(recording(4, ROWS, CHANNELS)), stop=lambda: True)


def test_missing_values_add_flags_to_the_inputs() -> None:
    result = train_detector(config_of(epochs=1), recording_of(recording(5, ROWS, CHANNELS, missing=0.05)))
    assert result.detector.features.flags
    assert result.detector.cell is not None
    assert result.detector.cell.spec.inputs == 2 * CHANNELS
    assert np.isfinite(result.device_trace.raw).all()


def test_rows_without_values_are_skipped_as_on_the_device() -> None:
    values = recording(5, ROWS, CHANNELS)
    values[200:204] = np.nan
    result = train_detector(config_of(epochs=1), recording_of(values))
    scored = run_engine(load_engine(result.detector, REFERENCE), values, ((0, ROWS),))
    assert len(result.device_trace.rows) == len(scored.rows) == ROWS - 4
    assert np.array_equal(result.device_trace.raw, scored.raw)


def test_short_recording_is_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        train_detector(config_of(), recording_of(recording(6, 100, CHANNELS)))


def test_calibration_rows_do_not_affect_the_fit() -> None:
    """Statistics and highway weights are the same for any values in the tail."""
    values = recording(7, ROWS, CHANNELS)
    changed = values.copy()
    changed[int(0.8 * ROWS) :] = recording(8, ROWS, CHANNELS)[int(0.8 * ROWS) :]
    a, b = (train_detector(config_of(epochs=2), recording_of(v)).detector for v in (values, changed))
    assert np.array_equal(a.features.center, b.features.center)
    assert np.array_equal(a.highway.weights, b.highway.weights)
    assert a.calibration.threshold == b.calibration.threshold  # of cross-fitted rows
    assert a.calibration.surprise_limit != b.calibration.surprise_limit  # of held-out rows


def test_mask_is_annealed_then_hard_and_the_budget_shrinks() -> None:
    sharpness = [mask_mode(p, 8).sharpness for p in (0.0, 0.25, 0.5, 0.6)]
    assert sharpness[0] < sharpness[1] < sharpness[2] == sharpness[3]
    assert [mask_mode(p, 8).hard for p in (0.0, 0.69, 0.7, 1.0)] == [False, False, True, True]
    budget = [share_budget(p, 0.2) for p in (0.0, 0.25, 0.5, 0.9)]
    assert budget[0] > budget[1] > budget[2] == budget[3] == 0.2
    assert share_budget(0.0, 0.9) == 0.9


def test_summary_describes_the_finished_detector(trained: Trained) -> None:
    metrics = summarise(trained, DataReport(), 1.0)
    assert metrics["rows"] == {"fit": 1950, "validation": 450, "tail": 600}
    tail = trained.device_trace.within(trained.split.tail)
    assert metrics["updated_share"]["tail"] == pytest.approx(tail.updated.mean() / 16)
    assert metrics["macs"]["mean"] < metrics["macs"]["dense"]
    assert [channel["name"] for channel in metrics["channels"]] == ["Channel 0", "Channel 1", "Channel 2"]
    assert len(metrics["epochs"]) == len(trained.result.epochs)
