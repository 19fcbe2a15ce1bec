"""Real recordings of many kinds, as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.real_data import data_dir
from vcedge.config.train import DataConfig
from vcedge.errors import DataError
from vcedge.history import Recording, load_history

HOUR, MINUTE = 3600.0, 60.0


def load(*patterns: str, **data: Any) -> Recording:
    return load_history(DataConfig(train=list(patterns), **data), data_dir())


def constants(recording: Recording) -> list[str]:
    """Return the names of the channels that stood still."""
    return [name for name, channel in recording.report.channels.items() if channel.constant]


def iso(time_ns: int) -> str:
    return str(np.datetime64(int(time_ns), "ns").astype("datetime64[s]"))


def test_skab_a_rig_at_one_hertz() -> None:
    recording = load("SKAB/data/anomaly-free/*.csv", exclude=["anomaly", "changepoint"])
    assert recording.values.shape == (9405, 8)
    assert recording.schema.names[-1] == "Volume Flow RateRMS"
    assert recording.values[0].tolist() == [0.202394, 0.275154, 2.16975, 0.382638, 90.6454, 26.8508, 238.852, 122.664]
    assert iso(recording.time_ns[0]) == "2020-02-08T13:30:47"
    assert recording.schema.period_ns == 1_000_000_000
    assert len(recording.sequences) == 1
    assert recording.report.warnings == []


def test_skab_many_files_with_labels() -> None:
    recording = load("SKAB/data/valve1/*.csv")
    assert recording.values.shape == (18_160, 10)
    assert len(recording.report.files) == len(recording.files) == 16
    assert len(recording.sequences) == 4
    assert recording.report.longest_gap_s == 76.0
    assert recording.schema.names[-2:] == ("anomaly", "changepoint")
    assert any("'anomaly' looks like a label" in line for line in recording.report.lines())
    everything = load("SKAB/data/*/*.csv", channels=[{"name": "Pressure", "low": -1.0, "high": 10.0}])
    assert everything.report.duplicate_times == 1290
    assert any("overlap in time (and 4 more pairs)" in line for line in everything.report.lines())


@pytest.mark.parametrize(
    ("number", "rows", "channels", "left_out"),
    [
        ("03", 8761, 43, ["ATT_FLAG"]),  # always 0 in this one
        ("04", 4177, 44, []),
    ],
)
def test_batadal_spaces_around_names_and_a_time_of_its_own(
    number: str, rows: int, channels: int, left_out: list[str]
) -> None:
    pattern = f"BATADAL/BATADAL_dataset{number}.csv"
    recording = load(pattern, time={"format": "%d/%m/%y %H"})
    assert recording.values.shape == (rows, channels)
    assert list(recording.report.left_out) == left_out
    still = ["S_PU1", "F_PU3", "S_PU3", "F_PU5", "S_PU5", "F_PU9", "S_PU9"]
    assert constants(recording) == still
    assert recording.schema.period_ns == HOUR * 1e9
    assert len(recording.sequences) == 1
    assert recording.schema.names[:3] == ("L_T1", "L_T2", "L_T3")
    assert not np.isnan(recording.values).any()
    with pytest.raises(DataError, match=r"'DATETIME'.*'(06/01/14|04/07/16) 00' is neither.*data\.time\.format"):
        load(pattern)


def test_gecco_gzipped() -> None:
    recording = load("GECCO2018/gecco2018_train.csv.gz", exclude=["EVENT"])
    assert recording.values.shape == (139_566, 9)
    assert recording.report.channels["Cl"].missing == 1045
    assert recording.report.channels["Tp"].missing == 1044
    assert recording.schema.period_ns == MINUTE * 1e9
    assert (iso(recording.time_ns[0]), iso(recording.time_ns[-1])) == ("2016-08-03T09:49:00", "2016-11-08T07:54:00")


def test_epa_the_first_column_is_the_time_by_its_format() -> None:
    recording = load("GECCO2018/epa_canary_stationB.csv.gz", time={"format": "%m/%d/%Y %H:%M:%S"})
    assert recording.values.shape == (7200, 12)
    assert recording.schema.period_ns == 20 * MINUTE * 1e9
    assert int(np.isnan(recording.values).sum()) == 36


def test_smd_arrays_of_four_servers() -> None:
    recording = load("SMD/*.npz", table={"array": "train"})
    assert recording.values.shape == (94_777, 38)
    assert constants(recording) == ["ch7", "ch26", "ch36", "ch37"]
    assert [stop - start for start, stop in recording.sequences] == [23_688, 23_697, 23_693, 23_699]


def test_tep_transposed_or_not_without_heading_and_time() -> None:
    normal = load("TEP/d00.dat", table={"transpose": True}, time={"period_s": 180})
    test = load("TEP/d00_te.dat", time={"period_s": 180})
    assert (normal.values.shape, test.values.shape) == ((500, 52), (960, 52))
    assert normal.schema == test.schema
    assert normal.values[0, :2].tolist() == [0.24987, 3642.6]
    assert abs(normal.values.mean(axis=0) / test.values.mean(axis=0) - 1).max() < 0.1  # the same plant
    assert not test.report.has_time


def test_nab_repeated_and_unsorted_times() -> None:
    folder = "NAB/data/realKnownCause/"
    recording = load(folder + "machine_temperature_system_failure.csv")
    assert recording.values.shape == (22_683, 1)
    assert (recording.report.rows, recording.report.duplicate_times, recording.report.unsorted) == (22_695, 12, 1)
    assert (np.diff(recording.time_ns) == 300 * 10**9).all()
    recording = load(folder + "ambient_temperature_system_failure.csv")
    assert (recording.report.gaps, len(recording.sequences)) == (8, 9)
    assert recording.report.longest_gap_s == 626_400


def test_nab_files_of_every_folder_load() -> None:
    paths = sorted((data_dir() / "NAB" / "data").glob("*/*.csv"))
    assert len(paths) == 58
    flat = []
    for path in paths[::3]:  # a third of them, of each folder, for the time it takes
        recording = load_history(DataConfig(train=[str(path)]), Path())
        flat += [path.name] if constants(recording) else []
        assert recording.schema.names == ("value",)
        assert 1000 < len(recording.values) <= recording.report.rows
        assert len(recording.sequences) < 100
    assert flat == ["art_flatline.csv"]


def test_oddwater_irregular_sampling_is_one_sequence() -> None:
    recording = load("ODDWATER/sandy.csv", exclude=["label_*", "type_*"])
    assert recording.schema.names == ("Level", "Cond", "Tur")
    assert recording.values.shape == (5402, 3)
    assert recording.schema.period_ns == 90 * MINUTE * 1e9
    assert recording.sequences == ((0, 5402),)
    assert 0.15 < recording.report.irregular < 0.17
    assert (recording.report.interval_q05_s, recording.report.interval_q95_s) == (5400, 10_800)


def test_bibmon_texts_among_numbers_and_constant_tags() -> None:
    recording = load("BIBMON_REAL/*.csv")
    assert recording.values.shape == (3169, 108)
    texts = {name: dict(channel.texts) for name, channel in recording.report.channels.items() if channel.texts}
    assert texts == {
        "tag2": {"Inp OutRange": 156},
        "tag34": {"Bad": 14},
        "tag36": {"Scan Timeout": 1},
        "tag70": {"Bad": 326},
        "tag72": {"Scan Timeout": 1},
    }
    assert int(np.isnan(recording.values).sum()) == 156 + 14 + 1 + 326 + 1
    constant = [4, 13, 14, 43, 45, 47, 49, 50, 51, 52, 53, 54, 66, 92]
    assert constants(recording) == [f"tag{i}" for i in constant]
    assert recording.schema.period_ns == 5 * MINUTE * 1e9
