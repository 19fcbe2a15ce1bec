"""The folder of a demonstration: its own is emptied, any other is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcedge.demo.folder import make_folder
from vcedge.errors import UsageError


def test_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a" / "b")
    assert folder.log("service").parent.is_dir()


def test_empty_folder_is_used(tmp_path: Path) -> None:
    make_folder(tmp_path)


def test_folder_of_a_demonstration_is_emptied_without_following_links(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    folder = make_folder(tmp_path / "demo")
    folder.healthy.write_text("old")
    (folder.path / "link").symlink_to(other)
    (folder.path / "model").mkdir()
    make_folder(folder.path)
    assert {item.name for item in folder.path.iterdir()} == {"logs", ".vcedge-demo"}
    assert (other / "mine.txt").read_text() == "mine"


def test_other_folder_is_refused_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other files, expected a new or empty folder"):
        make_folder(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(UsageError, match=r"is a file, expected a folder"):
        make_folder(tmp_path / "mine.txt")
