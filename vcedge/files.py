"""Replaces files atomically: a reader finds the old content or the new one, also after a crash."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the file by `data`; see `open_atomic`."""
    with open_atomic(path) as file:
        file.write(data)


@contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends, as `replace` does, for a path that a user names.

    A symbolic link stays and its target is replaced; a pipe or a device such as /dev/null is written directly.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as special:
            yield special
        return
    with replace(path.resolve() if path.is_symlink() else path) as file:
        yield file


@contextmanager
def replace(path: Path, *, temporary: Path | None = None, previous: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends, and not if it raises. A link at `path` is itself replaced.

    The content goes to a temporary file beside `path`, is flushed to the disk and renamed; then the folder is flushed.
    `temporary` fixes that file's name: a crash then leaves at most one, which the next call overwrites. With `previous`
    the old file is kept under that name. Raises OSError, which leaves `path` untouched and no temporary file.
    """
    if temporary is None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    else:
        temporary.unlink(missing_ok=True)
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask, as any new file
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # the user knows only `path`
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def replace_link(path: Path, target: str) -> None:
    """Point the symbolic link `path` to `target`: a reader finds the old target or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk: only then does a new or renamed file survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def same_file(a: Path, b: Path) -> bool:
    """Return whether two paths name one file, through any links; the file need not exist."""
    if a.exists() and b.exists():
        return a.samefile(b)
    return a.resolve() == b.resolve()
