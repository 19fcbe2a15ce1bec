"""Writing a file so that a reader sees the old content or the new one, whatever happens in between."""

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
    """A file to write that takes the place of `path` once the block has ended, and not where it raises.

    A temporary file beside it, flushed to the disk, renamed, the folder flushed too. What is there but is no regular
    file, such as a pipe or /dev/null, is written as it stands. Raises OSError with the old file untouched and nothing
    left behind.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as special:
            yield special
        return
    with replace_file(path.resolve() if path.is_symlink() else path) as file:  # a link stays, its target is replaced
        yield file


@contextmanager
def replace_file(path: Path) -> Iterator[BinaryIO]:
    """The same, but whatever is there is replaced and never followed or written to, be it a link."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask, as any new file
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # nobody asked for the temporary one
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def same_file(a: Path, b: Path) -> bool:
    """Whether two names are of one file, whatever links lie between; also of one that does not exist yet."""
    if a.exists() and b.exists():
        return a.samefile(b)
    return a.resolve() == b.resolve()
