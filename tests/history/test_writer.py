"""Written recordings are read back exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.history.conftest import all_rows
from vcedge.config.train import ReadingConfig
from vcedge.errors import DataError, InputOutputError
from vcedge.history import CsvWriter, open_rows
from vcedge.schema import schema_of

NAMES = ["Pressure, inlet", 'Flow "raw"', "Öl °C"]
SCHEMA = schema_of(NAMES, 1, 10)
START = 1_700_000_000_000_000_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(allow_infinity=False)),
    st.sampled_from([1_000_000_000, 1_000_000, 1_000, 1]),
)
def test_round_trip(tmp_path: Path, values: np.ndarray, step_ns: int) -> None:
    path = tmp_path / "a.csv"
    times = START + np.arange(len(values), dtype=np.int64) * step_ns
    with CsvWriter(path, NAMES, flush_rows=7) as writer:
        writer.append_many(times, values)
    block = all_rows(open_rows([path], SCHEMA, ReadingConfig()))
    assert block.time_ns.tolist() == times.tolist()
    np.testing.assert_array_equal(block.values, values)
    assert np.signbit(block.values[block.values == 0]).tolist() == np.signbit(values[values == 0]).tolist()


def test_spelling_of_numbers_and_times(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with CsvWriter(path, ["a", "b"]) as writer:
        writer.append(START, np.array([0.1, np.nan]))
        writer.append(START + 1_500_000, np.array([np.inf, -2e-9]))
    assert path.read_text() == ("time,a,b\n2023-11-14T22:13:20.000Z,0.1,\n2023-11-14T22:13:20.001500Z,,-2e-09\n")


def test_rows_are_flushed_at_once_or_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    writer = CsvWriter(path, ["a"])
    writer.append(START, np.array([1.0]))
    assert path.read_text().count("\n") == 2
    writer.close()
    writer.close()
    writer = CsvWriter(path, ["a"], flush_rows=3)
    counts = []
    for i in range(4):
        writer.append(START + i, np.array([1.0]))
        counts.append(path.read_text().count("\n"))
    writer.close()
    assert counts == [0, 0, 4, 4]


def test_append_to_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for i in range(2):
        with CsvWriter(path, NAMES, append=True) as writer:
            writer.append(START + i * 1_000_000_000, np.full(3, float(i)))
    path.write_bytes(path.read_bytes()[:-3])
    with CsvWriter(path, NAMES, append=True) as writer:
        writer.append(START + 5_000_000_000, np.full(3, 5.0))
    block = all_rows(open_rows([path], SCHEMA, ReadingConfig()))
    assert len(block.values) == 3
    assert block.values[2].tolist() == [5.0] * 3
    with pytest.raises(DataError, match="has the columns time, Pressure"):
        CsvWriter(path, ["other"], append=True)


def test_unwritable_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match="cannot be written: No such file"):
        CsvWriter(tmp_path / "no" / "a.csv", ["a"])
    with pytest.raises(DataError, match="must differ"):
        CsvWriter(tmp_path / "a.csv", ["a", "a"])
    with pytest.raises(DataError, match="must differ"):
        CsvWriter(tmp_path / "a.csv", ["time"])
    writer = CsvWriter(Path("/dev/full"), ["a"])
    with pytest.raises(InputOutputError, match="/dev/full: cannot be written: No space left"):
        writer.append(START, np.array([1.0]))
    with pytest.raises(InputOutputError, match="No space left"):
        writer.close()
