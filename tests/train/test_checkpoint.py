"""Checkpoints: a killed training resumes to the same file, and ignores checkpoints of other trainings."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.detectors import recording, recording_of
from vcedge.config.train import DataConfig, FitConfig, ModelConfig, TrainConfig
from vcedge.model_file import dumps
from vcedge.train.checkpoint import CheckpointFile, TrainingState, fingerprint_of
from vcedge.train.pipeline import Trained, train_detector

pytestmark = pytest.mark.slow

CONFIG = """
asset: rig
data: {train: [rig.csv]}
model: {hidden_size: 16, levels: 4, target: 0.5}
train: {epochs: 8, checkpoint_s: 0}
report: {sensitivity: false}
"""


class Killed(Exception):
    """Stands for the end of the process."""


def train(path: Path | None, seed: int = 0, die_at: int | None = None, rows: int = 900) -> Trained:
    config = TrainConfig(
        asset="rig",
        data=DataConfig(train=["a.csv"]),
        model=ModelConfig(hidden_size=16, levels=4),
        train=FitConfig(epochs=4, seed=seed, checkpoint_s=0),
    )
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        if calls == die_at:
            raise Killed
        return False

    return train_detector(config, recording_of(recording(2, rows, 3)), stop=stop, checkpoint=path)


@pytest.fixture(scope="module")
def uninterrupted() -> bytes:
    return dumps(train(None).detector)


@pytest.mark.parametrize("die_at", [3, 4, 9])
def test_resumed_training_ends_with_the_same_bytes(die_at: int, uninterrupted: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.checkpoint"
    with pytest.raises(Killed):
        train(path, die_at=die_at)
    torch.manual_seed(99)
    torch.rand(7)
    resumed = train(path)
    assert resumed.result.resumed_at is not None
    assert [row.epoch for row in resumed.result.epochs] == list(range(len(resumed.result.epochs)))
    assert dumps(resumed.detector) == uninterrupted


def test_training_killed_twice_ends_with_the_same_bytes(uninterrupted: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.checkpoint"
    for _ in range(2):
        with pytest.raises(Killed):
            train(path, die_at=3)
    assert dumps(train(path).detector) == uninterrupted


def test_another_training_ignores_the_checkpoint(uninterrupted: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.checkpoint"
    for other in ({"seed": 1}, {"rows": 1000}):
        with pytest.raises(Killed):
            train(path, die_at=4, **other)
        fresh = train(path)
        assert fresh.result.resumed_at is None
        assert dumps(fresh.detector) == uninterrupted


def test_damaged_checkpoint_is_ignored(uninterrupted: bytes, tmp_path: Path) -> None:
    file, fresh = CheckpointFile(tmp_path / "c", "f"), TrainingState({"a": torch.zeros(50)}, {})
    assert file.load(fresh) is None
    file.save(fresh)
    data = file.path.read_bytes()
    assert file.load(fresh) is not None
    for wrong in (data[: len(data) // 2], data[:-1], b"", b"epoch 3", uninterrupted):
        file.path.write_bytes(wrong)
        assert file.load(fresh) is None


def test_checkpoint_with_other_tensors_is_ignored(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "c", fingerprint_of({"seed": 1}))
    file.save(TrainingState({"a": torch.zeros(3)}, {"epoch": 2}))
    assert file.load(TrainingState({"a": torch.zeros(4)}, {})) is None
    assert file.load(TrainingState({"a": torch.zeros(3), "b": torch.zeros(1)}, {})) is None
    assert file.load(TrainingState({"a": torch.zeros(3, dtype=torch.int64)}, {})) is None
    found = file.load(TrainingState({"a": torch.ones(3)}, {}))
    assert found is not None
    assert found.record == {"epoch": 2}
    assert torch.equal(found.tensors["a"], torch.zeros(3))


def test_floats_are_restored_to_the_last_bit(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "c", "f")
    numbers = [*np.random.default_rng(0).standard_normal(200).tolist(), float("inf"), 1e-300]
    file.save(TrainingState({"a": torch.zeros(1)}, {"losses": numbers}))
    found = file.load(TrainingState({"a": torch.zeros(1)}, {}))
    assert found is not None
    assert found.record["losses"] == numbers


def command(folder: Path, out: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "vcedge", "train", str(folder / "train.yaml"), "--out", str(folder / out), *options]


def run_to_the_end(folder: Path, out: str, *options: str) -> str:
    done = subprocess.run(command(folder, out, *options), capture_output=True, text=True, check=True)
    assert not (folder / out / "train.checkpoint").exists()
    return done.stderr


def kill_after_checkpoints(folder: Path, out: str, count: int) -> None:
    """Kill a real training with SIGKILL after this many more checkpoints."""
    process = subprocess.Popen(command(folder, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path, seen, last = folder / out / "train.checkpoint", 0, 0
    while seen < count and process.poll() is None:
        try:
            current = os.stat(path).st_ino
        except FileNotFoundError:
            current = last
        seen, last = seen + (current != last), current
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_process_killed_at_random_points_writes_the_same_file(tmp_path: Path) -> None:
    values = recording(3, 900, 3)
    np.savetxt(tmp_path / "rig.csv", values, delimiter=",", header="a,b,c", comments="", fmt="%.6f")
    (tmp_path / "train.yaml").write_text(CONFIG)
    run_to_the_end(tmp_path, "uninterrupted")
    rng = random.Random(time.time_ns())
    counts = [rng.randint(1, 12), rng.randint(1, 12)]
    for count in counts:
        kill_after_checkpoints(tmp_path, "killed", count)
    assert not (tmp_path / "killed" / "model.vcedge").exists()
    assert "continued from epoch" in run_to_the_end(tmp_path, "killed")
    digests = [
        hashlib.sha256((tmp_path / out / "model.vcedge").read_bytes()).hexdigest()
        for out in ("uninterrupted", "killed")
    ]
    assert digests[0] == digests[1], f"killed after {counts} checkpoints"
