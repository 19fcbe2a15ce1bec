"""Runs the programs of the demonstration as processes, and ends them with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from vcedge.errors import Unavailable

TERMINATE_S = 10.0
"""Longest time from SIGTERM to SIGKILL."""
LAST_LINES = 4
ENDING = (signal.SIGTERM, signal.SIGHUP)


class Child:
    """Runs one program with its output in a log file, in a session of its own: only ProcessGroup handles Ctrl-C."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path | None, *, server: bool = False) -> None:
        """Start the program. Without `log` it shares our stderr. A `server` runs until stopped; its stdout is piped."""
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
        """Whether the process has ended."""
        return self._process.poll() is not None

    def check(self) -> None:
        """Raise Unavailable if the process failed, or is a server and ended by itself."""
        if self.ended and not self._stopped and (self._server or self._process.returncode != 0):
            raise self.failure()

    def first_line(self) -> str:
        """Return the first line of its output. Raises Unavailable if it ends without one."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode().strip()
        if not line:
            self._process.wait()
            raise self.failure()
        return line

    def finish(self) -> None:
        """Wait until the process ends. Raises Unavailable if it fails."""
        if self._process.wait() != 0:
            raise self.failure()

    def stop(self) -> int:
        """End the process by SIGTERM, after TERMINATE_S by SIGKILL; return its exit code."""
        self._stopped = True
        if not self.ended:
            self._process.terminate()
        try:
            code = self._process.wait(TERMINATE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def failure(self) -> Unavailable:
        """Return the error that says how this process ended."""
        code = self._process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if self._log is None:
            return Unavailable(f"{self.name} {how}; see its messages above")
        last = self._log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
        lines = "".join(f"\n  {line}" for line in last) or " nothing"
        return Unavailable(f"{self.name} {how}; {self._log} ends with:{lines}")


class ProcessGroup:
    """Ends all processes that it started, the last one first, however the demonstration ends."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, *_: object) -> None:
        # A further Ctrl-C must not leave a process behind; each stop is bounded in time.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (*ENDING, signal.SIGINT)}
        for child in reversed(self._children):
            child.stop()
        for number, handler in before.items():
            signal.signal(number, handler)

    def start(self, name: str, arguments: Sequence[str], log: Path | None, *, server: bool = False) -> Child:
        """Start a program. See `Child`."""
        child = Child(name, arguments, log, server=server)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise Unavailable if a process failed or a server ended."""
        for child in self._children:
            child.check()


@contextmanager
def ending_is_exit() -> Iterator[None]:
    """Make SIGTERM and SIGHUP end the program through its `finally` clauses, as Ctrl-C does. For the main thread."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment() -> dict[str, str]:
    """Return our environment with one thread, which suits small matrices, and without overrides of another service."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VCEDGE__")}
    return {"OMP_NUM_THREADS": "1", **ours}
