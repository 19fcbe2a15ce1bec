"""Holds the two connections of the service: one for each direction, so that neither blocks the other."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.runtime.mqtt.connection import Connection


@dataclass(frozen=True)
class Connections:
    """Holds both connections to the broker."""

    source: Connection
    """Receives samples, settings and models."""
    sink: Connection
    """Publishes results."""

    @property
    def client_id_conflicts(self) -> int:
        """Connections lost to another client with the same id."""
        return self.source.client_id_conflicts + self.sink.client_id_conflicts
