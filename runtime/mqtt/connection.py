"""Keeps a connection to the broker up, with a queue in each direction.

One thread owns the network and nothing else calls it, so that acknowledgements and publications never race with a
reconnect. A connection that only receives may block while its inbox is full: TCP makes the broker wait too. One that
also publishes must not, since the broker's acknowledgements arrive on the same socket; so the service has a connection
for each direction. (Receive Maximum alone is no bound: mosquitto 2.0.11 sends a whole window for each acknowledgement.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from vcedge.config.mqtt import MqttConfig
from vcedge.runtime.mqtt.client import DEFAULT_WINDOW, Client
from vcedge.runtime.mqtt.inbox import Address, Inbox, Incoming, OrderedAcknowledgements
from vcedge.runtime.mqtt.network_thread import NetworkThread
from vcedge.runtime.mqtt.outbox import (
    Acknowledgement,
    Completion,
    InFlight,
    Outbox,
    Outgoing,
    Publication,
    SubscriptionChange,
)
from vcedge.runtime.mqtt.paho_setup import Identity

PUBLISH_WAIT_S = 1.0
"""Default wait for room in a full outbox."""


class Connection:
    """Keeps one client connected to the broker, and queues messages in both directions.

    Only one thread may call `receive` and `publish`; any thread may call `acknowledge`.
    """

    def __init__(
        self, config: MqttConfig, identity: Identity, address_of: Callable[[str], Address] | None = None
    ) -> None:
        """Check credentials and certificates; `start` connects. Raises ConfigError.

        Args:
            config: The broker and how to reach it.
            identity: Client id, subscriptions and session.
            address_of: Parses the topic of each message at its arrival.
        """
        self._inbox = Inbox(config.receive_maximum + DEFAULT_WINDOW)
        self._order = OrderedAcknowledgements()
        self._acknowledging = threading.Lock()
        self._outbox = Outbox()
        in_flight = InFlight()
        self._client = Client(config, identity, self._deliver, in_flight.acknowledge, address_of)
        self._network = NetworkThread(self._client, identity.client_id, self._outbox, in_flight)

    def start(self) -> None:
        """Begin to connect, and keep trying."""
        self._network.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait for a connection; return whether the broker accepted one within this time."""
        return self._client.connected.wait(timeout_s)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client.connected.is_set()

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted all subscriptions, so that what is published arrives here."""
        return self._client.subscribed

    @property
    def connect_count(self) -> int:
        """Number of connections that the broker accepted."""
        return self._client.epoch

    @property
    def sessions_lost(self) -> int:
        """Number of connections to a broker without a session of this client: it may have lost retained states too."""
        return self._client.sessions_lost

    @property
    def problem(self) -> str:
        """Why there is no connection; empty while there is one."""
        return self._client.problem

    @property
    def queued(self) -> int:
        """Number of messages that arrived and wait."""
        return len(self._inbox)

    @property
    def pending(self) -> int:
        """Number of items that wait to be sent or to be acknowledged by the broker."""
        return self._network.pending

    @property
    def dropped(self) -> int:
        """Number of publications lost because too many waited."""
        return self._outbox.dropped

    @property
    def client_id_conflicts(self) -> int:
        """Number of connections lost to another client with the same id."""
        return self._network.client_id_conflicts

    def receive(self, timeout_s: float) -> Incoming | None:
        """Return the next message, or None if none arrives within this time."""
        self._network.raise_failure()
        return self._inbox.get(timeout_s)

    def receive_many(self, count: int, timeout_s: float) -> list[Incoming]:
        """Wait for a message, then return up to `count` of those that are there."""
        self._network.raise_failure()
        return self._inbox.get_many(count, timeout_s)

    def acknowledge(self, messages: Iterable[Incoming]) -> None:
        """Acknowledge messages to the broker, each as soon as all that arrived before it are acknowledged too."""
        with self._acknowledging:  # two threads at once would change the order
            ready = self._order.release(messages)
            self._outbox.put_all([Acknowledgement(message.mid, message.epoch) for message in ready])
        self.flush()

    def subscribe(self, topic: str) -> None:
        """Resume a subscription that `unsubscribe` suspended."""
        self._outbox.put(SubscriptionChange(topic, subscribed=True))
        self.flush()

    def unsubscribe(self, topic: str) -> None:
        """Suspend a subscription."""
        self._outbox.put(SubscriptionChange(topic, subscribed=False))
        self.flush()

    def when_acknowledged(self, action: Callable[[], None]) -> None:
        """Call `action` once the broker has acknowledged all that was published before.

        The network thread calls it: it must not block.
        """
        self._outbox.put(Completion(action))
        self.flush()

    def drain(self) -> list[Outgoing]:
        """Remove and return all queued items, but the stored ones; none while there is a connection."""
        return self._outbox.drain()

    def requeue(self, items: list[Outgoing]) -> None:
        """Put drained items back, before all others."""
        self._outbox.requeue(items)
        self.flush()

    def publish_stored(self, publications: Iterable[Publication], done: Callable[[], None]) -> None:
        """Publish stored results while nothing else waits, then call `done` in the network thread.

        If the connection ends before that, the publications are discarded and `done` is not called.
        """
        self._outbox.put_stored([*publications, Completion(done, stored=True)])
        self.flush()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        wait_s: float = PUBLISH_WAIT_S,
        wake: bool = True,
    ) -> bool:
        """Queue a publication; return False if one was dropped to make room, or for QoS 0 without a connection.

        Args:
            topic: Where to publish.
            payload: The message.
            qos: Quality of service, 0 or 1.
            retain: Whether the broker keeps the message for later subscribers.
            wait_s: How long to wait for room in a full queue, in seconds.
            wake: Whether to send now. False leaves it to `flush`: waking the network thread costs as much as sending.
        """
        self._network.raise_failure()
        if qos == 0 and not self.connected:
            return False
        kept = self._outbox.put(Publication(topic, payload, qos, retain), wait_s)
        if wake:
            self.flush()
        return kept

    def flush(self) -> None:
        """Wake the network thread if it sleeps."""
        self._network.wake()

    def stop(self, timeout_s: float) -> bool:
        """Send what waits, if there is a connection, and disconnect; return whether nothing was left."""
        self._outbox.discard_stored()
        self._inbox.close()
        self._network.stop(timeout_s)
        self._network.raise_failure()
        return self.pending == 0

    def _deliver(self, message: Incoming) -> None:
        self._order.add(message)
        self._inbox.put(message)
