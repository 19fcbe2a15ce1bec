"""The programs of the demonstration as real processes, none of which outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType

from vcedge.errors import Unavailable

PATIENCE_S = 10.0
"""How long a process may take to end after SIGTERM, before it is killed."""
LAST_LINES = 4
ENDING = (signal.SIGTERM, signal.SIGHUP)


class Child:
    """One program with its output in a log file. Its session is its own: Ctrl-C reaches it through us, in order."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path | None, server: bool = False) -> None:
        """`log` absent: it speaks on our stderr. A `server` runs until it is stopped; its stdout can be read."""
        self.name = name
        self._server = server
        self._stopped = False
        self._log = log
        with open(log, "wb") if log is not None else open(os.devnull, "wb") as out:
            self._process = subprocess.Popen(  # noqa: S603 (our own modules)
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if server else out,
                stderr=None if log is None else out,
                env=_environment(),
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    def check(self) -> None:
        """Raises Unavailable where it has ended by itself, unless that was its task and it did it."""
        if self.ended and not self._stopped and (self._server or self._process.returncode != 0):
            raise self.failure()

    def first_line(self) -> str:
        """What it prints first; raises Unavailable where it ends instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode().strip()
        if not line:
            self._process.wait()
            raise self.failure()
        return line

    def finish(self) -> None:
        """Wait for its end; raises Unavailable unless it is a good one."""
        if self._process.wait() != 0:
            raise self.failure()

    def stop(self) -> int:
        """End it: SIGTERM, and after a while SIGKILL. Its exit code."""
        self._stopped = True
        if not self.ended:
            self._process.terminate()
        try:
            code = self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def failure(self) -> Unavailable:
        """Why we cannot go on: this process ended, and how."""
        code = self._process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if self._log is None:
            return Unavailable(f"{self.name} {how}; what it said is above")
        said = self._log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        lines = "".join(f"\n  {line}" for line in said) or " nothing"
        return Unavailable(f"{self.name} {how}; {self._log} ends with:{lines}")


class Family:
    """All processes that were started. However the demonstration ends, they are ended first, the last one first."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Family:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Impatient signals must not leave anybody behind; each end is bounded in time.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (*ENDING, signal.SIGINT)}
        for child in reversed(self._children):
            child.stop()
        for number, handler in before.items():
            signal.signal(number, handler)

    def start(self, name: str, arguments: Sequence[str], log: Path | None, server: bool = False) -> Child:
        """Start a program; see `Child`."""
        child = Child(name, arguments, log, server)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises Unavailable where one of them has ended that should not have."""
        for child in self._children:
            child.check()


@contextmanager
def ending_is_exit() -> Iterator[None]:
    """SIGTERM and SIGHUP end the program through its `finally` clauses, as Ctrl-C does. For the main thread."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment() -> dict[str, str]:
    """Ours, without overrides that are meant for another service; products this small gain nothing from threads."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VCEDGE__")}
    return {"OMP_NUM_THREADS": "1", **ours}
