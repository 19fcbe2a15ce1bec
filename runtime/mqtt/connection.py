"""Keeps a connection to the broker up, with a queue in each direction.

One thread owns the network and nothing else calls it, so that acknowledgements and publications never race with a
reconnect. A connection that only receives may block while its inbox is full: TCP makes the broker wait too. One that
also publishes must not, since the broker's acknowledgements arrive on the same socket; so the service has a connection
for each direction. (Receive Maximum alone is no bound: mosquitto 2.0.11 sends a whole window for each acknowledgement.)
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable

from vcedge.config.mqtt import MqttConfig
from vcedge.runtime.mqtt.client import DEFAULT_WINDOW, Client
from vcedge.runtime.mqtt.inbox import Address, Inbox, Incoming, OrderedAcknowledgements
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
from vcedge.runtime.mqtt.reconnect import STABLE_IN_CONFLICT_S, STABLE_S, Backoff, IdConflictDetector

log = logging.getLogger("vcedge.mqtt")
POLL_S = 1.0
"""Longest sleep of the network thread: it then serves keep-alive and notices `stop`."""
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
        self._client_id = identity.client_id
        self._inbox = Inbox(config.receive_maximum + DEFAULT_WINDOW)
        self._order = OrderedAcknowledgements()
        self._acknowledging = threading.Lock()
        self._outbox = Outbox()
        self._in_flight = InFlight()
        self._client = Client(config, identity, self._deliver, self._in_flight.acknowledge, address_of)
        self._conflicts = IdConflictDetector()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._failure: BaseException | None = None
        self._asleep = False
        self._wakeup_reader: socket.socket
        self._wakeup_writer: socket.socket

    def start(self) -> None:
        """Begin to connect, and keep trying."""
        self._wakeup_reader, self._wakeup_writer = socket.socketpair()
        self._thread.start()

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
        return len(self._outbox) + self._in_flight.waiting

    @property
    def dropped(self) -> int:
        """Number of publications lost because too many waited."""
        return self._outbox.dropped

    @property
    def client_id_conflicts(self) -> int:
        """Number of connections lost to another client with the same id."""
        return self._conflicts.count

    def receive(self, timeout_s: float) -> Incoming | None:
        """Return the next message, or None if none arrives within this time."""
        self._raise_failure()
        return self._inbox.get(timeout_s)

    def receive_many(self, count: int, timeout_s: float) -> list[Incoming]:
        """Wait for a message, then return up to `count` of those that are there."""
        self._raise_failure()
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
        self._raise_failure()
        if qos == 0 and not self.connected:
            return False
        kept = self._outbox.put(Publication(topic, payload, qos, retain), wait_s)
        if wake:
            self.flush()
        return kept

    def flush(self) -> None:
        """Wake the network thread if it sleeps."""
        if self._asleep:
            self._asleep = False
            self._wakeup_writer.send(b"!")

    def stop(self, timeout_s: float) -> bool:
        """Send what waits, if there is a connection, and disconnect; return whether nothing was left."""
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._outbox.discard_stored()
        self._inbox.close()
        self._wakeup_writer.send(b"!")
        self._thread.join(timeout_s + POLL_S)
        if not self._thread.is_alive():
            self._wakeup_reader.close()
            self._wakeup_writer.close()
        self._raise_failure()
        return self.pending == 0

    def _deliver(self, message: Incoming) -> None:
        self._order.add(message)
        self._inbox.put(message)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the MQTT thread ended") from self._failure

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                epoch, began = self._client.epoch, time.monotonic()
                if self._client.open():
                    self._serve()
                lasted_s = time.monotonic() - began
                if self._client.epoch != epoch and not self._stopping.is_set():
                    self._detect_conflict(lasted_s)
                if lasted_s > (STABLE_IN_CONFLICT_S if self._conflicts.suspected else STABLE_S):
                    backoff.reset()
                self._stopping.wait(backoff.next_s())
        except BaseException as error:
            self._failure = error
            raise

    def _serve(self) -> None:
        """Move packets until the connection ends; unfinished items wait for the next one."""
        while self._client.is_open:
            if self._outbox.can_send(self._room):
                self._send_all()
            if self._stopping.is_set() and self._is_finished():
                self._client.close()
            self._asleep = True  # before the check of the outbox: an item that comes after it sends a wake-up
            woken = self._client.pump(self._wakeup_reader, 0.0 if self._outbox.can_send(self._room) else POLL_S)
            self._asleep = False
            if woken:
                self._wakeup_reader.recv(4096)
        self._outbox.reclaim(self._in_flight.drain())

    def _send_all(self) -> None:
        """Send what waits, as far as the broker accepts it."""
        with self._client.batch():
            while (item := self._outbox.pop(self._room)) is not None:
                self._send(item)

    @property
    def _room(self) -> int:
        """How many more publications the broker accepts now; negative without a connection."""
        return self._client.window - len(self._in_flight) if self.connected else -1

    def _send(self, item: Outgoing) -> None:
        if isinstance(item, Completion):
            self._in_flight.add_completion(item)
        elif isinstance(item, Acknowledgement):
            self._client.acknowledge(item)
        elif isinstance(item, SubscriptionChange):
            self._client.change_subscription(item)
        else:
            mid = self._client.publish(item)
            if item.qos > 0:
                self._in_flight.add(item, mid)

    def _detect_conflict(self, lasted_s: float) -> None:
        if self._conflicts.connection_ended(lasted_s, taken_over=self._client.taken_over):
            verb = "uses" if self._client.taken_over else "seems to use"
            words = (
                "another client %s the id %s: each ends the other's connection; give one of them its own mqtt.client_id"
            )
            log.error(words, verb, self._client_id)
        self._client.muted = self._conflicts.suspected

    def _is_finished(self) -> bool:
        return self.pending == 0 or not self.connected or time.monotonic() > self._deadline
