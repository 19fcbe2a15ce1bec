"""Questions of other threads about the service, which its own thread answers between two messages.

So nobody looks at the streams while they change, and an answer says that the loop goes round.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

Report = dict[str, Any]
"""See schemas/status.json."""


class Inquiries:
    """`ask` is for any thread, the rest for the service's own."""

    def __init__(self) -> None:
        self._waiting: deque[Future[Report]] = deque()
        self._closed = False

    def ask(self, timeout_s: float) -> Report:
        """How the service is. Raises TimeoutError where it does not answer, or not any more."""
        question: Future[Report] = Future()
        self._waiting.append(question)
        if not self._closed and wait([question], timeout_s).done:
            return question.result()
        with suppress(ValueError):
            self._waiting.remove(question)
        raise TimeoutError("the service does not answer")

    @property
    def waiting(self) -> bool:
        """Whether something was asked."""
        return bool(self._waiting)

    def answer(self, report: Report) -> None:
        """Answer all that was asked, with one report."""
        while self._waiting:
            self._waiting.popleft().set_result(report)

    def close(self) -> None:
        """Nothing will be answered any more: let go who waits."""
        self._closed = True
        while self._waiting:
            self._waiting.popleft().set_exception(TimeoutError("the service ended"))
