"""The endpoints of the running service: a Unix socket for `vcedge status`, a port for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vcedge.config.runtime import RuntimeConfig
from vcedge.runtime.monitoring.status_requests import Report, StatusRequests
from vcedge.runtime.monitoring.status_socket import StatusSocket

if TYPE_CHECKING:
    from vcedge.runtime.monitoring.prometheus import MetricsServer


class Endpoints:
    """Accepts requests for a status report while the service runs."""

    def __init__(self, config: RuntimeConfig) -> None:
        self._requests = StatusRequests()
        self._socket = StatusSocket(config.state_dir, self._requests)
        self._metrics: MetricsServer | None = None
        if config.metrics is not None:
            from vcedge.runtime.monitoring.prometheus import MetricsServer  # takes a megabyte, which only this needs

            self._metrics = MetricsServer(config.metrics, self._requests)

    def open(self) -> None:
        """Accept requests. Raises Unavailable or ConfigError if the port cannot be opened."""
        if self._metrics is not None:
            self._metrics.open()
        self._socket.open()

    @property
    def has_requests(self) -> bool:
        """Whether a client waits for a report."""
        return self._requests.pending

    def answer(self, report: Report) -> None:
        """Answer all pending requests."""
        self._requests.answer(report)

    def close(self) -> None:
        """Accept no more requests."""
        self._requests.close()
        self._socket.close()
        if self._metrics is not None:
            self._metrics.close()
