"""model.vcedge: contents are read back to the bit, and invalid files are refused with a clear line."""

from __future__ import annotations

import csv
import dataclasses
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.attacks.surgery import leaves, manifest_with, manifest_without
from tests.attacks.table import ATTACKS, COMMITTED, RNN_ATTACKS
from tests.golden.generate import MODEL, MODELS, TINY, score_row, scores_of, tiny_input
from tests.support.detectors import tiny_detector, tiny_scorer, with_roles
from vcedge.detector import Detector
from vcedge.errors import InputNotFound, ModelFileError
from vcedge.manifest import manifest_of
from vcedge.model_file import dumps, load, loads, model_id, read, save

SOUND = dumps(tiny_detector())

VARIANTS = {
    "vcgru": tiny_detector(),
    "flags": tiny_detector(1, channels=5, flags=True),
    "levels": tiny_detector(2, channels=1, hidden=32, levels=[0.125, 0.25, 0.5, 1.0], order=7),
    "gru": tiny_detector(3, cell="gru"),
    "vcrnn": tiny_detector(6, cell="vcrnn", flags=True),
    "rnn": tiny_detector(7, cell="rnn"),
    "linear": tiny_detector(4, cell=None, order=3),
    "readings": replace(tiny_detector(5), scorer=tiny_scorer(3, 2, groups=False)),
    "roles": with_roles(tiny_detector(9), ("sensor", "command", "constant")),
    "no resemblance": replace(tiny_detector(8), resemblance=None),
}


def assert_equal(a: Any, b: Any, path: str = "detector") -> None:
    """Assert equality of every field to the last bit, types included."""
    assert type(a) is type(b), path
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_equal(getattr(a, field.name), getattr(b, field.name), f"{path}.{field.name}")
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), path
    elif isinstance(a, tuple):
        assert len(a) == len(b), path
        for i, (left, right) in enumerate(zip(a, b, strict=True)):
            assert_equal(left, right, f"{path}[{i}]")
    else:
        assert a == b, path


def refusal(data: bytes) -> str:
    with pytest.raises(ModelFileError) as caught:
        loads(data, "tiny.vcedge")
    return str(caught.value)


@pytest.mark.parametrize("name", VARIANTS)
def test_round_trip_is_exact(name: str, tmp_path: Path) -> None:
    detector, path = VARIANTS[name], tmp_path / "model.vcedge"
    save(detector, path)
    back = load(path)
    assert_equal(detector, back)
    assert dumps(back) == dumps(detector) == path.read_bytes()
    assert back.cell is None or back.cell.recurrent.flags.writeable


def test_extreme_numbers_and_unusual_names_survive() -> None:
    detector = tiny_detector()
    features = replace(detector.features, center=np.array([-0.0, 1e-300, 0.1 + 0.2]), clip=1 / 3)
    schema = replace(
        detector.schema,
        channels=(
            *detector.schema.channels[:2],
            replace(detector.schema.channels[2], name="Ölstand °C\n", low=-5e-324),
        ),
    )
    provenance = {"files": {"a\udcff.csv": "1"}, "nested": [None, True, 1.5, {"x": []}], "big": 2**70}
    highway = replace(detector.highway, ridge=0.1)
    odd = replace(detector, features=features, schema=schema, highway=highway, provenance=provenance)
    assert_equal(odd, loads(dumps(odd)))


def test_model_id_is_the_digest_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "model.vcedge"
    save(tiny_detector(), path)
    assert model_id(path) == model_id(SOUND) == model_id(read(path))
    assert model_id(SOUND).startswith("sha256:")
    assert len(model_id(SOUND)) == 71
    assert model_id(dumps(tiny_detector(1))) != model_id(SOUND)


def test_failed_write_keeps_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "model.vcedge"
    path.write_text("old")
    detector = tiny_detector()
    assert detector.cell is not None
    broken = replace(detector, cell=replace(detector.cell, bias=np.full_like(detector.cell.bias, np.nan)))
    with pytest.raises(ModelFileError, match=r"tensor 'cell\.bias' holds nan"):
        save(broken, path)
    assert path.read_text() == "old"
    save(detector, path)
    assert os.listdir(tmp_path) == ["model.vcedge"]
    with pytest.raises(FileNotFoundError):
        save(detector, tmp_path / "nowhere" / "model.vcedge")


def test_save_through_a_link_replaces_its_target(tmp_path: Path) -> None:
    link = tmp_path / "current"
    (tmp_path / "real").write_text("old")
    link.symlink_to("real")
    save(tiny_detector(), link)
    assert link.is_symlink()
    assert (tmp_path / "real").read_bytes() == SOUND


def test_missing_and_special_files_are_input_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "none.vcedge", tmp_path):
        with pytest.raises(InputNotFound, match=str(path)):
            load(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputNotFound, match="not a regular file"):
        load(tmp_path / "pipe")


@pytest.mark.parametrize("name", ATTACKS)
def test_malicious_file_is_refused(name: str) -> None:
    attack, expected = ATTACKS[name]
    message = refusal(attack(SOUND))
    assert message.startswith("tiny.vcedge: ")
    assert expected in message
    assert len(message.splitlines()) == 1
    assert len(message) < 250


@pytest.mark.parametrize("name", RNN_ATTACKS)
def test_malicious_file_of_an_rnn_is_refused(name: str) -> None:
    attack, expected = RNN_ATTACKS[name]
    message = refusal(attack(dumps(VARIANTS["vcrnn"])))
    assert message.startswith("tiny.vcedge: ")
    assert expected in message


@pytest.mark.parametrize("path", leaves(manifest_of(tiny_detector())))
def test_manifest_without_a_key_or_with_another_type_is_refused(path: str) -> None:
    last = path.rpartition(".")[2]
    spelled = path.replace(".0", "[0]")
    assert f"key '{spelled}' is missing" in refusal(manifest_without(path)(SOUND))
    wrong = [1] if last in ("reading", "provenance") else {"a": 1}
    assert spelled in refusal(manifest_with(path, wrong)(SOUND))
    assert f"unknown key '{spelled}x'" in refusal(manifest_with(f"{path}x", 1)(SOUND))


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_malicious_files_are_refused(name: str) -> None:
    data = (MODELS / name / "model.vcedge").read_bytes()
    with pytest.raises(ModelFileError) as caught:
        loads(data, "model.vcedge")
    assert f"{caught.value}\n" == (MODELS / name / "expected.err").read_text()


def test_committed_model_gives_the_golden_scores() -> None:
    detector = load(MODEL)
    assert_equal(detector, tiny_detector())
    times, values = tiny_input()
    found = [score_row(score) for score in scores_of(detector, times, values)]
    with (TINY / "expected.csv").open(newline="") as file:
        _, *expected = csv.reader(file)
    assert len(found) == len(expected)
    numbers = [np.array([[float(x) for x in row[1:3]] for row in rows]) for rows in (found, expected)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-4, atol=1e-6)
    assert [row[:1] + row[3:7] for row in found] == [row[:1] + row[3:7] for row in expected]
    assert {row[6] for row in expected} == {"warmup", "ok", "imputed", "limit", "gap", "stale"}


def _loads_or_refuses(data: bytes) -> Detector | None:
    try:
        return loads(data, "tiny.vcedge")
    except ModelFileError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 (both outcomes are right)
        return None


@given(st.integers(0, len(SOUND) - 1))
@example(0)
@example(8)
def test_truncated_file_is_refused(length: int) -> None:
    assert _loads_or_refuses(SOUND[:length]) is None


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_are_refused_or_load_to_a_valid_detector(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SOUND)
    for position, value in changes:
        data[position] = value
    detector = _loads_or_refuses(bytes(data))
    if detector is not None:
        assert_equal(detector, loads(dumps(detector)))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert _loads_or_refuses(data) is None
