"""Manages the folder for state that a restart must not lose: its lock, write errors and written bytes."""

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
"""Smallest write of a medium, in bytes."""


class StateDir:
    """Locks the state folder of one service and tracks write errors.

    If the folder cannot be written, the service continues and reports `not_durable`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written_bytes = 0
        """Bytes written since the start, rounded up to blocks."""
        self._problems: dict[str, str] = {}
        """The last error of each subject that cannot be written: "folder", "snapshot", "outbox"."""
        self._lock: int | None = None

    def open(self) -> None:
        """Make and lock the folder. Raises Unavailable if another service has locked it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES) and self._lock is not None:
                self.close()
                where = f"state_dir {self.path}"
                raise Unavailable(f"{where}: another vcedge run uses it: stop it, or set another state_dir") from None
            self.report_failure("folder", error)

    def close(self) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def durable(self) -> bool:
        """Whether the last write of every subject succeeded."""
        return not self._problems

    @property
    def problem(self) -> str:
        """The first error if the service is not durable; else empty."""
        return next(iter(self._problems.values()), "")

    def report_failure(self, subject: str, error: OSError) -> None:
        """Record that `subject` could not be written, and log it once until it succeeds again."""
        reason = f"{subject}: {error.strerror or error}"
        if self._problems.get(subject) != reason:
            log.error("not durable: cannot write %s to %s: %s; scoring continues", subject, self.path, error)
        self._problems[subject] = reason

    def report_success(self, subject: str) -> None:
        """Record that `subject` was written, which shows that the folder exists."""
        if [self._problems.pop(name) for name in (subject, "folder") if name in self._problems]:
            log.warning("durable again: %s is written to %s", subject, self.path)

    def count_written(self, size: int) -> None:
        """Count `size` bytes that were written at once."""
        self.written_bytes += -(-size // BLOCK) * BLOCK

    def replace(self, path: Path, parts: Iterable[bytes], previous: Path | None = None) -> None:
        """Write a file atomically: after a crash it is complete or absent. The old one is renamed to `previous`.

        Raises OSError.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with files.replace(path, temporary=path.with_name(f"{path.name}.new"), previous=previous) as file:
            self.count_written(sum(map(file.write, parts)))
