"""The folder in which the service keeps what it must not lose: whether that works, and how much is written to it."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from vcedge import files
from vcedge.errors import Unavailable

log = logging.getLogger("vcedge.disk")
BLOCK = 4096
"""What a medium writes at least."""


class Disk:
    """Of one service. Where it cannot be written the service goes on, and says that it is not durable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        """Bytes handed to the file system since the start, in whole blocks."""
        self._troubles: dict[str, str] = {}
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder and claim it. Raises Unavailable where another service uses it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES) and self._lock is not None:
                self.close()
                raise Unavailable(f"state_dir {self.folder}: another vcedge run uses it") from None
            self.failed("folder", error)

    def close(self) -> None:
        """Let another service have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def durable(self) -> bool:
        """Whether the last of everything that was to be kept is kept."""
        return not self._troubles

    @property
    def trouble(self) -> str:
        """Why not; empty where it is."""
        return next(iter(self._troubles.values()), "")

    def failed(self, what: str, error: OSError) -> None:
        """Something could not be written: say so once, until it works again."""
        reason = f"{what}: {error.strerror or error}"
        if self._troubles.get(what) != reason:
            log.error("not durable: %s cannot be kept in %s: %s; scoring goes on", what, self.folder, error)
        self._troubles[what] = reason

    def works(self, what: str) -> None:
        """It could be written, and so the folder is there."""
        if [self._troubles.pop(trouble) for trouble in (what, "folder") if trouble in self._troubles]:
            log.warning("durable again: %s is kept in %s", what, self.folder)

    def count(self, size: int) -> None:
        """So many bytes were written in one go."""
        self.written += -(-size // BLOCK) * BLOCK

    def replace(self, path: Path, parts: Iterable[bytes], previous: Path | None = None) -> None:
        """Write a file so that after a crash it is there whole or not at all; the old one becomes `previous`.

        Raises OSError.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.replace(path, temporary=path.with_name(f"{path.name}.new"), previous=previous) as file:
            self.count(sum(map(file.write, parts)))
