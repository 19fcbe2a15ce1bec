"""One client of a broker, over paho. Not thread-safe: `vcedge.runtime.mqtt.connection` drives it."""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vcedge.config.runtime import MqttConfig, password_of
from vcedge.runtime.mqtt.inbox import Address, Incoming
from vcedge.runtime.mqtt.outbox import Acknowledgement, Listening, Publication
from vcedge.runtime.mqtt.packet_socket import PacketSocket
from vcedge.runtime.mqtt.paho_setup import Identity, PacketClient, new_client, tls_context

log = logging.getLogger("vcedge.mqtt")
OLD_WINDOW = 20
"""Unacknowledged publications to a broker that states no Receive Maximum (3.1.1): what all of them take."""
MAX_WINDOW = 1000
TAKEN_OVER = 0x8E
"""MQTT 5's reason for the end of a connection: another client came with the same id."""


class Wire:
    """paho with acknowledgements by hand and without its own reconnecting: each connection has a client of its own,
    which remembers nothing of the one before."""

    def __init__(
        self,
        config: MqttConfig,
        identity: Identity,
        deliver: Callable[[Incoming], None],
        acknowledged: Callable[[int], None],
        address_of: Callable[[str], Address] | None = None,
    ) -> None:
        """`deliver` gets what arrives, `acknowledged` the ids of publications that the broker has.

        Checks credentials and certificates; raises ConfigError. Connects only in `open`.
        """
        self._config = config
        self._identity = identity
        self._deliver = deliver
        self._acknowledged = acknowledged
        self._address_of = address_of or _no_address
        self._tls = tls_context(config) if config.endpoint.tls else None
        self._password = None if config.username is None else password_of(config)
        self._client = self._connectable()
        self._subscribed = not identity.subscriptions
        self._lasting = True
        """Whether a session that the broker kept has all subscriptions."""
        self._unheard: set[str] = set()
        """Subscriptions that are left out for now."""
        self._asked: dict[int, list[str]] = {}
        """Topics of subscriptions that the broker has not answered."""
        self.window = OLD_WINDOW
        """How many publications the broker takes before it has acknowledged the first."""
        self.connected = threading.Event()
        self.epoch = 0
        """Number of the connection."""
        self.forgotten = 0
        """Connections to a broker that had no session of ours."""
        self.taken_over = False
        """Whether the last connection ended because another client has the same id."""
        self.hushed = False
        """Whether connections come and go for a reason that was told."""
        self.complaint = ""
        """Why there is no connection; empty while there is one."""
        self._refusal = ""
        """Why the broker did not take a publication, as it was told last."""
        self._brought = 0
        """Messages and acknowledgements that arrived."""

    def open(self) -> bool:
        """Ask for a connection; False where nobody listens. The broker's answer comes while `pump` runs."""
        self._client = self._connectable()
        self.taken_over = False
        try:
            self._client.reconnect()
        except (OSError, UnicodeError) as error:
            self._complain(str(error), self._identity.quiet)
            return False
        return True

    def close(self) -> None:
        """End the connection in good order: the broker does not publish the last will."""
        self._client.disconnect()

    @property
    def is_open(self) -> bool:
        """Whether there is something to pump, accepted by the broker or not yet."""
        return self._client.packets is not None

    @property
    def listening(self) -> bool:
        """Whether the broker has granted all subscriptions."""
        return self.connected.is_set() and self._subscribed

    def publish(self, item: Publication) -> int:
        """Hand over a publication; its message id."""
        return self._client.publish(item.topic, item.payload, item.qos, item.retain).mid

    def acknowledge(self, item: Acknowledgement) -> None:
        """Tell the broker that it may forget a message; void for one that came by an earlier connection."""
        if item.epoch == self.epoch:
            self._client.ack(item.mid, 1)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is handed over in this block leaves in as few segments as it fits into, at the end of the block."""
        sock = self._client.packets
        with nullcontext() if sock is None else sock.together():
            yield

    def listen(self, item: Listening) -> None:
        """End a subscription, or begin it again. A connection that ends now may lose it: the next one asks for all."""
        self._lasting = False
        if item.heard:
            self._unheard.discard(item.topic)
            self._subscribe([item.topic])
        else:
            self._unheard.add(item.topic)
            self._client.unsubscribe(item.topic)

    def pump(self, bell: socket.socket, sleep_s: float) -> bool:
        """Wait up to `sleep_s` for the network or the bell, then move packets. Whether the bell rang."""
        client, sock = self._client, self._client.packets
        if sock is None:
            return False
        at_hand = sock.readable
        writers = [sock] if sock.has_unsent or client.want_write() else []
        readers: list[PacketSocket | socket.socket] = [sock, bell]
        readable, writable, _ = select.select(readers, writers, [], 0.0 if at_hand else sleep_s)
        if sock in readable or at_hand:
            self._read_all(client)
        if sock in writable and client.packets is not None:
            sock.flush()
            client.loop_write()
        client.loop_misc()
        return bell in readable

    def _read_all(self, client: PacketClient) -> None:
        """Read packets as long as they bring something: paho reads one at a time, and `select` costs as much."""
        brought = -1
        while brought != self._brought and client.packets is not None:
            brought = self._brought
            client.loop_read()

    def _complain(self, reason: str, quiet: bool = False) -> None:
        """Say why there is no connection: once, until the reason changes."""
        if reason != self.complaint and not quiet and not self.hushed:
            log.warning("no connection to %s, trying on: %s", self._config.broker, reason)
        self.complaint = reason

    def _on_connect(
        self, client: Client, _: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._complain(f"refused {self._identity.client_id}: {reason}")
            return
        self.epoch += 1
        self.forgotten += not flags.session_present
        self.complaint = ""
        stated = getattr(properties, "ReceiveMaximum", 65535 if self._config.version == "5" else OLD_WINDOW)
        self.window = min(stated, MAX_WINDOW)
        level = logging.DEBUG if self.hushed else logging.INFO
        log.log(level, "connected to %s as %s", self._config.broker, self._identity.client_id)
        self._asked.clear()
        if self._identity.subscriptions and not (flags.session_present and self._subscribed and self._lasting):
            self._subscribed, self._lasting = False, not self._unheard
            self._subscribe([topic for topic in self._identity.subscriptions if topic not in self._unheard])
        self.connected.set()

    def _subscribe(self, topics: list[str]) -> None:
        if topics:
            _, mid = self._client.subscribe([(topic, self._options()) for topic in topics])
            self._asked[mid or 0] = topics

    def _options(self) -> Any:
        """QoS 1; with MQTT 5 retained messages come with a new subscription only, not at every reconnect."""
        return SubscribeOptions(qos=1, retainHandling=1) if self._config.version == "5" else 1

    def _on_subscribe(self, _: Client, __: Any, mid: int, reasons: Sequence[ReasonCode], ___: Any) -> None:
        granted, topics = [], self._asked.pop(mid, [])
        for topic, reason in zip(topics, reasons, strict=False):
            if reason.is_failure:
                log.error("%s: subscription to %s refused: %s", self._config.broker, topic, reason)
            else:
                granted.append(topic)
        more = f" and {len(granted) - 5} more" if len(granted) > 5 else ""
        log.info("subscribed to %s%s", ", ".join(granted[:5]), more)
        whole = len(topics) == len(self._identity.subscriptions) - len(self._unheard)
        self._subscribed = len(granted) == len(topics) if whole else self._subscribed

    def _on_message(self, _: Client, __: Any, message: MQTTMessage) -> None:
        self._brought += 1
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        payload, now_ns = bytes(message.payload), time.time_ns()
        self._deliver(
            Incoming(
                topic=topic,
                payload=payload,
                qos=message.qos,
                duplicate=message.dup,
                arrival_ns=now_ns,
                mid=message.mid,
                epoch=self.epoch,
                retained=message.retain,
                address=self._address_of(topic),
            )
        )

    def _on_publish(self, _: Client, __: Any, mid: int, reason: ReasonCode, ___: Any) -> None:
        self._brought += 1
        self._acknowledged(mid)
        if reason.is_failure and str(reason) != self._refusal:
            self._refusal = str(reason)
            log.warning("%s: publications are refused: %s", self._config.broker, reason)

    def _on_disconnect(self, _: Client, __: Any, flags: DisconnectFlags, reason: ReasonCode, ___: Any) -> None:
        self.taken_over = reason.value == TAKEN_OVER
        if self.connected.is_set() and reason.is_failure:
            by_broker = flags.is_disconnect_packet_from_server
            how = "the broker ended it" if by_broker else "lost"
            self._complain(f"{how}: {reason}", self._identity.quiet)
        self.connected.clear()

    def _connectable(self) -> PacketClient:
        client = new_client(self._config, self._identity, self._password, self._tls)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client


def _no_address(_: str) -> Address:
    return Address()
