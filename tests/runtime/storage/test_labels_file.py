"""labels.csv of an asset: appended whole, readable by training, and never at the cost of a person's own lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vcedge.history.labels import read_label_files
from vcedge.labels import HEADER, Label
from vcedge.runtime.storage.labels_file import LabelsFile
from vcedge.runtime.storage.state_dir import StateDir

LABEL = Label("pump", "anomaly-1", "anomaly", 10**18, 10**18 + 5, "fault", "Kim", 'said "no", twice', 2 * 10**18)


def test_lines_are_appended_and_read_back(tmp_path: Path) -> None:
    file = LabelsFile(StateDir(tmp_path), "pump")
    second = Label("pump", "anomaly-2", "anomaly", 3 * 10**18, 3 * 10**18, "false_alarm", at_ns=4 * 10**18)
    file.append([LABEL])
    file.append([second, LABEL])
    assert file.path == tmp_path / "assets" / "pump" / "labels.csv"
    assert file.path.read_text().splitlines()[0] == HEADER
    assert len(file.path.read_text().splitlines()) == 4
    assert read_label_files([file.path]) == [second, LABEL]
    assert list(file.path.parent.iterdir()) == [file.path]


@pytest.mark.parametrize("content", ["", "\n", f"{HEADER}", f"\ufeff{HEADER}\r\n"])
def test_a_file_without_a_label_gets_one(content: str, tmp_path: Path) -> None:
    file = LabelsFile(StateDir(tmp_path), "pump")
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(content.encode())
    file.append([LABEL])
    assert read_label_files([file.path]) == [LABEL]


def test_a_last_line_without_a_line_feed_is_kept(tmp_path: Path) -> None:
    file = LabelsFile(StateDir(tmp_path), "pump")
    by_hand = Label("", "", "", 10**18, 10**18, "maintenance")
    file.path.parent.mkdir(parents=True)
    file.path.write_text(f"{HEADER}\n{by_hand.line()}")
    file.append([LABEL])
    assert read_label_files([file.path]) == [by_hand, LABEL]


def test_a_file_with_other_columns_is_left_alone(tmp_path: Path) -> None:
    file = LabelsFile(StateDir(tmp_path), "pump")
    file.path.parent.mkdir(parents=True)
    file.path.write_text("start,end,judged\n")
    with pytest.raises(OSError, match="begins with 'start,end,judged', expected"):
        file.append([LABEL])
    assert file.path.read_text() == "start,end,judged\n"


def test_what_a_crash_left_half_written_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = LabelsFile(StateDir(tmp_path), "pump")
    file.append([LABEL])
    before = file.path.read_bytes()
    (file.path.parent / "labels.csv.new").write_bytes(before + b"pump,anoma")
    assert read_label_files([file.path]) == [LABEL]
    file.append([LABEL])
    assert os.listdir(file.path.parent) == ["labels.csv"]
    assert file.path.read_bytes() == before + before.splitlines(keepends=True)[-1]
