"""Stores the models of one asset on a device: files named by digest, with the links `current` and `previous`."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from vcedge import files
from vcedge.errors import UsageError

_MODEL = re.compile("[0-9a-f]{64}")
CURRENT, PREVIOUS = "current", "previous"


class ModelStore:
    """Manages the folder `models/<asset>`, whose links it replaces atomically: a reader finds the old or new model."""

    def __init__(self, models: Path, asset: str) -> None:
        """Use the folder of `asset` below `models`. Raises UsageError if its name cannot be that of a folder."""
        if asset in ("", ".", "..") or "/" in asset or "\0" in asset:
            raise UsageError(f"asset {asset!r}: cannot be the name of a folder")
        self.folder = models / asset

    @property
    def current(self) -> str | None:
        """Hexadecimal digest of the model in use; None if there is none."""
        return self._target(CURRENT)

    @property
    def previous(self) -> str | None:
        """Hexadecimal digest of the model that was in use before; None if there is none."""
        return self._target(PREVIOUS)

    def path(self, digest: str) -> Path:
        """Return the path of a model file."""
        return self.folder / digest

    def add(self, data: bytes) -> str:
        """Store a model without using it, and return its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.path(digest).is_file() or self.path(digest).read_bytes() != data:
            make_owned_folder(self.folder)
            write_owned(self.path(digest), data)
        return digest

    def switch(self, digest: str) -> None:
        """Point `current` at a stored model, and `previous` at the one before."""
        before = self.current
        if before == digest:
            return
        if before is not None:
            self._link(PREVIOUS, before)
        self._link(CURRENT, digest)

    def roll_back(self) -> str | None:
        """Exchange `current` and `previous`, and return the new current digest; None if there is no previous model."""
        before = self.previous
        if before is not None:
            self.switch(before)
        return before

    def restore_links(self, current: str | None, previous: str | None) -> None:
        """Point both links at these digests; remove a link whose digest is None."""
        for name, digest in ((CURRENT, current), (PREVIOUS, previous)):
            if digest is None:
                (self.folder / name).unlink(missing_ok=True)
            else:
                self._link(name, digest)

    def prune(self) -> None:
        """Delete the models that neither link points to."""
        for path in self.folder.iterdir():
            if _MODEL.fullmatch(path.name) and path.name not in (self.current, self.previous):
                path.unlink()

    def read_note(self, name: str) -> str | None:
        """Return a small text stored beside the models; None if there is none.

        Raises OSError or ValueError if it cannot be read.
        """
        try:
            return (self.folder / name).read_text("utf-8")
        except FileNotFoundError:
            return None

    def write_note(self, name: str, text: str) -> None:
        """Store a small text beside the models. Raises OSError."""
        write_owned(self.folder / name, text.encode())

    def delete_note(self, name: str) -> None:
        """Delete a small text beside the models, if there is one."""
        (self.folder / name).unlink(missing_ok=True)

    def _target(self, name: str) -> str | None:
        link = self.folder / name
        return str(link.readlink()) if link.is_symlink() and link.is_file() else None

    def _link(self, name: str, digest: str) -> None:
        files.replace_link(self.folder / name, digest)
        inherit_owner(self.folder / name)


def make_owned_folder(path: Path) -> None:
    """Make a folder with its parents, each owned by the owner of its parent folder."""
    if not path.is_dir():
        make_owned_folder(path.parent)
        path.mkdir()
        inherit_owner(path)


def write_owned(path: Path, data: bytes) -> None:
    """Write a file of the state folder that everybody may read and the folder's owner owns.

    Root calls this too, and the service could have made a link there: the link is replaced, its target never written.
    """
    with files.replace(path) as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o644)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)


def inherit_owner(path: Path) -> None:
    """Give a path that root made in a service's state folder to the owner of its parent folder."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
