"""Setup of a paho client: socket, session, credentials. Only this module and `client` import paho."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from vcedge.config.mqtt import MqttConfig
from vcedge.errors import ConfigError
from vcedge.runtime.mqtt.packet_socket import PacketSocket


@dataclass(frozen=True)
class Identity:
    """Describes one client to the broker: its id, its subscriptions and its session."""

    client_id: str
    subscriptions: tuple[str, ...] = ()
    will_topic: str | None = None
    """Topic of the last will: the broker publishes `offline` there, retained, when the connection is lost."""
    persistent: bool = True
    """Whether the broker keeps the session between two connections."""
    quiet: bool = False
    """Whether to log no outages, because another connection to the same broker does."""


class PacketClient(Client):
    """Runs paho over a `PacketSocket`."""

    @property
    def packets(self) -> PacketSocket | None:
        """The socket, whether or not the broker has accepted the connection; None if there is no socket."""
        found: object = self.socket()
        return found if isinstance(found, PacketSocket) else None

    def _create_socket(self) -> Any:
        """Wrap the socket. paho has no public hook for this, and wraps websockets here too."""
        connected = super()._create_socket()
        assert isinstance(connected, socket.socket), "the transport is TCP, or TLS over it"
        return PacketSocket(connected)


def new_client(
    config: MqttConfig, identity: Identity, password: str | None, context: ssl.SSLContext | None
) -> PacketClient:
    """Return a client with manual acknowledgements, which neither connects nor reconnects by itself."""
    five = config.version == "5"
    client = PacketClient(
        CallbackAPIVersion.VERSION2,
        client_id=identity.client_id,
        clean_session=None if five else not identity.persistent,
        protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=True,
    )
    client.max_inflight_messages = 0  # `Connection` keeps the window, from what the broker states
    if config.username is not None:
        client.username_pw_set(config.username, password)
    if context is not None:
        client.tls_set_context(context)
    if identity.will_topic is not None:
        client.will_set(identity.will_topic, b"offline", qos=1, retain=True)
    properties = None
    if five:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = config.session_expiry_s if identity.persistent else 0
        properties.ReceiveMaximum = config.receive_maximum
    client.connect_async(
        config.endpoint.host,
        config.endpoint.port,
        config.keepalive_s,
        clean_start=not identity.persistent,
        properties=properties,
    )
    return client


def tls_context(config: MqttConfig) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer that checks the broker's name. Raises ConfigError that names the file."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        raise ConfigError(f"mqtt.ca_file: {config.ca_file}: cannot be used: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.cert_file is not None:
        try:
            context.load_cert_chain(config.cert_file, config.key_file)
        except OSError as error:
            raise ConfigError(f"mqtt.cert_file: {config.cert_file}: cannot be used: {error}") from None
    return context
