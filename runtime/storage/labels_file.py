"""Appends judgements to the labels.csv of an asset."""

from __future__ import annotations

import errno
from collections.abc import Iterable

from vcedge.labels import HEADER, Label
from vcedge.runtime.storage.state_dir import StateDir

FOLDER, NAME = "assets", "labels.csv"


class LabelsFile:
    """Writes `assets/ASSET/labels.csv` in the state folder; people may edit and remove the file."""

    def __init__(self, state_dir: StateDir, asset: str) -> None:
        self._state_dir = state_dir
        self.path = state_dir.path / FOLDER / asset / NAME

    def append(self, labels: Iterable[Label]) -> None:
        """Append lines. After a crash the file has all of them or none. Raises OSError."""
        present = self._present()
        lines = "".join(f"{label.line()}\n" for label in labels).encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._state_dir.replace(self.path, (present, lines))

    def _present(self) -> bytes:
        """Return what the file holds, with a header and complete lines. Raises OSError for other columns."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            data = b""
        if not data.strip():
            return f"{HEADER}\n".encode()
        first = data.removeprefix(b"\xef\xbb\xbf").splitlines()[0].decode("utf-8", "replace").strip()
        if first != HEADER:
            raise OSError(errno.EINVAL, f"{self.path} begins with {first[:80]!r}, expected {HEADER!r}: move it away")
        return data if data.endswith(b"\n") else data + b"\n"
