"""Models of one asset on a device: files named by their digest, and the links `current` and `previous` beside them."""

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
    """The folder `models/<asset>`. A link is replaced in one step: a reader finds the old model or the new one."""

    def __init__(self, models: Path, asset: str) -> None:
        """Raises UsageError for an asset whose name cannot be that of a folder."""
        if asset in ("", ".", "..") or "/" in asset or "\0" in asset:
            raise UsageError(f"asset {asset!r}: cannot be the name of a folder")
        self.folder = models / asset

    @property
    def current(self) -> str | None:
        """Digest of the model in charge, as hexadecimal digits; None where there is none."""
        return self._target(CURRENT)

    @property
    def previous(self) -> str | None:
        """Digest of the model that was in charge before."""
        return self._target(PREVIOUS)

    def path(self, digest: str) -> Path:
        """The file of a model."""
        return self.folder / digest

    def add(self, data: bytes) -> str:
        """Keep a model without putting it in charge; its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.path(digest).is_file() or self.path(digest).read_bytes() != data:
            owned_folder(self.folder)
            write_owned(self.path(digest), data)
        return digest

    def switch(self, digest: str) -> None:
        """Put a kept model in charge; the one before becomes `previous`."""
        before = self.current
        if before == digest:
            return
        if before is not None:
            self._link(PREVIOUS, before)
        self._link(CURRENT, digest)

    def roll_back(self) -> str | None:
        """Put the previous model in charge again, and the present one in its place; None where there is none."""
        before = self.previous
        if before is not None:
            self.switch(before)
        return before

    def reset(self, current: str | None, previous: str | None) -> None:
        """Bring both links back to what they were."""
        for name, digest in ((CURRENT, current), (PREVIOUS, previous)):
            if digest is None:
                (self.folder / name).unlink(missing_ok=True)
            else:
                self._link(name, digest)

    def prune(self) -> None:
        """Remove the models that neither link points to."""
        for path in self.folder.iterdir():
            if _MODEL.fullmatch(path.name) and path.name not in (self.current, self.previous):
                path.unlink()

    def note(self, name: str) -> str | None:
        """A small text that is kept beside the models; None where there is none.

        Raises OSError or ValueError for one that cannot be read.
        """
        try:
            return (self.folder / name).read_text("utf-8")
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> None:
        """Keep such a text."""
        write_owned(self.folder / name, text.encode())

    def forget(self, name: str) -> None:
        """Remove such a text."""
        (self.folder / name).unlink(missing_ok=True)

    def _target(self, name: str) -> str | None:
        link = self.folder / name
        return str(link.readlink()) if link.is_symlink() and link.is_file() else None

    def _link(self, name: str, digest: str) -> None:
        files.replace_link(self.folder / name, digest)
        own_as_folder(self.folder / name)


def owned_folder(path: Path) -> None:
    """Make a folder that belongs to whom the folder around it belongs to."""
    if not path.is_dir():
        owned_folder(path.parent)
        path.mkdir()
        own_as_folder(path)


def write_owned(path: Path, data: bytes) -> None:
    """Write a file of the state folder, for the service and everybody to read.

    Root does this too, where the service could have laid a link: it is replaced, and what it points to is left alone.
    """
    with files.replace(path) as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o644)
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)


def own_as_folder(path: Path) -> None:
    """Give what root made in the state folder of a service to that service."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
