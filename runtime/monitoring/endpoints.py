"""Where people and monitoring systems ask the running service: a socket for `vcedge status`, a port for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.monitoring.status_requests import Inquiries, Report
from vcedge.runtime.monitoring.status_socket import StatusSocket

if TYPE_CHECKING:
    from vcedge.runtime.monitoring.prometheus import MetricsServer


class Desk:
    """Open while the service runs."""

    def __init__(self, config: RuntimeConfig) -> None:
        self._inquiries = Inquiries()
        self._socket = StatusSocket(config.state_dir, self._inquiries)
        self._metrics: MetricsServer | None = None
        if config.metrics is not None:
            from vcedge.runtime.monitoring.prometheus import MetricsServer  # a megabyte, for those who ask for it

            self._metrics = MetricsServer(config.metrics, self._inquiries)

    def open(self) -> None:
        """Take questions. Raises Unavailable or ConfigError for a port that cannot be had."""
        if self._metrics is not None:
            self._metrics.open()
        self._socket.open()

    @property
    def asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return self._inquiries.waiting

    def answer(self, report: Report) -> None:
        """Answer all that was asked."""
        self._inquiries.answer(report)

    def close(self) -> None:
        """Take no more questions."""
        self._inquiries.close()
        self._socket.close()
        if self._metrics is not None:
            self._metrics.close()
