"""What each asset is judged by: models, engines and rules, all loaded before anything starts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vcedge import model_file
from vcedge.config.problems import one_of, shown
from vcedge.config.runtime import RuntimeConfig
from vcedge.config.succession import ShadowConfig, StageConfig
from vcedge.detector import Detector
from vcedge.errors import ConfigError, UsageError
from vcedge.runtime.assets.joiner import JoinRule, join_rule
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.exported.artifact import engine_for, read_artifact
from vcedge.runtime.stream.inhibition import RunWhen
from vcedge.schema import SensorSchema

ID_LENGTH = len("sha256:") + 12
"""Of the digest of a model's file, as much as tells two models apart in a message."""


@dataclass(frozen=True)
class Shadow:
    """The second model of an asset."""

    engine: Engine
    model: str
    config: ShadowConfig


@dataclass(frozen=True)
class Recipe:
    """What an asset, or all that match a pattern, is judged by."""

    engine: Engine
    model: str
    """`name@sha256:…`, from the bytes of the model file."""
    threshold: float | None
    adapt: bool = True
    run_when: RunWhen | None = None
    join: JoinRule | None = None
    """Where messages hold parts of a sample."""
    burst: int = 1000
    """Samples that may come at once."""
    shadow: Shadow | None = None
    stages: tuple[StageConfig, ...] = ()


def load_recipes(config: RuntimeConfig) -> dict[str, Recipe]:
    """Models and engines of all assets; a file that several share is loaded once.

    Raises ConfigError, InputNotFound or ModelFileError, with the asset's key.
    """
    if not config.assets:
        raise ConfigError(f"{config.source}: key 'assets' is missing, expected at least one asset with a model")
    known: dict[tuple[Path, str], Recipe] = {}
    recipes: dict[str, Recipe] = {}
    for name, asset in config.assets.items():
        key = f"{config.source}: key 'assets.{name}.model'"
        if asset.model is None:
            raise ConfigError(f"{key} is missing, expected the path of a model.vcedge")
        source = (asset.model, asset.engine)
        if source not in known:
            known[source] = loaded(asset.model, asset.engine, f"{config.source}: key 'assets.{name}.engine'")
        shared = known[source]
        run_when = _run_when(config, name, shared.engine.detector.schema.names)
        join, burst = join_rule_of(config, shared.engine.detector.schema), config.input.burst
        shadow = _shadow(config, name, shared.engine.detector)
        stages = _stages(config, name, shared.engine.detector.levels)
        recipes[name] = Recipe(
            shared.engine, shared.model, asset.threshold, asset.adapt, run_when, join, burst, shadow, stages
        )
    return recipes


def _shadow(config: RuntimeConfig, name: str, detector: Detector) -> Shadow | None:
    """The second model. Raises ConfigError for one of other channels: both get the same samples."""
    wanted = config.assets[name].shadow
    if wanted is None:
        return None
    key = f"{config.source}: key 'assets.{name}.shadow"
    second = loaded(wanted.model, wanted.engine, f"{key}.engine'")
    if second.engine.detector.schema.names != detector.schema.names:
        raise ConfigError(f"{key}.model' is {wanted.model}, expected a model of the same channels in the same order")
    return Shadow(second.engine, second.model, wanted)


def _stages(config: RuntimeConfig, name: str, levels: int) -> tuple[StageConfig, ...]:
    for number, stage in enumerate(config.assets[name].stages):
        if stage.min_level > levels:
            key = f"assets.{name}.stages.{number}.min_level"
            raise ConfigError(f"{config.source}: key '{key}' is {stage.min_level}, expected at most {levels}")
    return tuple(config.assets[name].stages)


def _run_when(config: RuntimeConfig, name: str, channels: Sequence[str]) -> RunWhen | None:
    """When an asset is at work. Raises ConfigError where its model does not know the channel that tells it."""
    found = config.run_when_of(name)
    if found is None:
        return None
    key, wanted = found
    if wanted.channel not in channels:
        problem = f"key '{key}.channel' is {shown(wanted.channel)}, which is no channel of the model of '{name}'"
        raise ConfigError(f"{config.source}: {problem}; {one_of(wanted.channel, channels)}")
    above = -math.inf if wanted.above is None else wanted.above
    below = math.inf if wanted.below is None else wanted.below
    return RunWhen(channels.index(wanted.channel), above, below)


def join_rule_of(config: RuntimeConfig, schema: SensorSchema, *, known: bool = True) -> JoinRule | None:
    """How values become samples, where they come in messages of their own; `known` as in `join_rule`.

    Raises ConfigError.
    """
    given = config.input
    if not given.joined:
        return None
    try:
        return join_rule(schema, given.join_s, given.lateness_s, known=known)
    except ValueError as error:
        raise ConfigError(f"{config.source}: key 'input.lateness_s' is {given.lateness_s}, {error}") from None


def loaded(path: Path, engine_name: str, key: str) -> Recipe:
    """A model by itself. Raises ConfigError with the key of its engine, InputNotFound or ModelFileError."""
    artifact = read_artifact(path)
    try:
        engine = engine_for(artifact, engine_name)
    except UsageError as error:
        raise ConfigError(f"{key}: {error}") from None
    model = f"{engine.detector.asset}@{model_file.model_id(artifact.data)[:ID_LENGTH]}"
    return Recipe(engine, model, None)
