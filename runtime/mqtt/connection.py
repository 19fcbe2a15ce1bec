"""A connection to the broker that is kept up, with a queue in each direction.

One thread owns the network and nobody else calls it, so that acknowledgements and publications never race with a
reconnect. A link that only receives may wait for its reader as long as it takes: TCP makes the broker wait too. One
that also publishes must not, for the broker's acknowledgements come by the same way; so the service has one link for
each direction. (Receive Maximum alone is no bound: mosquitto 2.0.11 sends a whole window for each acknowledgement.)
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable

from vcedge.config.runtime import MqttConfig
from vcedge.runtime.mqtt.client import OLD_WINDOW, Wire
from vcedge.runtime.mqtt.inbox import Address, Inbox, Incoming, OrderedAcknowledgements
from vcedge.runtime.mqtt.outbox import Acknowledgement, Afterwards, Flight, Listening, Outbox, Outgoing, Publication
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.mqtt.reconnect import CALM_S, STABLE_S, Backoff, Rivalry

log = logging.getLogger("vcedge.mqtt")
POLL_S = 1.0
PATIENCE_S = 1.0


class Link:
    """`receive` and `publish` are for one thread, the program's own; `acknowledge` is for any."""

    def __init__(
        self, config: MqttConfig, identity: Identity, address_of: Callable[[str], Address] | None = None
    ) -> None:
        """Checks credentials and certificates; raises ConfigError. Connects only after `start`.

        `address_of` parses the topic of each message at its arrival.
        """
        self._client_id = identity.client_id
        self._inbox = Inbox(config.receive_maximum + OLD_WINDOW)
        self._order = OrderedAcknowledgements()
        self._acknowledging = threading.Lock()
        self._outbox = Outbox()
        self._flight = Flight()
        self._wire = Wire(config, identity, self._deliver, self._flight.acknowledged, address_of)
        self._rivalry = Rivalry()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._stopping = threading.Event()
        self._deadline = 0.0
        self._failure: BaseException | None = None
        self._asleep = False
        self._bell: socket.socket
        self._ringer: socket.socket

    def start(self) -> None:
        """Begin to connect, and keep trying."""
        self._bell, self._ringer = socket.socketpair()
        self._thread.start()

    def wait_connected(self, timeout_s: float) -> bool:
        """Whether the broker accepted a connection within this time."""
        return self._wire.connected.wait(timeout_s)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._wire.connected.is_set()

    @property
    def listening(self) -> bool:
        """Whether the broker has granted all subscriptions, so that what is published arrives here."""
        return self._wire.listening

    @property
    def connections(self) -> int:
        """How often the broker accepted a connection."""
        return self._wire.epoch

    @property
    def forgotten(self) -> int:
        """How often the broker had no session of ours: what it was to retain it may have forgotten, too."""
        return self._wire.forgotten

    @property
    def complaint(self) -> str:
        """Why there is no connection; empty while there is one."""
        return self._wire.complaint

    @property
    def queued(self) -> int:
        """Messages that arrived and wait."""
        return len(self._inbox)

    @property
    def unsent(self) -> int:
        """What waits for the broker: not yet sent, or not yet acknowledged by it."""
        return len(self._outbox) + self._flight.waiting

    @property
    def dropped(self) -> int:
        """Publications that were lost because too many waited."""
        return self._outbox.dropped

    @property
    def client_id_conflicts(self) -> int:
        """Connections that were lost to another client with the same id."""
        return self._rivalry.count

    def receive(self, timeout_s: float) -> Incoming | None:
        """The next message, or None when none arrived within this time."""
        self._check()
        return self._inbox.get(timeout_s)

    def receive_many(self, count: int, timeout_s: float) -> list[Incoming]:
        """The next messages, up to `count` of those that are there; waits for the first of them."""
        self._check()
        return self._inbox.get_many(count, timeout_s)

    def acknowledge(self, messages: Iterable[Incoming]) -> None:
        """Tell the broker that it may forget messages, as soon as it may forget all that came before them."""
        with self._acknowledging:  # two threads at once would turn the order round
            ready = self._order.release(messages)
            self._outbox.put_all([Acknowledgement(message.mid, message.epoch) for message in ready])
        self.flush()

    def listen(self, topic: str, heard: bool) -> None:
        """End one of the subscriptions for now, or begin it again."""
        self._outbox.put(Listening(topic, heard))
        self.flush()

    def afterwards(self, action: Callable[[], None]) -> None:
        """Do something as soon as the broker has acknowledged all that was published before this call.

        It is done in the network thread and must not wait for anything.
        """
        self._outbox.put(Afterwards(action))
        self.flush()

    def take(self) -> list[Outgoing]:
        """Take back all that waits, where there is no connection: the caller then has to see to it."""
        return self._outbox.take()

    def put_back(self, items: list[Outgoing]) -> None:
        """Let items wait again, before all others."""
        self._outbox.put_back(items)
        self.flush()

    def offer(self, publications: Iterable[Publication], done: Callable[[], None]) -> None:
        """Send what is stored while nothing else waits, then call `done` in the network thread.

        The end of the connection ends this, without a call.
        """
        self._outbox.offer([*publications, Afterwards(done, stored=True)])
        self.flush()

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        retain: bool = False,
        wait_s: float = PATIENCE_S,
        hurry: bool = True,
    ) -> bool:
        """Queue a publication; False if one had to be dropped for it, or it is of QoS 0 and there is no connection.

        A full queue is waited for up to `wait_s`. Without `hurry` it may wait for `flush`: to wake the network thread
        costs as much as to send.
        """
        self._check()
        if qos == 0 and not self.connected:
            return False
        kept = self._outbox.put(Publication(topic, payload, qos, retain), wait_s)
        if hurry:
            self.flush()
        return kept

    def flush(self) -> None:
        """Wake the network thread where it sleeps."""
        if self._asleep:
            self._asleep = False
            self._ringer.send(b"!")

    def stop(self, timeout_s: float) -> bool:
        """Send what waits, if there is a connection, and end it in good order. Whether nothing was left."""
        self._deadline = time.monotonic() + timeout_s
        self._stopping.set()
        self._outbox.withdraw()
        self._inbox.close()
        self._ringer.send(b"!")
        self._thread.join(timeout_s + POLL_S)
        if not self._thread.is_alive():
            self._bell.close()
            self._ringer.close()
        self._check()
        return self.unsent == 0

    def _deliver(self, message: Incoming) -> None:
        self._order.add(message)
        self._inbox.put(message)

    def _check(self) -> None:
        if self._failure is not None:
            raise RuntimeError("the MQTT thread ended") from self._failure

    def _run(self) -> None:
        backoff = Backoff()
        try:
            while not self._stopping.is_set():
                epoch, began = self._wire.epoch, time.monotonic()
                if self._wire.open():
                    self._serve()
                lasted_s = time.monotonic() - began
                if self._wire.epoch != epoch and not self._stopping.is_set():
                    self._look_for_a_rival(lasted_s)
                if lasted_s > (CALM_S if self._rivalry.suspected else STABLE_S):
                    backoff.reset()
                self._stopping.wait(backoff.next_s())
        except BaseException as error:
            self._failure = error
            raise

    def _serve(self) -> None:
        """Move packets until the connection ends; what it loses waits for the next one."""
        while self._wire.is_open:
            if self._outbox.can_send(self._room):
                self._send_all()
            if self._stopping.is_set() and self._finished():
                self._wire.close()
            self._asleep = True  # before the look at the outbox: what comes after it rings
            rung = self._wire.pump(self._bell, 0.0 if self._outbox.can_send(self._room) else POLL_S)
            self._asleep = False
            if rung:
                self._bell.recv(4096)
        self._outbox.reclaim(self._flight.take_back())

    def _send_all(self) -> None:
        """What waits, as far as the broker takes it."""
        with self._wire.together():
            while (item := self._outbox.get(self._room)) is not None:
                self._send(item)

    @property
    def _room(self) -> int:
        """How many more publications the broker takes now; negative without a connection."""
        return self._wire.window - len(self._flight) if self.connected else -1

    def _send(self, item: Outgoing) -> None:
        if isinstance(item, Afterwards):
            self._flight.then(item)
        elif isinstance(item, Acknowledgement):
            self._wire.acknowledge(item)
        elif isinstance(item, Listening):
            self._wire.listen(item)
        else:
            mid = self._wire.publish(item)
            if item.qos > 0:
                self._flight.sent(item, mid)

    def _look_for_a_rival(self, lasted_s: float) -> None:
        if self._rivalry.ended(lasted_s, self._wire.taken_over):
            sure = "uses" if self._wire.taken_over else "seems to use"
            words = (
                "another client %s the id %s: each ends the other's connection; give one of them its own mqtt.client_id"
            )
            log.error(words, sure, self._client_id)
        self._wire.hushed = self._rivalry.suspected

    def _finished(self) -> bool:
        return self.unsent == 0 or not self.connected or time.monotonic() > self._deadline
