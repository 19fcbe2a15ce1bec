"""The links `current` and `previous`: at any time each points to a complete model or does not exist."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcedge.deploy.remote import place_update
from vcedge.errors import UsageError
from vcedge.runtime.storage.model_store import ModelStore

STEPS = st.lists(st.tuples(st.sampled_from(["add", "switch", "back", "prune"]), st.integers(0, 3)), max_size=20)


def content(number: int) -> bytes:
    return f"model {number}".encode()


def digest(number: int) -> str:
    return hashlib.sha256(content(number)).hexdigest()


@settings(max_examples=40)  # every step is flushed to the disk
@given(STEPS)
def test_links_are_valid_after_any_sequence_of_steps(steps: list[tuple[str, int]]) -> None:
    """Compared with a model of two variables and a set."""
    with TemporaryDirectory() as folder:
        store = ModelStore(Path(folder), "pump")
        current: str | None = None
        previous: str | None = None
        for step, number in steps:
            if step in ("add", "switch"):
                assert store.add(content(number)) == digest(number)
            if step == "switch" and digest(number) != current:
                store.switch(digest(number))
                current, previous = digest(number), current
            elif step == "back":
                assert store.roll_back() == previous
                if previous is not None:
                    current, previous = previous, current
            elif step == "prune" and store.folder.is_dir():
                store.prune()
                kept = {path.name for path in store.folder.iterdir() if not path.is_symlink()}
                assert kept == {current, previous} - {None}
            assert (store.current, store.previous) == (current, previous)
            for name in (current, previous):
                assert name is None or hashlib.sha256(store.path(name).read_bytes()).hexdigest() == name


def test_damaged_copy_is_written_again(tmp_path: Path) -> None:
    store = ModelStore(tmp_path, "pump")
    store.add(content(1))
    store.path(digest(1)).write_bytes(b"half a mod")
    assert store.path(store.add(content(1))).read_bytes() == content(1)


def test_dangling_link_counts_as_no_model(tmp_path: Path) -> None:
    store = ModelStore(tmp_path, "pump")
    store.switch(store.add(content(1)))
    store.path(digest(1)).unlink()
    assert store.current is None


@pytest.mark.parametrize("asset", ["", "..", "a/b", "/etc"])
def test_asset_name_cannot_leave_its_folder(asset: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        ModelStore(tmp_path, asset)


def test_foreign_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Root writes into the folder too, and the folder belongs to the service."""
    outside = tmp_path / "passwd"
    outside.write_text("root")
    outside.chmod(0o600)
    store = ModelStore(tmp_path, "pump")
    store.folder.mkdir()
    for path in (store.path(digest(1)), store.folder / "trial", tmp_path / "updates" / ".pump"):
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(outside)
    store.add(content(1))
    store.write_note("trial", "{}")
    update = place_update(tmp_path, "pump", b"update")
    assert (store.path(digest(1)).read_bytes(), store.read_note("trial"), update.read_bytes()) == (
        content(1),
        "{}",
        b"update",
    )
    assert (outside.read_text(), outside.stat().st_mode & 0o777) == ("root", 0o600)
