"""The assets that a service watches: their models loaded before anything starts, one stream for each of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vcedge.errors import DataError
from vcedge.runtime.assets.companions import Companions
from vcedge.runtime.assets.compute_stages import Stages
from vcedge.runtime.assets.joiner import Joiner
from vcedge.runtime.assets.rate_limit import Allowance
from vcedge.runtime.assets.recipes import Recipe, Shadow
from vcedge.runtime.assets.settings import Settings
from vcedge.runtime.assets.shadow import Twin
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.storage.snapshot import encode_line
from vcedge.runtime.stream.rows import Policy
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.runtime.stream.timeline import far_ns
from vcedge.schema import NS_PER_S

log = logging.getLogger("vcedge.assets")


@dataclass(frozen=True)
class Origin:
    """What every payload of an asset says of where it comes from. `boot` is new at every start of the service."""

    asset: str
    model: str
    boot: str


class Watched:
    """One asset: its stream, and what was last heard and said of it."""

    def __init__(self, name: str, recipe: Recipe, boot: str) -> None:
        self._recipe = recipe
        self.origin = Origin(name, recipe.model, boot)
        self.stream = self.new_stream(recipe.engine)
        self.companions = Companions(self._new_twin(recipe.shadow), Stages(recipe.stages) if recipe.stages else None)
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
        self.settings.followers = self.companions.streams
        self.inhibited_ns = 0
        """Until when alarms are inhibited, as it was last published."""
        self._line: bytes | None = b""
        """Of the next snapshot; None: to be written anew."""

    def new_stream(self, engine: Engine) -> Stream:
        """A stream of the asset for an engine."""
        return Stream(engine, self._recipe.threshold, self._recipe.adapt, self._recipe.run_when)

    def take_over(self, stream: Stream, model: str) -> None:
        """Put another model in charge, which has followed the asset. What was set by hand holds for it, if it can."""
        before = self.settings.snapshot()
        stream.count_from(self.stream.seq)
        stream.operation.restore(self.stream.operation.snapshot())
        self.stream, self.engine, self.origin = stream, stream.engine_name, replace(self.origin, model=model)
        self.settings = Settings(stream, self._recipe.threshold)
        try:
            self.settings.restore(before)
        except DataError:
            log.warning("%s: what was set by hand does not fit the new model", self.origin.asset)
        self.companions.reset()
        self.touch()

    @property
    def policy(self) -> Policy:
        """The compute policy of the next rows."""
        wanted = self.settings.min_level, self.settings.logit_bias
        return self.companions.policy(wanted, self.stream.detector.levels)

    def _new_twin(self, shadow: Shadow | None) -> Twin | None:
        if shadow is None:
            return None
        stream = Stream(shadow.engine, None, self._recipe.adapt, self._recipe.run_when)
        return Twin(stream, shadow.model, shadow.config.disagree_ticks, shadow.config.safe)

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
        return {
            "stream": self.stream.snapshot(),
            "settings": self.settings.snapshot(),
            "joiner": None if self.joiner is None else self.joiner.snapshot(),
            "companions": self.companions.snapshot(),
            "allowance": self.allowance.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of the same model. Raises DataError for another one's; this is then of no use."""
        try:
            self.settings.restore(snapshot["settings"])  # first: what the stream learned is about the threshold set
            self.stream.restore(snapshot["stream"])
            self.companions.restore(snapshot["companions"])
            if self.joiner is not None and snapshot["joiner"] is not None:
                self.joiner.restore(snapshot["joiner"])
            self.allowance.restore(snapshot["allowance"])
            self.touch()
        except (LookupError, AttributeError, TypeError, ValueError) as error:
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

    def remember(self, scores: Sequence[Score], now_s: float) -> None:
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
