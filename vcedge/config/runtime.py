"""Defines and loads the runtime configuration of `vcedge run` and `vcedge record`.

`node` and `assets` suffice; everything else has a default, with a broker on localhost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from vcedge.config.mqtt import Level, MqttConfig
from vcedge.config.operating import LogConfig, MetricsConfig, RunWhenConfig
from vcedge.config.strict import Strict, fragments_beside, load_yaml
from vcedge.config.succession import ShadowConfig, StageConfig, UpdateConfig
from vcedge.topics import InputTopic, OutputTopics


def _topic(pattern: str) -> str:
    InputTopic(pattern)
    return pattern


class InputConfig(Strict):
    """Configures the source of samples. `{asset}` is one complete level of the topic; `{channel}` may be another."""

    topic: Annotated[str, AfterValidator(_topic)] = "plant/{asset}"
    codec: str | None = Field(default=None, min_length=1)
    """An entry point of the group `vcedge.codecs`; absent: `json`, or `value` if the topic has a {channel}."""
    join_s: float | None = Field(default=None, ge=1e-6, le=86_400)
    """Values within this time form one sample; absent: the model's period if the topic has a {channel}, else none."""
    lateness_s: float | None = Field(default=None, ge=0, le=86_400)
    """How far a value may lag behind its asset's newest one and still be joined; absent: as `join_s`."""
    max_bytes: int = Field(default=1 << 20, ge=1, le=256 << 20)
    max_channels: int = Field(default=1000, ge=1)
    """Channels of one message, unknown ones included."""
    max_rows: int = Field(default=10_000, ge=1)
    """Samples of one block."""
    burst: int = Field(default=1000, ge=1)
    """Samples that an asset may send at once; then ten for each period of its model, by the samples' times."""

    @property
    def codec_name(self) -> str:
        """The configured or default codec."""
        return self.codec or ("value" if InputTopic(self.topic).has_channel else "json")

    @property
    def joined(self) -> bool:
        """Whether messages hold parts of a sample, which are joined."""
        return self.join_s is not None or InputTopic(self.topic).has_channel


class OutboxConfig(Strict):
    """Bounds the queue of results during an outage. Excess and expired results are dropped and counted."""

    max_mb: float = Field(default=64.0, gt=0, le=1e6)
    """Megabytes on disk."""
    max_age_s: float = Field(default=7 * 86400.0, gt=0)


class AssetConfig(Strict):
    """Configures how to watch one asset, or all assets that match a pattern."""

    model: Path | None = None
    """A model.vcedge or a file exported from one, relative to the configuration file; optional for `vcedge record`."""
    engine: str = Field(default="auto", min_length=1)
    threshold: float | None = Field(default=None, gt=0)
    """Replaces the calibrated threshold, in the unit of `raw`; it is not adapted."""
    adapt: bool = True
    """Whether the calibrated threshold follows slow drift."""
    run_when: RunWhenConfig | None = None
    """Replaces the file's `run_when`; null: the asset always runs."""
    shadow: ShadowConfig | None = None
    """A second model on the same samples."""
    stages: list[StageConfig] = Field(default_factory=list)
    """Stages from much compute to little; each begins while the shadow shows that no alarm is missed."""

    @model_validator(mode="after")
    def _has_a_shadow(self) -> AssetConfig:
        if self.stages and self.shadow is None:
            raise ValueError("expected a shadow beside stages: it shows which alarms they miss")
        return self


class RuntimeConfig(Strict):
    """Holds the complete file. Keys of `assets` are names or patterns such as "pump-*"; a name takes precedence."""

    node: Level
    state_dir: Path = Path("/var/lib/vcedge")
    mqtt: MqttConfig = MqttConfig()
    input: InputConfig = InputConfig()
    outbox: OutboxConfig = OutboxConfig()
    max_assets: int = Field(default=1000, ge=0)
    """Most assets that match patterns; further ones are refused."""
    assets: dict[Level, AssetConfig] = Field(default_factory=dict)
    run_when: RunWhenConfig | None = None
    """When the machines run; absent: always. An asset's own `run_when` takes precedence."""
    log: LogConfig = LogConfig()
    metrics: MetricsConfig | None = None
    """Absent: no metrics page."""
    update: UpdateConfig | None = None
    """Absent: no update is accepted."""
    source: Path = Field(default=Path("runtime.yaml"), exclude=True)
    """The file itself, for messages; filled in by the loader."""

    @field_validator("input")
    @classmethod
    def _excludes_own_topics(cls, value: InputConfig, info: ValidationInfo) -> InputConfig:
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
        """Return the key and the rule that say when an asset runs; None: always."""
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
        """The client id, the same at every start, so that the broker resumes the session."""
        return self.mqtt.client_id or f"vcedge-{self.node}"


def load_runtime_config(path: Path, environment: Mapping[str, str] | None = None) -> RuntimeConfig:
    """Load and check the file, merged with `conf.d/*.yaml` beside it and `VCEDGE__A__B` variables; make paths absolute.

    Args:
        path: the main file.
        environment: variables; by default those of the process.

    Raises:
        ConfigError: a file or variable has an unknown key or an impossible value.
        InputNotFound: a file cannot be read.
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
