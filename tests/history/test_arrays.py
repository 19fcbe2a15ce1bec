"""Tables in numpy's files and in Parquet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.history.conftest import all_rows, load
from vcedge.config.train import ReadingConfig, TableConfig
from vcedge.errors import ConfigError, DataError
from vcedge.history import NO_TIME, open_rows
from vcedge.schema import schema_of

MATRIX = np.array([[1.0, 10.0], [2.0, 20.0], [np.nan, 30.0], [np.inf, 45.0]])
STAMPS = np.array(["2024-01-01", "2024-01-02", "2024-01-03", "NaT"], "datetime64[s]")
DAY = 86_400_000_000_000
START = int(STAMPS[0].astype("datetime64[ns]").astype(np.int64))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_npy_is_read(dtype: type, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, MATRIX.astype(dtype))
    recording = load(path, time={"period_s": 60})
    assert recording.schema.names == ("ch0", "ch1")
    np.testing.assert_array_equal(recording.values, np.where(np.isinf(MATRIX), np.nan, MATRIX))
    assert np.diff(recording.time_ns).tolist() == [60_000_000_000] * 3
    assert recording.report.channels["ch0"].texts == {"inf": 1}


def test_npy_transposed_and_one_dimensional(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, MATRIX.T)
    assert load(path, table={"transpose": True}).values.shape == (4, 2)
    np.save(path, MATRIX[:, 1])
    assert load(path).values.tolist() == [[10.0], [20.0], [30.0], [45.0]]


def test_npz_of_columns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, time=STAMPS, Pressure=MATRIX[:, 1], Name=np.array(list("abcd")))
    recording = load(path)
    assert recording.schema.names == ("Pressure",)
    assert recording.time_ns.tolist() == [START, START + DAY, START + 2 * DAY]
    assert recording.report.unreadable_times == 1
    assert recording.report.left_out == {"Name": "not numbers"}


def test_npz_with_labels_beside_the_matrix(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, test=MATRIX, other=MATRIX[:2], label=np.array([0, 0, 1, 1]), time=STAMPS.astype(str))
    table = TableConfig(array="test")
    assert load(path, table={"array": "test"}).schema.names == ("ch0", "ch1")
    schema = schema_of(["ch0", "ch1"], 1, 10)
    block = all_rows(open_rows([path], schema, ReadingConfig(table=table), ["label"]))
    assert block.extra["label"].tolist() == [0, 0, 1, 1]
    assert block.time_ns[:2].tolist() == [START, START + DAY]
    assert block.time_ns[3] == NO_TIME


@pytest.mark.parametrize(
    ("arrays", "table", "message"),
    [
        ({"train": MATRIX, "test": MATRIX}, {}, r"data\.table\.array: train \(4, 2\), test \(4, 2\)"),
        ({"train": MATRIX}, {"array": "trian"}, "has no array 'trian'"),
        ({"cube": np.zeros((2, 2, 2))}, {}, r"'cube' is float64 \(2, 2, 2\)"),
        ({"names": np.array(["a", "b"])}, {}, "expected a matrix of numbers"),
        ({"empty": np.zeros((0, 3))}, {}, "without rows"),
        ({"x": np.array([object()])}, {}, "cannot be read as numpy arrays"),
        ({"x": np.array(1.0)}, {}, "without numpy arrays"),
    ],
)
def test_arrays_without_a_table_are_refused(
    arrays: dict[str, Any], table: dict[str, str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        load(path, table=table)


def test_truncated_npy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, MATRIX)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match="cannot be read as numpy arrays"):
        load(path)


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def test_parquet_types_are_read(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        {
            "time": pa.array(STAMPS.astype("datetime64[us]"), pa.timestamp("us", tz="Europe/Berlin")),
            "float": pa.array([1.5, None, 3.5, 4.5]),
            "int": pa.array([1, 2, None, 4], pa.int64()),
            "small": pa.array([1, 2, 3, 4], pa.uint8()),
            "on": pa.array([True, False, None, True]),
            "price.of": pa.array([1, 2, 3, 5]).cast(pa.decimal128(22, 2)),
            "text": pa.array(["1", "Bad", "3", None]).dictionary_encode(),
            "note": pa.array(["a", "b", "c", "d"]),
            "nested": pa.array([[1], [2], [3], [4]]),
        },
    )
    recording = load(path)
    assert recording.schema.names == ("float", "int", "small", "on", "price.of", "text")
    nan = np.nan
    expected = [[1.5, 1, 1, 1, 1, 1], [nan, 2, 2, 0, 2, nan], [3.5, nan, 3, nan, 3, 3]]
    np.testing.assert_array_equal(recording.values, expected)
    assert recording.time_ns.tolist() == [START, START + DAY, START + 2 * DAY]
    assert recording.report.unreadable_times == 1
    assert recording.report.channels["text"].texts == {"Bad": 1}
    assert recording.report.left_out == {"note": "not numbers"}


@pytest.mark.parametrize(
    "times",
    [
        pa.array(STAMPS[:3].astype("datetime64[D]")),
        pa.array(STAMPS[:3].astype("datetime64[ns]")),
        pa.array(STAMPS[:3].astype(str).tolist()),
        pa.array(STAMPS[:3].astype(np.int64)),
        pa.array(STAMPS[:3].astype("datetime64[ms]").astype(np.int64)),
        pa.array(STAMPS[:3].astype(np.int64).astype(np.float64) + 0.0),
    ],
)
def test_parquet_times_are_read(times: pa.Array, tmp_path: Path) -> None:
    recording = load(parquet(tmp_path / "a", {"x": pa.array([1.0, 2.0, 3.0]), "Timestamp": times}))
    assert recording.time_ns.tolist() == [START, START + DAY, START + 2 * DAY]
    assert recording.schema.names == ("x",)


def test_index_of_a_data_frame_is_the_time(tmp_path: Path) -> None:
    index = pa.array(STAMPS[:3].astype("datetime64[ns]"))
    path = parquet(tmp_path / "a", {"__index_level_0__": index, "x": pa.array([1.0, 2.0, 3.0])})
    assert load(path).time_ns.tolist() == [START, START + DAY, START + 2 * DAY]
    path = parquet(tmp_path / "b", {"__index_level_0__": pa.array([0, 1, 2]), "x": pa.array([1.0, 2.0, 3.0])})
    recording = load(path)
    assert not recording.report.has_time
    assert recording.schema.names == ("x",)


def test_invalid_parquet_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"x": pa.array([1.0, 2.0])})
    with pytest.raises(ConfigError, match="cannot be transposed"):
        load(path, table={"transpose": True})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="damaged Parquet file"):
        load(path)
    with pytest.raises(DataError, match="has no rows"):
        load(parquet(tmp_path / "b.parquet", {"x": pa.array([], pa.float64())}))


def test_base_install_reads_csv_and_names_the_extra_for_parquet(tmp_path: Path) -> None:
    """Use a fresh process where pyarrow cannot be imported, as on a device."""
    (tmp_path / "a.csv").write_text("time,x\n2024-01-01,1\n2024-01-02,2\n")
    parquet(tmp_path / "a.parquet", {"x": pa.array([1.0, 2.0])})
    code = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from vcedge.config.train import DataConfig
from vcedge.errors import Unavailable
from vcedge.history import load_history
folder = Path(sys.argv[1])
assert len(load_history(DataConfig(train=["a.csv"]), folder).values) == 2
assert not {"torch", "pandas"} & set(sys.modules)
try:
    load_history(DataConfig(train=["a.parquet"]), folder)
except Unavailable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "a.parquet: reading Parquet needs pyarrow: pip install 'vcedge[train]'" in done.stdout
