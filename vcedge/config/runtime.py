"""The runtime configuration: what `vcedge run` and `vcedge record` read.

`node` and `assets` suffice; everything else has a default, with a broker on localhost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from vcedge.config.operating import LogConfig, MetricsConfig, RunWhenConfig
from vcedge.config.strict import Strict, fragments_beside, load_yaml
from vcedge.config.succession import ShadowConfig, StageConfig, UpdateConfig
from vcedge.errors import ConfigError
from vcedge.topics import InputTopic, OutputTopics

PORTS = {"mqtt": 1883, "mqtts": 8883}
Version = Literal["5", "3.1.1"]


@dataclass(frozen=True)
class Endpoint:
    """Where a broker is."""

    host: str
    port: int
    tls: bool


def parse_broker(url: str) -> Endpoint:
    """`mqtt://host:port` or `mqtts://host:port` (TLS). Raises ValueError that says what was expected."""
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


Level = Annotated[str, AfterValidator(_one_level)]


def _as_text(value: object) -> object:
    """YAML reads `version: 5` as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class MqttConfig(Strict):
    """The connection to the broker. Files are relative to the configuration file."""

    broker: str = "mqtt://localhost:1883"
    version: Annotated[Version, BeforeValidator(_as_text)] = "5"
    prefix: str = "vcedge"
    client_id: str | None = Field(default=None, min_length=1)
    """Absent: `vcedge-NODE`. The connection that receives adds `-in`. Two programs with one id fight each other."""
    username: str | None = None
    password_file: Path | None = None
    """The password is the first line of this file."""
    password_env: str | None = None
    """The password is in the environment variable of this name."""
    ca_file: Path | None = None
    """Absent with mqtts: the certificate authorities of the system."""
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = Field(default=30, ge=5, le=65535)
    session_expiry_s: int = Field(default=7 * 86400, ge=0, le=2**32 - 1)
    """How long the broker keeps what arrives while this device is away (MQTT 5)."""
    receive_maximum: int = Field(default=1000, ge=1, le=65535)
    """Messages the broker may send before the first of them is acknowledged (MQTT 5)."""

    @field_validator("broker")
    @classmethod
    def _is_a_broker(cls, value: str) -> str:
        parse_broker(value)
        return value

    @field_validator("prefix")
    @classmethod
    def _is_a_prefix(cls, value: str) -> str:
        if value.startswith("$"):
            raise ValueError("expected no '$' in front: such topics belong to the broker")
        return "/".join(_one_level(level) for level in value.split("/"))

    @model_validator(mode="after")
    def _fits_together(self) -> MqttConfig:
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("expected password_file or password_env, not both")
        if (self.password_file or self.password_env) and self.username is None:
            raise ValueError("expected a username to go with the password")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("expected a cert_file to go with key_file")
        if (self.ca_file or self.cert_file) and not self.endpoint.tls:
            raise ValueError("expected a broker of mqtts:// where certificates are given")
        return self

    @property
    def endpoint(self) -> Endpoint:
        """Where the broker is."""
        return parse_broker(self.broker)


class InputConfig(Strict):
    """Where samples come from. `{asset}` is one whole level of the topic, as may be `{channel}`."""

    topic: str = "plant/{asset}"
    codec: str | None = Field(default=None, min_length=1)
    """An entry point of the group `vcedge.codecs`; absent: `json`, or `value` where the topic has a {channel}."""
    join_s: float | None = Field(default=None, ge=1e-6, le=86_400)
    """Values within so long are one sample; absent: the model's period where the topic has a {channel}, else none."""
    lateness_s: float | None = Field(default=None, ge=0, le=86_400)
    """How far behind its asset's newest value one may be and still be joined; absent: as long as `join_s`."""
    max_bytes: int = Field(default=1 << 20, ge=1, le=256 << 20)
    max_channels: int = Field(default=1000, ge=1)
    """Of one message, those included that no model knows."""
    max_rows: int = Field(default=10_000, ge=1)
    """Samples of one block."""
    burst: int = Field(default=1000, ge=1)
    """Samples that an asset may send at once; beyond it ten for each period of its model, by the samples' times."""

    @field_validator("topic")
    @classmethod
    def _has_an_asset(cls, value: str) -> str:
        InputTopic(value)
        return value

    @property
    def codec_name(self) -> str:
        """The codec that is meant."""
        return self.codec or ("value" if InputTopic(self.topic).has_channel else "json")

    @property
    def joined(self) -> bool:
        """Whether messages hold parts of a sample."""
        return self.join_s is not None or InputTopic(self.topic).has_channel


class OutboxConfig(Strict):
    """Where results wait while the broker is away. What is too much or too old is dropped, and counted."""

    max_mb: float = Field(default=64.0, gt=0, le=1e6)
    """Megabytes on disk."""
    max_age_s: float = Field(default=7 * 86400.0, gt=0)


class AssetConfig(Strict):
    """How one asset, or all that match a pattern, is watched."""

    model: Path | None = None
    """A model.vcedge or a file exported from one, relative to the configuration file; `vcedge record` does without."""
    engine: str = Field(default="auto", min_length=1)
    threshold: float | None = Field(default=None, gt=0)
    """In the unit of `raw`, instead of the calibrated one; it is not adapted."""
    adapt: bool = True
    """Whether the calibrated threshold follows slow drift."""
    run_when: RunWhenConfig | None = None
    """In the place of the file's own; null where this asset is to be watched at any time."""
    shadow: ShadowConfig | None = None
    """A second model on the same samples."""
    stages: list[StageConfig] = Field(default_factory=list)
    """From much compute to little, as long as the shadow shows that nothing is missed."""

    @model_validator(mode="after")
    def _has_somebody_to_watch(self) -> AssetConfig:
        if self.stages and self.shadow is None:
            raise ValueError("expected a shadow where there are stages: it tells what is missed")
        return self


class RuntimeConfig(Strict):
    """The whole file. Keys of `assets` are names or patterns such as "pump-*"; a name goes before a pattern."""

    node: Level
    state_dir: Path = Path("/var/lib/vcedge")
    mqtt: MqttConfig = MqttConfig()
    input: InputConfig = InputConfig()
    outbox: OutboxConfig = OutboxConfig()
    max_assets: int = Field(default=1000, ge=0)
    """Assets that patterns may bring; further ones are refused."""
    assets: dict[Level, AssetConfig] = Field(default_factory=dict)
    run_when: RunWhenConfig | None = None
    """When the machines are at work; absent: always. An asset's own goes before it."""
    log: LogConfig = LogConfig()
    metrics: MetricsConfig | None = None
    """Absent: nobody can ask."""
    update: UpdateConfig | None = None
    """Absent: no model is taken as an update."""
    source: Path = Field(default=Path("runtime.yaml"), exclude=True)
    """The file itself, for messages; filled in by the loader."""

    @field_validator("input")
    @classmethod
    def _does_not_hear_itself(cls, value: InputConfig, info: ValidationInfo) -> InputConfig:
        if "node" in info.data and "mqtt" in info.data:
            outputs = OutputTopics(info.data["mqtt"].prefix, info.data["node"])
            for own in (outputs.status, outputs.stats, outputs.deadletter, outputs.of("x", "score")):
                if InputTopic(value.topic).asset_of(own) is not None:
                    raise ValueError(f"expected a topic that does not cover {own}, which the service writes")
            own = outputs.of("x", "threshold/set")
            if InputTopic(value.topic).asset_of(own) is not None:
                raise ValueError(f"expected a topic that does not cover {own}, where settings arrive")
        return value

    def run_when_of(self, name: str) -> tuple[str, RunWhenConfig] | None:
        """When an asset is at work, and the key that says so; None: always."""
        asset = self.assets[name]
        own = "run_when" in asset.model_fields_set
        key, section = (f"assets.{name}.run_when", asset.run_when) if own else ("run_when", self.run_when)
        return None if section is None else (key, section)

    @property
    def outputs(self) -> OutputTopics:
        """The topics that the service writes."""
        return OutputTopics(self.mqtt.prefix, self.node)

    @property
    def client_id(self) -> str:
        """The same at every start, so that the broker finds the session again."""
        return self.mqtt.client_id or f"vcedge-{self.node}"


def load_runtime_config(path: Path, environment: Mapping[str, str] | None = None) -> RuntimeConfig:
    """The file with `conf.d/*.yaml` beside it and `VCEDGE__A__B` variables over it; paths made absolute.

    `environment` is that of the process where absent. Raises ConfigError or InputNotFound.
    """
    variables = os.environ if environment is None else environment
    config = load_yaml(path, RuntimeConfig, environment=variables, fragments=fragments_beside(path))
    base = path.absolute().parent
    assets = {name: _placed(asset, base) for name, asset in config.assets.items()}
    mqtt = _absolute(config.mqtt, base, "password_file", "ca_file", "cert_file", "key_file")
    state_dir = base / config.state_dir
    update = config.update and _absolute(config.update, base, "key")
    found = {"assets": assets, "mqtt": mqtt, "state_dir": state_dir, "update": update, "source": path}
    return config.model_copy(update=found)


def _placed(asset: AssetConfig, base: Path) -> AssetConfig:
    shadow = asset.shadow and _absolute(asset.shadow, base, "model")
    placed: AssetConfig = _absolute(asset, base, "model").model_copy(update={"shadow": shadow})
    return placed


def _absolute(section: Any, base: Path, *keys: str) -> Any:
    values = {key: getattr(section, key) for key in keys}
    return section.model_copy(update={k: base / v for k, v in values.items() if v is not None})


def password_of(mqtt: MqttConfig, environment: Mapping[str, str] | None = None) -> str | None:
    """The password that the configuration points to; it is never part of a message or a log.

    Raises ConfigError that names the file or variable where there is none.
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
            raise ConfigError(f"mqtt.password_env: no environment variable '{mqtt.password_env}'")
        return variables[mqtt.password_env]
    return None
