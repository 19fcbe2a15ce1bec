"""The assets that a service watches: their models loaded before anything starts, one stream for each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from vcedge import model_file
from vcedge.config.problems import one_of, shown
from vcedge.config.runtime import AssetConfig, RuntimeConfig
from vcedge.errors import ConfigError, DataError, UsageError
from vcedge.runtime.allowance import Allowance
from vcedge.runtime.artifact import engine_for, read_artifact
from vcedge.runtime.engine import Engine
from vcedge.runtime.joiner import Joiner, JoinRule, join_rule
from vcedge.runtime.operation import RunWhen
from vcedge.runtime.payloads import Origin
from vcedge.runtime.settings import Settings
from vcedge.runtime.snapshot import encode_line
from vcedge.runtime.stream import Score, Stream
from vcedge.runtime.timeline import far_ns
from vcedge.schema import NS_PER_S, SensorSchema
from vcedge.topics import is_pattern, odd_name

ID_LENGTH = len("sha256:") + 12
"""Of the digest of a model's file, as much as tells two models apart in a message."""


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


def load_recipes(config: RuntimeConfig) -> dict[str, Recipe]:
    """Models and engines of all assets; a file that several share is loaded once.

    Raises ConfigError, InputNotFound or ModelFileError, with the asset's key.
    """
    if not config.assets:
        raise ConfigError(f"{config.source}: key 'assets' is missing, expected at least one asset with a model")
    loaded: dict[tuple[Path, str], Recipe] = {}
    recipes: dict[str, Recipe] = {}
    for name, asset in config.assets.items():
        key = f"{config.source}: key 'assets.{name}.model'"
        if asset.model is None:
            raise ConfigError(f"{key} is missing, expected the path of a model.vcedge")
        source = (asset.model, asset.engine)
        if source not in loaded:
            loaded[source] = _load(asset.model, asset, f"{config.source}: key 'assets.{name}.engine'")
        shared = loaded[source]
        run_when = _run_when(config, name, shared.engine.detector.schema.names)
        join = join_rule_of(config, shared.engine.detector.schema)
        recipes[name] = Recipe(
            shared.engine, shared.model, asset.threshold, asset.adapt, run_when, join, config.input.burst
        )
    return recipes


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


def _load(path: Path, asset: AssetConfig, key: str) -> Recipe:
    artifact = read_artifact(path)
    try:
        engine = engine_for(artifact, asset.engine)
    except UsageError as error:
        raise ConfigError(f"{key}: {error}") from None
    model = f"{engine.detector.asset}@{model_file.model_id(artifact.data)[:ID_LENGTH]}"
    return Recipe(engine, model, None)


class Watched:
    """One asset: its stream, and what was last heard and said of it."""

    def __init__(self, name: str, recipe: Recipe, boot: str) -> None:
        self.origin = Origin(name, recipe.model, boot)
        self.stream = Stream(recipe.engine, recipe.threshold, recipe.adapt, recipe.run_when)
        self.engine = recipe.engine.name
        self.names = self.stream.detector.schema.names
        self.joiner = None if recipe.join is None else Joiner(recipe.join)
        self.allowance = _allowance(recipe)
        self._reach_ns = far_ns(self.stream.detector.schema) if recipe.join is None else recipe.join.ahead_ns
        self.joined_s = 0.0
        """Monotonic clock at the last message that the joiner got."""
        self.silent_after_s = self.stream.detector.schema.max_gap_ns / NS_PER_S
        self.last: Score | None = None
        self.heard_s: float | None = None
        """Monotonic clock at the last message."""
        self.anomaly: bool | None = None
        """What was last published."""
        self.health: tuple[str, tuple[str, ...]] | None = None
        self.health_s = 0.0
        """Monotonic clock when health was last published."""
        self.settings = Settings(self.stream, recipe.threshold)
        """What was set by hand while the service runs: a restart keeps it."""
        self.inhibited_ns = 0
        """Until when alarms are inhibited, as it was last published."""
        self._line: bytes | None = b""
        """Of the next snapshot; None: to be written anew."""

    def touch(self) -> None:
        """Something changed that belongs to the snapshot."""
        self._line = None

    def line(self) -> bytes:
        """The asset's line of a snapshot; empty for one that has nothing to remember."""
        if self._line is None:
            self._line = encode_line([self.origin.asset, self.origin.model, self.snapshot()])
        return self._line

    def snapshot(self) -> dict[str, Any]:
        """All that the asset's future depends on, as JSON values; `restore` is the inverse."""
        joiner = None if self.joiner is None else self.joiner.snapshot()
        return {
            "stream": self.stream.snapshot(),
            "settings": self.settings.snapshot(),
            "joiner": joiner,
            "allowance": self.allowance.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same model. Raises DataError for another one's; this is then of no use."""
        try:
            self.settings.restore(snapshot["settings"])  # first: what the stream learned is about the threshold set
            self.stream.restore(snapshot["stream"])
            if self.joiner is not None and snapshot["joiner"] is not None:
                self.joiner.restore(snapshot["joiner"])
            self.allowance.restore(snapshot["allowance"])
            self.touch()
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"a snapshot of something else: {type(error).__name__}: {error}") from None

    @property
    def watermark_ns(self) -> int | None:
        """A message of a later time is new; None before the first."""
        return self.stream.watermark_ns if self.joiner is None else self.joiner.newest_ns

    def allows(self, samples: int, time_ns: int) -> bool:
        """Whether a message of so many samples, the last at this time, is no more than an asset may send."""
        known_ns = self.watermark_ns
        advance_ns = 0 if known_ns is None else time_ns - known_ns
        return self.allowance.take(samples, advance_ns if advance_ns <= self._reach_ns else 0)

    def remember(self, scores: list[Score], now_s: float) -> None:
        """What a message brought."""
        self.touch()
        self.last, self.heard_s = scores[-1], now_s

    def condition(self, now_s: float) -> tuple[str, tuple[str, ...]]:
        """Status and missing channels for the health topic: `waiting` before the first sample, `stale` in silence."""
        if self.last is None or self.heard_s is None:
            return "waiting", ()
        if now_s - self.heard_s > self.silent_after_s:
            return "stale", self.names
        return self.last.status, self.last.missing


def _allowance(recipe: Recipe) -> Allowance:
    schema = recipe.engine.detector.schema
    return Allowance(schema.period_ns, recipe.burst, 1 if recipe.join is None else len(schema.names))


class Assets:
    """Finds the stream of an asset; makes that of a pattern when the asset is first heard of."""

    def __init__(self, recipes: dict[str, Recipe], boot: str, max_found: int) -> None:
        """`max_found`: how many assets patterns may bring."""
        self._boot = boot
        self._recipes = recipes
        self._max_found = max_found
        self._patterns = [name for name in recipes if is_pattern(name)]
        self._watched: dict[str, Watched] = {}
        for name in recipes:
            if not is_pattern(name):
                self.renew(name)
        self._named = len(self._watched)

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> Iterator[Watched]:
        return iter(list(self._watched.values()))

    @property
    def unjoined(self) -> int:
        """Parts of samples that were left out, of all assets."""
        return sum(watched.joiner.dropped for watched in self if watched.joiner is not None)

    def known(self, name: str) -> Watched | None:
        """The asset of that name, if it was heard of; nothing is made for it."""
        return self._watched.get(name)

    def find(self, name: str) -> Watched | None:
        """The asset of that name, which begins here; None where there cannot be one. Of patterns the first counts."""
        watched = self.known(name)
        return watched if watched is not None or self.why_not(name) else self.renew(name)

    def why_not(self, name: str) -> str:
        """Why there can be no asset of that name; empty: there is one, or can be."""
        if name in self._watched:
            return ""
        if odd := odd_name(name):
            return odd
        if self._key_of(name) is None:
            return "the configuration has no such asset"
        if len(self._watched) - self._named >= self._max_found:
            return f"a new asset, where patterns have brought {self._max_found} (max_assets)"
        return ""

    def renew(self, name: str) -> Watched:
        """Watch an asset from the beginning. Raises KeyError where neither a name nor a pattern covers it."""
        watched = self._watched[name] = Watched(name, self._recipes[self._key_of(name) or name], self._boot)
        return watched

    def _key_of(self, name: str) -> str | None:
        """The key of the configuration that covers an asset."""
        if name in self._recipes and not is_pattern(name):
            return name
        return next((pattern for pattern in self._patterns if fnmatchcase(name, pattern)), None)
