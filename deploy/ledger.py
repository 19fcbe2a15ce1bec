"""Records what `vcedge deploy` wrote on a device, so that it changes and removes nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vcedge.deploy.layout import Layout
from vcedge.errors import InputOutputError
from vcedge.files import replace_link, write_atomic

TREE, FOLDER, LINK = "tree", "folder", "link:"


class Ledger:
    """Writes files, links and folders, and remembers each with its digest in /opt/vcedge/installed.json.

    `report` gets one line for each change; with `dry_run` nothing else happens.
    """

    def __init__(self, layout: Layout, report: Callable[[str], None], *, dry_run: bool = False) -> None:
        """Read the ledger of a layout. Raises InputOutputError if it cannot be read."""
        self.report, self.dry_run = report, dry_run
        self._layout = layout
        self._file = layout.home / "installed.json"
        self._entries = self._read()
        self._undo: list[Callable[[], None]] = []

    def write_file(self, path: Path, data: bytes, mode: int = 0o644) -> bool:
        """Write a file unless it has this content, and return whether it changed.

        Raises InputOutputError for a file that vcedge deploy did not write, or that was changed since.
        """
        found = path.read_bytes() if path.is_file() else None
        if found == data:
            return False
        if found is not None or path.is_symlink():
            self._refuse_foreign(path, found)
        self.report(f"write {path}")
        if not self.dry_run:
            self.make_folder(path.parent)
            before = None if found is None else stat.S_IMODE(path.stat().st_mode)
            self._undo.append(partial(self._restore, path, found, before))
            write_atomic(path, data)
            path.chmod(mode)
            self._remember(path, _digest(data))
        return True

    def make_link(self, path: Path, target: str) -> bool:
        """Point a link at this target atomically, and return whether it changed. Raises as `write_file` does."""
        found = str(path.readlink()) if path.is_symlink() else None
        if found == target:
            return False
        if (found is not None or path.exists()) and not self._entries.get(self._key(path), "").startswith(LINK):
            raise InputOutputError(f"{path}: exists and was not made by vcedge deploy: move it away")
        self.report(f"link {path} -> {target}")
        if not self.dry_run:
            self.make_folder(path.parent)
            self._undo.append(partial(self._restore_link, path, found))
            replace_link(path, target)
            self._remember(path, LINK + target)
        return True

    def make_folder(self, path: Path, mode: int = 0o755) -> None:
        """Make a folder and its parents. An existing folder is not recorded, and so never removed."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        if not self.dry_run:
            path.mkdir(mode=mode, exist_ok=True)  # writing the ledger may have made it already
            self._undo.append(partial(self._restore_absence, path))
            self._remember(path, FOLDER)

    def add_undo(self, step: Callable[[], None]) -> None:
        """Add a step for `undo`, for a change that the ledger does not record, such as one to the state."""
        self._undo.append(step)

    def adopt_tree(self, path: Path) -> None:
        """Record a folder that was made with all its content."""
        if not self.dry_run:
            self._remember(path, TREE)

    def remove_tree(self, path: Path) -> None:
        """Remove a recorded folder with all its content."""
        self.report(f"remove {path}")
        if not self.dry_run:
            shutil.rmtree(path, ignore_errors=True)
            self._drop(path)

    def remove_all(self) -> list[Path]:
        """Remove all that is recorded in reverse order, except files that were changed since, and folders in use.

        Returns the files that remain.
        """
        kept = []
        for key in reversed(list(self._entries)):
            path, entry = self._layout.at(key), self._entries[key]
            if not path.exists() and not path.is_symlink():
                continue
            if not _is_as_written(path, entry):
                kept.append(path)
                continue
            if entry == FOLDER:
                continue
            self.report(f"remove {path}")
            if not self.dry_run:
                shutil.rmtree(path) if entry == TREE else path.unlink()
        if not self.dry_run:
            self._file.unlink(missing_ok=True)
            self._remove_empty_folders()
        return kept

    def undo(self) -> None:
        """Restore what this ledger changed, in reverse order."""
        while self._undo:
            self._undo.pop()()
        if not self._entries:
            self._file.unlink(missing_ok=True)

    def _restore(self, path: Path, data: bytes | None, mode: int | None) -> None:
        self.report(f"restore {path}")
        if data is None or mode is None:
            path.unlink(missing_ok=True)
            self._drop(path)
        else:
            write_atomic(path, data)
            path.chmod(mode)
            self._remember(path, _digest(data))

    def _restore_absence(self, folder: Path) -> None:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            self._drop(folder)

    def _restore_link(self, path: Path, target: str | None) -> None:
        self.report(f"restore {path}")
        if target is None:
            path.unlink(missing_ok=True)
            self._drop(path)
        else:
            replace_link(path, target)
            self._remember(path, LINK + target)

    def _remove_empty_folders(self) -> None:
        for key in sorted((key for key, entry in self._entries.items() if entry == FOLDER), key=len, reverse=True):
            path = self._layout.at(key)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def _refuse_foreign(self, path: Path, found: bytes | None) -> None:
        entry = self._entries.get(self._key(path))
        if entry is None:
            raise InputOutputError(f"{path}: exists and was not written by vcedge deploy: move it away")
        if found is None or entry != _digest(found):
            hint = f"; for a unit use {path.name}.d/*.conf" if path.suffix == ".service" else ""
            raise InputOutputError(f"{path}: was changed since vcedge deploy wrote it: move it away{hint}")

    def _key(self, path: Path) -> str:
        return "/" + str(path.relative_to(self._layout.root))

    def _remember(self, path: Path, entry: str) -> None:
        self._entries[self._key(path)] = entry
        self._write()

    def _drop(self, path: Path) -> None:
        self._entries.pop(self._key(path), None)
        self._write()

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._file, (json.dumps(self._entries, indent=1) + "\n").encode())

    def _read(self) -> dict[str, str]:
        try:
            entries = json.loads(self._file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise InputOutputError(f"{self._file}: cannot be read: {error}") from None
        if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
            raise InputOutputError(f"{self._file}: expected an object of paths and digests")
        return entries


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_as_written(path: Path, entry: str) -> bool:
    if entry in (TREE, FOLDER):
        return path.is_dir() and not path.is_symlink()
    if entry.startswith(LINK):
        return path.is_symlink() and LINK + str(path.readlink()) == entry
    return path.is_file() and not path.is_symlink() and _digest(path.read_bytes()) == entry
