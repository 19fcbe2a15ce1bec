"""Passes requests for a status report to the service's own thread, which answers between two messages.

So no thread reads the streams while they change, and an answer shows that the main loop is running.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any

Report = dict[str, Any]
"""A status report, of the form in publishing/schemas/status.json."""


class StatusRequests:
    """Queues requests for a report. Any thread may call `ask`, only the service's own the rest."""

    def __init__(self) -> None:
        self._pending: deque[Future[Report]] = deque()
        self._closed = False

    def ask(self, timeout_s: float) -> Report:
        """Request a report and wait for it. Raises TimeoutError if the service does not answer or has ended."""
        request: Future[Report] = Future()
        self._pending.append(request)
        if not self._closed and wait([request], timeout_s).done:
            return request.result()
        with suppress(ValueError):
            self._pending.remove(request)
        raise TimeoutError("the service does not answer")

    @property
    def pending(self) -> bool:
        """Whether a request waits."""
        return bool(self._pending)

    def answer(self, report: Report) -> None:
        """Answer all pending requests with one report."""
        while self._pending:
            self._pending.popleft().set_result(report)

    def close(self) -> None:
        """Refuse further requests and release the threads that wait."""
        self._closed = True
        while self._pending:
            self._pending.popleft().set_exception(TimeoutError("the service ended"))
