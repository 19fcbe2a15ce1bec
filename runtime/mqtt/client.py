"""An MQTT client over paho. Not thread-safe: only the thread of `vcedge.runtime.mqtt.network_thread` calls it."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vcedge.config.mqtt import MqttConfig, password_of
from vcedge.runtime.mqtt.inbox import Address, Incoming
from vcedge.runtime.mqtt.outbox import Acknowledgement, Publication, SubscriptionChange
from vcedge.runtime.mqtt.packet_socket import PacketSocket
from vcedge.runtime.mqtt.paho_setup import Identity, PacketClient, new_client, tls_context

log = logging.getLogger("vcedge.mqtt")
DEFAULT_WINDOW = 20
"""Publications in flight to a broker that states no Receive Maximum (3.1.1): every broker accepts so many."""
MAX_WINDOW = 1000
SESSION_TAKEN_OVER = 0x8E
"""MQTT 5's reason code for the end of a connection because another client connected with the same id."""


class Client:
    """Drives paho with manual acknowledgements and without its reconnecting.

    Each connection has a paho client of its own, so that no state of an earlier connection is left.
    """

    def __init__(
        self,
        config: MqttConfig,
        identity: Identity,
        deliver: Callable[[Incoming], None],
        acknowledged: Callable[[int], None],
        address_of: Callable[[str], Address] | None = None,
    ) -> None:
        """Check credentials and certificates; `open` connects. Raises ConfigError.

        Args:
            config: The broker and how to reach it.
            identity: Client id, subscriptions and session.
            deliver: Called with each message that arrives.
            acknowledged: Called with the message id of each publication that the broker acknowledges.
            address_of: Parses the topic of each message.
        """
        self._config, self._identity = config, identity
        self._deliver, self._acknowledged = deliver, acknowledged
        self._address_of = address_of or _no_address
        self._tls = tls_context(config) if config.endpoint.tls else None
        self._password = None if config.username is None else password_of(config)
        self._client = self._new_client()
        self._granted = not identity.subscriptions
        self._session_complete = True
        """Whether a session that the broker kept has all subscriptions."""
        self._suspended: set[str] = set()
        """Subscriptions that are suspended."""
        self._requested: dict[int, list[str]] = {}
        """Topics of the subscribe requests that the broker has not answered, by message id."""
        self.window = DEFAULT_WINDOW
        """Publications that the broker accepts before it acknowledges the first."""
        self.connected = threading.Event()
        self.epoch = 0
        """Number of connections so far, and so the number of this one."""
        self.sessions_lost = 0
        """Connections to a broker that had no session of this client."""
        self.taken_over = False
        """Whether the last connection ended because another client connected with the same id."""
        self.muted = False
        """Whether to log no connects and losses, because their common reason was logged."""
        self.problem = ""
        """Why there is no connection; empty while there is one."""
        self._refusal = ""
        """The last logged reason for which the broker refused a publication."""
        self._received = 0
        """Messages and acknowledgements that arrived."""

    def open(self) -> bool:
        """Request a connection; return False if that fails at once. The broker's answer arrives in `pump`."""
        self._client = self._new_client()
        self.taken_over = False
        try:
            self._client.reconnect()
        except (OSError, UnicodeError) as error:
            self._report(str(error), quiet=self._identity.quiet)
            return False
        return True

    def close(self) -> None:
        """Disconnect, so that the broker does not publish the last will."""
        self._client.disconnect()

    @property
    def is_open(self) -> bool:
        """Whether there is a socket to pump, accepted by the broker or not yet."""
        return self._client.packets is not None

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted all subscriptions."""
        return self.connected.is_set() and self._granted

    def publish(self, item: Publication) -> int:
        """Send a publication and return its message id."""
        return self._client.publish(item.topic, item.payload, item.qos, item.retain).mid

    def acknowledge(self, item: Acknowledgement) -> None:
        """Acknowledge a message, unless it is of an earlier connection: on this one its id means another message."""
        if item.epoch == self.epoch:
            self._client.ack(item.mid, 1)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Send the packets of this block at its end, in as few segments as possible."""
        sock = self._client.packets
        with nullcontext() if sock is None else sock.batch():
            yield

    def change_subscription(self, item: SubscriptionChange) -> None:
        """Suspend or resume a subscription. The next connection requests all, since this one may end too early."""
        self._session_complete = False
        if item.subscribed:
            self._suspended.discard(item.topic)
            self._subscribe([item.topic])
        else:
            self._suspended.add(item.topic)
            self._client.unsubscribe(item.topic)

    def pump(self, wakeup: socket.socket, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for the network or `wakeup`, move packets, and return whether `wakeup` is readable."""
        client, sock = self._client, self._client.packets
        if sock is None:
            return False
        at_hand = sock.readable
        writers = [sock] if sock.has_unsent or client.want_write() else []
        readers: list[PacketSocket | socket.socket] = [sock, wakeup]
        readable, writable, _ = select.select(readers, writers, [], 0.0 if at_hand else timeout_s)
        if sock in readable or at_hand:
            self._read_all(client)
        if sock in writable and client.packets is not None:
            sock.flush()
            client.loop_write()
        client.loop_misc()
        return wakeup in readable

    def _read_all(self, client: PacketClient) -> None:
        """Read packets while they bring messages: paho reads one at a time, and `select` costs as much as a packet."""
        before = -1
        while before != self._received and client.packets is not None:
            before = self._received
            client.loop_read()

    def _report(self, problem: str, *, quiet: bool = False) -> None:
        """Log why there is no connection: once, until the reason changes."""
        if problem != self.problem and not quiet and not self.muted:
            log.warning("no connection to %s, retrying: %s", self._config.broker, problem)
        self.problem = problem

    def _on_connect(
        self, client: paho.Client, _: Any, flags: paho.ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._report(f"refused {self._identity.client_id}: {reason}")
            return
        self.epoch += 1
        self.sessions_lost += not flags.session_present
        self.problem = ""
        stated = getattr(properties, "ReceiveMaximum", 65535 if self._config.version == "5" else DEFAULT_WINDOW)
        self.window = min(stated, MAX_WINDOW)
        level = logging.DEBUG if self.muted else logging.INFO
        log.log(level, "connected to %s as %s", self._config.broker, self._identity.client_id)
        self._requested.clear()
        if self._identity.subscriptions and not (flags.session_present and self._granted and self._session_complete):
            self._granted, self._session_complete = False, not self._suspended
            self._subscribe([topic for topic in self._identity.subscriptions if topic not in self._suspended])
        self.connected.set()

    def _subscribe(self, topics: list[str]) -> None:
        if topics:
            _, mid = self._client.subscribe([(topic, self._options()) for topic in topics])
            self._requested[mid or 0] = topics

    def _options(self) -> Any:
        """Return options for QoS 1; with MQTT 5 the broker sends retained messages for new subscriptions only."""
        return SubscribeOptions(qos=1, retainHandling=1) if self._config.version == "5" else 1

    def _on_subscribe(self, _: paho.Client, __: Any, mid: int, reasons: Sequence[ReasonCode], ___: Any) -> None:
        granted, topics = [], self._requested.pop(mid, [])
        for topic, reason in zip(topics, reasons, strict=False):
            if reason.is_failure:
                log.error("%s: subscription to %s refused: %s", self._config.broker, topic, reason)
            else:
                granted.append(topic)
        more = f" and {len(granted) - 5} more" if len(granted) > 5 else ""
        log.info("subscribed to %s%s", ", ".join(granted[:5]), more)
        if len(topics) == len(self._identity.subscriptions) - len(self._suspended):  # the request was for all of them
            self._granted = len(granted) == len(topics)

    def _on_message(self, _: paho.Client, __: Any, message: paho.MQTTMessage) -> None:
        self._received += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        payload, now_ns = bytes(message.payload), time.time_ns()
        qos, mid, address = message.qos, message.mid, self._address_of(topic)
        self._deliver(Incoming(topic, payload, qos, message.dup, now_ns, mid, self.epoch, message.retain, address))

    def _on_publish(self, _: paho.Client, __: Any, mid: int, reason: ReasonCode, ___: Any) -> None:
        self._received += 1
        self._acknowledged(mid)
        if reason.is_failure and str(reason) != self._refusal:
            self._refusal = str(reason)
            log.warning("%s: refuses publications: %s", self._config.broker, reason)

    def _on_disconnect(
        self, _: paho.Client, __: Any, flags: paho.DisconnectFlags, reason: ReasonCode, ___: Any
    ) -> None:
        self.taken_over = reason.value == SESSION_TAKEN_OVER
        if self.connected.is_set() and reason.is_failure:
            by_broker = flags.is_disconnect_packet_from_server
            how = "the broker ended it" if by_broker else "lost"
            self._report(f"{how}: {reason}", quiet=self._identity.quiet)
        self.connected.clear()

    def _new_client(self) -> PacketClient:
        client = new_client(self._config, self._identity, self._password, self._tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client


def _no_address(_: str) -> Address:
    return Address()
