"""Defines the section mqtt of runtime.yaml: the broker's address, and how the service connects to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from vcedge.config.strict import Strict
from vcedge.errors import ConfigError

PORTS = {"mqtt": 1883, "mqtts": 8883}
Version = Literal["5", "3.1.1"]


@dataclass(frozen=True)
class Endpoint:
    """Holds the network address of a broker."""

    host: str
    port: int
    tls: bool


def parse_broker(url: str) -> Endpoint:
    """Parse `mqtt://host:port` or `mqtts://host:port` (TLS). Raises ValueError that says what was expected."""
    expected = "expected mqtt://host:port or mqtts://host:port"
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise ValueError(f"{expected}, with a port from 1 to 65535") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("expected no user or password in the address: use username and password_file")
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or port == 0:
        raise ValueError(expected)
    return Endpoint(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts")


def _one_level(value: str) -> str:
    if not value or set(value) & set("/+#\x00") or any(character.isspace() for character in value):
        raise ValueError("expected one level of a topic: no space, '/', '+' or '#'")
    return value


def _broker(url: str) -> str:
    parse_broker(url)
    return url


def _prefix(value: str) -> str:
    if value.startswith("$"):
        raise ValueError("expected no '$' in front: such topics belong to the broker")
    return "/".join(_one_level(level) for level in value.split("/"))


Level = Annotated[str, AfterValidator(_one_level)]


def _as_text(value: object) -> object:
    """Return a number as text: YAML reads `version: 5` as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class MqttConfig(Strict):
    """Configures the connection to the broker. Files are relative to the configuration file."""

    broker: Annotated[str, AfterValidator(_broker)] = "mqtt://localhost:1883"
    version: Annotated[Version, BeforeValidator(_as_text)] = "5"
    prefix: Annotated[str, AfterValidator(_prefix)] = "vcedge"
    client_id: str | None = Field(default=None, min_length=1)
    """Absent: `vcedge-NODE`. The receiving connection appends `-in`. Two programs with one id disconnect each other."""
    username: str | None = None
    password_file: Path | None = None
    """The password is the first line of this file."""
    password_env: str | None = None
    """The environment variable of this name holds the password."""
    ca_file: Path | None = None
    """Certificate authorities for mqtts; absent: those of the system."""
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = Field(default=30, ge=5, le=65535)
    session_expiry_s: int = Field(default=7 * 86400, ge=0, le=2**32 - 1)
    """How long the broker keeps messages while this device is disconnected (MQTT 5)."""
    receive_maximum: int = Field(default=1000, ge=1, le=65535)
    """Unacknowledged messages that the broker may have in flight (MQTT 5)."""

    @model_validator(mode="after")
    def _fits_together(self) -> MqttConfig:
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("expected password_file or password_env, not both")
        if (self.password_file or self.password_env) and self.username is None:
            raise ValueError("expected a username to go with the password")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("expected a cert_file to go with key_file")
        if (self.ca_file or self.cert_file) and not self.endpoint.tls:
            raise ValueError("expected a broker of mqtts:// beside ca_file or cert_file")
        return self

    @property
    def endpoint(self) -> Endpoint:
        """The address of the broker."""
        return parse_broker(self.broker)


def password_of(mqtt: MqttConfig, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the password that the configuration refers to; it is never part of a message or a log.

    Raises ConfigError that names the file or variable if there is none.
    """
    if mqtt.password_file is not None:
        try:
            text = mqtt.password_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"mqtt.password_file: {mqtt.password_file}: cannot be read: {error}") from None
        return text.splitlines()[0] if text else ""
    if mqtt.password_env is not None:
        variables = os.environ if environment is None else environment
        if mqtt.password_env not in variables:
            raise ConfigError(
                f"mqtt.password_env: no environment variable '{mqtt.password_env}', expected the password in it"
            )
        return variables[mqtt.password_env]
    return None
