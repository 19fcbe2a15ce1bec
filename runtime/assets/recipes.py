"""Loads the model, engine and rules of each asset before the service connects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vcedge import model_file
from vcedge.config.problems import one_of, shown
from vcedge.config.runtime import RuntimeConfig
from vcedge.config.succession import ShadowConfig, StageConfig
from vcedge.detector import Detector
from vcedge.errors import ConfigError, UsageError
from vcedge.runtime.assets.joiner import JoinRule, join_rule
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.exported.artifact import Artifact, engine_for, read_artifact
from vcedge.runtime.stream.inhibition import RunWhen
from vcedge.schema import SensorSchema

ID_LENGTH = len("sha256:") + 12
"""Length of the shortened digest in payloads: enough to tell two models apart."""


@dataclass(frozen=True)
class ShadowRecipe:
    """Describes the second model of an asset."""

    engine: Engine
    model: str
    config: ShadowConfig


@dataclass(frozen=True)
class Recipe:
    """Describes how an asset, or every asset that matches a pattern, is scored."""

    engine: Engine
    model: str
    """`name@sha256:…`, with the digest of the model file."""
    threshold: float | None
    adapt: bool = True
    run_when: RunWhen | None = None
    join: JoinRule | None = None
    """None if each message holds complete samples."""
    burst: int = 1000
    """Samples that may arrive at once."""
    shadow: ShadowRecipe | None = None
    stages: tuple[StageConfig, ...] = ()


def load_recipes(config: RuntimeConfig) -> dict[str, Recipe]:
    """Load the models and engines of all assets; a file that several assets share is loaded once.

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
            known[source] = load_recipe(asset.model, asset.engine, f"{config.source}: key 'assets.{name}.engine'")
        recipes[name] = _with_rules(known[source], config, name)
    return recipes


def _with_rules(shared: Recipe, config: RuntimeConfig, name: str) -> Recipe:
    """Return the recipe with the rules that the configuration has for one asset."""
    asset, detector = config.assets[name], shared.engine.detector
    return replace(
        shared,
        threshold=asset.threshold,
        adapt=asset.adapt,
        run_when=_run_when(config, name, detector.schema.names),
        join=join_rule_of(config, detector.schema),
        burst=config.input.burst,
        shadow=_shadow(config, name, detector),
        stages=_stages(config, name, detector.levels),
    )


def _shadow(config: RuntimeConfig, name: str, detector: Detector) -> ShadowRecipe | None:
    """Load the second model. Raises ConfigError if its channels differ: both models get the same samples."""
    wanted = config.assets[name].shadow
    if wanted is None:
        return None
    key = f"{config.source}: key 'assets.{name}.shadow"
    second = load_recipe(wanted.model, wanted.engine, f"{key}.engine'")
    if second.engine.detector.schema.names != detector.schema.names:
        raise ConfigError(f"{key}.model' is {wanted.model}, expected a model of the same channels in the same order")
    return ShadowRecipe(second.engine, second.model, wanted)


def _stages(config: RuntimeConfig, name: str, levels: int) -> tuple[StageConfig, ...]:
    """Return the compute stages. Raises ConfigError if one needs more levels than the model has."""
    for number, stage in enumerate(config.assets[name].stages):
        if stage.min_level > levels:
            key = f"assets.{name}.stages.{number}.min_level"
            raise ConfigError(f"{config.source}: key '{key}' is {stage.min_level}, expected at most {levels}")
    return tuple(config.assets[name].stages)


def _run_when(config: RuntimeConfig, name: str, channels: Sequence[str]) -> RunWhen | None:
    """Return the rule for when an asset runs. Raises ConfigError if the model lacks the rule's channel."""
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
    """Return how to join parts of samples, None if messages hold complete samples; `known` as in `join_rule`.

    Raises ConfigError.
    """
    given = config.input
    if not given.joined:
        return None
    try:
        return join_rule(schema, given.join_s, given.lateness_s, known=known)
    except ValueError as error:
        raise ConfigError(f"{config.source}: key 'input.lateness_s' is {given.lateness_s}, {error}") from None


def load_recipe(path: Path, engine_name: str, key: str) -> Recipe:
    """Load a model file with the default rules; `key` names the engine's key in messages.

    Raises ConfigError, InputNotFound or ModelFileError.
    """
    return recipe_of(read_artifact(path), engine_name, key)


def recipe_of(artifact: Artifact, engine_name: str, key: str) -> Recipe:
    """Return the recipe of a loaded model. Raises ConfigError that begins with `key`."""
    try:
        engine = engine_for(artifact, engine_name)
    except UsageError as error:
        raise ConfigError(f"{key}: {error}") from None
    model = f"{engine.detector.asset}@{model_file.model_id(artifact.data)[:ID_LENGTH]}"
    return Recipe(engine, model, None)
