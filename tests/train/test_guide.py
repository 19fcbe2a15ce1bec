"""A guide column marks rows at which the gate learns to open; the device does not need the column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import recording_of
from vcedge.config.train import DataConfig, FitConfig, ModelConfig, TrainConfig, load_train_config
from vcedge.errors import ConfigError, DataError
from vcedge.history import Recording, load_history
from vcedge.train.pipeline import Trained, train_detector

ROWS = 3000


def pulses() -> tuple[Recording, np.ndarray]:
    """Return noise on three channels; the last one sometimes has a small step, after which a row is marked."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((ROWS, 3))
    marked = rng.random(ROWS) < 0.15
    values[:, 2] = 0.3 * values[:, 2] + 1.5 * marked
    return recording_of(values), marked


def train(recording: Recording) -> Trained:
    config = TrainConfig(
        asset="rig",
        data=DataConfig(train=["a.csv"]),
        model=ModelConfig(hidden_size=16, levels=4, target=0.5),
        train=FitConfig(epochs=14),
    )
    return train_detector(config, recording)


def opening(trained: Trained, marked: np.ndarray) -> float:
    """Return how much larger the updated share is on marked rows of the held-out tail than on others."""
    tail = trained.device_trace.within(trained.split.tail)
    there = marked[tail.rows]
    return float(tail.updated[there].mean() - tail.updated[~there].mean()) / 16


def test_guided_gate_opens_on_marked_rows_within_its_target() -> None:
    recording, marked = pulses()
    guided = train(Recording(**{**vars(recording), "guide": marked.astype(float)}))
    assert opening(guided, marked) > 0.5
    assert opening(guided, marked) > opening(train(recording), marked) + 0.2
    assert guided.device_trace.updated.mean() / 16 <= 0.5
    assert guided.detector.schema.names == recording.schema.names


def write(folder: Path, guide: list[object]) -> DataConfig:
    rng = np.random.default_rng(1)
    lines = ["time,a,b,look"]
    lines += [f"{1000 + t},{rng.random():.3f},{rng.random():.3f},{mark}" for t, mark in enumerate(guide)]
    lines[1], lines[2] = lines[2], lines[1]  # out of order: the guide is sorted with its rows
    (folder / "rig.csv").write_text("\n".join(lines) + "\n")
    return DataConfig(train=["rig.csv"], guide="look")


def test_guide_is_sorted_with_its_rows_and_is_no_channel(tmp_path: Path) -> None:
    found = load_history(write(tmp_path, [1, 0, 0.5, "", *[0] * 60]), tmp_path)
    assert found.schema.names == ("a", "b")
    assert found.guide is not None
    assert found.guide[:3].tolist() == [1.0, 0.0, 0.5]
    assert np.isnan(found.guide[3])
    assert len(found.guide) == len(found.values) == 64


def test_invalid_guide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'look' holds 7: a guide is between 0 and 1"):
        load_history(write(tmp_path, [0, 7, *[0] * 60]), tmp_path)
    data = write(tmp_path, [0] * 60)
    with pytest.raises(DataError, match="nowhere"):
        load_history(data.model_copy(update={"guide": "nowhere"}), tmp_path)
    for key, words in (
        ("channels: [{name: a}, {name: look}]", "data.guide: 'look' is a channel too"),
        ("exclude: [b]", None),
    ):
        path = tmp_path / "train.yaml"
        path.write_text(f"asset: rig\ndata: {{train: [rig.csv], guide: look, {key}}}\n")
        config = load_train_config(path)
        if words is None:
            assert load_history(config.data, tmp_path).schema.names == ("a",)
        else:
            with pytest.raises(ConfigError, match=words):
                load_history(config.data, tmp_path)


def test_guide_is_refused_for_a_dense_cell(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("asset: rig\ndata: {train: [rig.csv], guide: look}\nmodel: {cell: gru}\n")
    with pytest.raises(ConfigError, match="no gate"):
        load_train_config(path)
