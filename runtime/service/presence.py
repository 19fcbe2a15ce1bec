"""Announces that the service is online."""

from __future__ import annotations

from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.service.connections import Connections


class Presence:
    """Publishes `online` after every connect, once all subscriptions are granted: other programs may wait for it."""

    def __init__(self, connections: Connections, assets: AssetRegistry, publisher: Publisher) -> None:
        self._connections, self._assets, self._publisher = connections, assets, publisher
        self._announced, self._sessions_lost = (0, 0), 0
        self.confirmed = False
        """Whether the broker has acknowledged the last `online`, and with it the health of all assets before it."""

    def tick(self, now_s: float) -> None:
        """Announce a new connection. A broker that lost the session may have lost the retained states, too."""
        source, sink = self._connections.source, self._connections.sink
        counts = (source.connect_count, sink.connect_count)
        if counts == self._announced or not (source.subscribed and sink.connected):
            return
        if self._announced != (0, 0) and source.sessions_lost != self._sessions_lost:
            for asset in self._assets:
                self._publisher.retained_states(asset, now_s)
        self._announced, self._sessions_lost = counts, source.sessions_lost
        self._publisher.status(b"online")
        self.confirmed = False
        sink.when_acknowledged(self._confirm)

    def _confirm(self) -> None:
        self.confirmed = True
