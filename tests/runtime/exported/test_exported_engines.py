"""Engines of exported files: the engine contract, and equal alarms of the service on each of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.support.detectors import recording, samples
from tests.support.exports import GEOMETRIC, exported, small_model
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, running
from tests.support.real_data import data_dir
from vcedge.cli.main import run as run_program
from vcedge.config.train import DataConfig, FitConfig, TrainConfig
from vcedge.history import load_history
from vcedge.model_file import dumps
from vcedge.runtime.assets.settings import Settings, parse_setting
from vcedge.runtime.engine.checks import check_engine
from vcedge.runtime.engine.registry import ENGINES
from vcedge.runtime.exported.artifact import Artifact, artifact_of, engine_for
from vcedge.runtime.recordings.replay import message_of
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import Sample

pytestmark = pytest.mark.slow

KINDS = [("onnx", "dense", False), ("onnx", "branches", True), ("tflite", "case", False), ("tflite", "family", False)]


def suffix(to: str, layout: str) -> str:
    return "tflite.zip" if layout == "family" else to


@pytest.mark.parametrize(("to", "layout", "whole"), KINDS)
def test_engine_keeps_its_contract(to: str, layout: str, whole: bool) -> None:
    model = small_model()
    artifact = exported(model, to, layout, whole=whole)
    results = check_engine(lambda _: engine_for(artifact), model.detector, recording(1, 200, 3))
    assert [result for result in results if result.problem] == []


@pytest.mark.parametrize(("to", "layout", "whole"), [*KINDS, ("native", "", False), ("numpy", "", False)])
@pytest.mark.parametrize("message", [b'{"looseness": 0.01}', b'{"policy": "auto"}', b'{"min_level": 2}'])
def test_surprise_forces_the_full_level_under_any_policy(to: str, layout: str, whole: bool, message: bytes) -> None:
    model = small_model()
    if to not in ("onnx", "tflite", *ENGINES):
        pytest.skip(f"engine {to} is not built here")
    engine = engine_for(exported(model, to, layout, whole=whole)) if layout else engine_for(model, to)
    detector, stream = engine.detector, Stream(engine)
    settings = Settings(stream)
    settings.set("compute", parse_setting("compute", message))
    stream.budget.spend(1e6, in_event=False)  # a debt that keeps the scheduler at its floor
    values = 0.1 * recording(3, 60, 3) + 0.9 * detector.features.center
    values[40] += 300 * detector.features.scale
    scores = [stream.push(row, settings.policy) for row in samples(values)]
    floor = detector.hidden * GEOMETRIC[settings.policy.min_level - 1]
    assert {score.updated for score in scores[20:40]} == {floor}
    assert (scores[40].updated, scores[40].wake) == (detector.hidden, "surprise")


@pytest.fixture(scope="module")
def skab() -> tuple[Artifact, list[Sample]]:
    """Return a model briefly trained on the start of a SKAB file, and the rest of the file."""
    pipeline = pytest.importorskip("vcedge.train.pipeline", reason="no torch here, which trains", exc_type=ImportError)
    path = data_dir() / "SKAB" / "data" / "valve1" / "1.csv"
    names = {"exclude": ["anomaly", "changepoint"]}
    data = DataConfig.model_validate({"train": [str(path)], "limit_rows": 400, **names})
    config = TrainConfig(asset="skab", data=data, train=FitConfig(epochs=1), base_dir=Path())
    detector = pipeline.train_detector(config, load_history(data, Path())).finished
    every = load_history(DataConfig.model_validate({"train": [str(path)], **names}), Path())
    rows = zip(every.time_ns.tolist(), every.values, strict=True)
    return artifact_of(dumps(detector), "skab.vcedge"), [Sample(time_ns, values) for time_ns, values in rows][400:]


@pytest.mark.parametrize(("to", "layout", "whole"), KINDS)
def test_service_gives_the_same_alarms_on_each_engine(
    to: str, layout: str, whole: bool, skab: tuple[Artifact, list[Sample]], shared_broker: Mosquitto, tmp_path: Path
) -> None:
    model, rows = skab
    node = f"skab-{to}-{layout}"
    name = f"model.{suffix(to, layout)}"
    (tmp_path / name).write_bytes(exported(model, to, layout, whole=whole).data)
    content: dict[str, Any] = {
        "node": node,
        "mqtt": {"broker": shared_broker.url},
        "input": {"topic": f"{node}/{{asset}}"},
        "assets": {"skab": {"model": name}},
    }
    (tmp_path / "runtime.yaml").write_text(yaml.safe_dump(content))
    with running("run", tmp_path / "runtime.yaml") as service, Peer(shared_broker.url, f"vcedge/{node}/#") as peer:
        peer.until_last(f"vcedge/{node}/status", b"online")
        for sample in rows:
            peer.publish(f"{node}/skab", message_of(sample.time_ns, model.detector.schema.names, sample.values))
        published = peer.scores("skab", len(rows))
        assert service.end() == 0
    stream = Stream(engine_for(model, "numpy"))
    expected = [stream.push(sample) for sample in rows]
    assert any(score.alarm for score in expected)
    assert [score["alarm"] for score in published] == [score.alarm for score in expected]
    np.testing.assert_allclose([s["raw"] for s in published], [s.raw for s in expected], rtol=1e-4)


def test_command_line_scores_an_exported_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_model()
    header = "time," + ",".join(model.detector.schema.names)
    lines = [f"{s.time_ns / 1e9},{','.join(map(repr, s.values.tolist()))}" for s in samples(recording(2, 200, 3))]
    (tmp_path / "rows.csv").write_text("\n".join([header, *lines]))
    columns: list[list[float]] = []
    for name, data in (("m.vcedge", model.data), ("m.onnx", exported(model, "onnx").data)):
        (tmp_path / name).write_bytes(data)
        out = tmp_path / f"{name}.csv"
        assert run_program(["score", str(tmp_path / name), str(tmp_path / "rows.csv"), "--out", str(out)]) == 0
        columns.append([float(line.split(",")[1]) for line in out.read_text().splitlines()[1:]])
    np.testing.assert_allclose(columns[1], columns[0], rtol=1e-5)
    capsys.readouterr()


Bad = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("damage", "code"), [(lambda data: data[:-100], 65), (lambda data: b"", 65), (lambda data: data, 2)]
)
def test_unusable_files_exit_with_their_code(
    damage: Bad, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(damage(exported(small_model(), "onnx").data))
    (tmp_path / "rows.csv").write_text("a\n1\n")
    assert run_program(["score", str(path), str(tmp_path / "rows.csv"), "--engine", "tflite"]) == code
    assert len(capsys.readouterr().err.strip().splitlines()) <= 2
