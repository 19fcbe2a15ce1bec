"""Labels: accepted spellings in every kind of file, and refusals with their row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.config.train import ReadingConfig
from vcedge.errors import DataError
from vcedge.evaluation.labels import ANOMALOUS, NORMAL, read_labels

TRUTH = [False, True, True, False, False, True]


def write(path: Path, words: list[str]) -> Path:
    path.write_text("a,truth\n" + "".join(f"{i}.5,{word}\n" for i, word in enumerate(words)))
    return path


def read(path: Path, column: str = "truth") -> list[bool]:
    return [bool(wrong) for wrong in read_labels(path, column, ReadingConfig())]


@pytest.mark.parametrize(
    ("normal", "anomalous"),
    [("0", "1"), ("0.0", "1.0"), ("false", "TRUE"), ("Normal", "Attack"), ("ok", "fault"), (" no ", "Yes")],
)
def test_spellings_are_read(tmp_path: Path, normal: str, anomalous: str) -> None:
    path = write(tmp_path / "a.csv", [anomalous if wrong else normal for wrong in TRUTH])
    assert read(path) == TRUTH


def test_spellings_of_normal_and_anomalous_are_disjoint() -> None:
    assert not NORMAL & ANOMALOUS
    assert all(word == word.strip().lower() for word in NORMAL | ANOMALOUS)


@pytest.mark.parametrize("word", ["", "-999", "2", "nan", "perhaps", "x" * 60, "0;1"])
def test_unknown_label_is_refused_with_its_row(tmp_path: Path, word: str) -> None:
    path = write(tmp_path / "a.csv", ["0", "1", "0", word, "1"])
    with pytest.raises(DataError, match=r"a\.csv: row 4 of column 'truth' is '.{0,40}', expected 0 or 1, true or"):
        read(path)


def test_missing_column_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'truth'"):
        read(write(tmp_path / "a.csv", ["0", "1"]), "thruth")


@pytest.mark.parametrize("kind", [np.int64, np.float64, np.bool_])
def test_labels_of_arrays_are_read(tmp_path: Path, kind: type) -> None:
    np.savez(tmp_path / "a.npz", test=np.zeros((6, 2)), truth=np.array(TRUTH).astype(kind))
    assert read(tmp_path / "a.npz") == TRUTH


@pytest.mark.parametrize("form", ["bool", "int64", "float64", "words"])
def test_labels_of_parquet_are_read(tmp_path: Path, form: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    truth = ["Attack" if t else "Normal" for t in TRUTH] if form == "words" else np.array(TRUTH).astype(form)
    pq.write_table(pa.table({"a": np.zeros(6), "truth": truth}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == TRUTH


def test_long_file_has_a_label_per_row(tmp_path: Path) -> None:
    truth = (np.arange(30_000) % 7 == 0).tolist()
    path = write(tmp_path / "a.csv", ["Attack" if t else "Normal" for t in truth])
    assert read(path) == truth


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    path = tmp_path_factory.mktemp("labels") / "a.npz"
    with path.open("wb") as file:
        np.savez(file, test=np.zeros((len(words), 2)), truth=np.array(words))
    known = [word.rstrip("\0").strip().lower() for word in words]
    if all(word in NORMAL | ANOMALOUS for word in known):
        assert read(path) == [word in ANOMALOUS for word in known]
    else:
        with pytest.raises(DataError, match=r"row \d+ of column"):
            read(path)
