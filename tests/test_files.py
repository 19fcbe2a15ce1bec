"""Atomic replacement of files and links."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from vcedge import files


def test_replace_keeps_the_old_file_if_the_block_raises(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    with suppress(RuntimeError), files.replace(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("state", b"old")]


def test_replace_overwrites_the_temporary_file_of_a_crash_and_keeps_the_previous_content(tmp_path: Path) -> None:
    path, temporary, previous = (tmp_path / name for name in ("state", "state.new", "previous"))
    path.write_bytes(b"old")
    temporary.write_bytes(b"left by a crash")
    with files.replace(path, temporary=temporary, previous=previous) as file:
        file.write(b"new")
    assert (path.read_bytes(), previous.read_bytes(), temporary.exists()) == (b"new", b"old", False)


def test_replace_replaces_a_link_and_open_atomic_its_target(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"target")
    link.symlink_to(target)
    files.write_atomic(link, b"through the link")
    assert link.is_symlink()
    assert target.read_bytes() == b"through the link"
    with files.replace(link) as file:
        file.write(b"own")
    assert not link.is_symlink()
    assert target.read_bytes() == b"through the link"


def test_replace_names_the_path_in_errors(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing/model"), files.replace(tmp_path / "missing" / "model"):
        pass


def test_replace_link_replaces_a_link(tmp_path: Path) -> None:
    link = tmp_path / "current"
    for target in ("one", "two"):
        files.replace_link(link, target)
        assert str(link.readlink()) == target
    assert [entry.name for entry in tmp_path.iterdir()] == ["current"]
