"""One watched asset: its stream, what was set by hand, and the models beside the one in charge."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vcedge.errors import DataError
from vcedge.rate_limiter import RateLimiter
from vcedge.runtime.assets.companions import Companions
from vcedge.runtime.assets.compute_stages import ComputeStages
from vcedge.runtime.assets.joiner import Joiner
from vcedge.runtime.assets.judgements import Judgement, Judgements
from vcedge.runtime.assets.recipes import Recipe, ShadowRecipe
from vcedge.runtime.assets.settings import Settings
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.engine.interface import ComputePolicy, Engine
from vcedge.runtime.storage.snapshot import encode_line
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.runtime.stream.timeline import far_ns

log = logging.getLogger("vcedge.assets")
PER_PERIOD = 10
"""Samples that an asset may send for each period of its model."""


@dataclass(frozen=True)
class Origin:
    """Names the source of a payload. `boot` is new at every start of the service."""

    asset: str
    model: str
    boot: str


class Asset:
    """Watches one machine: everything that its scores depend on, and nothing of what was published."""

    def __init__(self, name: str, recipe: Recipe, boot: str) -> None:
        self._recipe = recipe
        self.name = name
        self.origin = Origin(name, recipe.model, boot)
        self.stream = self.new_stream(recipe.engine)
        self.names = self.stream.detector.schema.names
        stages = ComputeStages(recipe.stages) if recipe.stages else None
        self.companions = Companions(self._new_shadow(recipe.shadow), stages)
        self.settings = self._new_settings(self.stream)
        """The settings made by hand: a restart keeps them."""
        self.judgements = Judgements()
        """The recent events, and how people judged them: a restart keeps them."""
        self.joiner = None if recipe.join is None else Joiner(recipe.join)
        schema = self.stream.detector.schema
        self._rate_limit = sample_rate_limit(schema.period_ns, recipe.burst, len(self.names) if recipe.join else 1)
        self._reach_ns = far_ns(schema) if recipe.join is None else recipe.join.ahead_ns
        self._line: bytes | None = b""
        """The line of the next snapshot; None if it has to be encoded again."""

    def new_stream(self, engine: Engine) -> Stream:
        """Return a stream of the asset for an engine."""
        return Stream(engine, self._recipe.threshold, adapt=self._recipe.adapt, run_when=self._recipe.run_when)

    def take_over(self, stream: Stream, model: str) -> None:
        """Put another model in charge, whose stream has scored the asset's samples. Keep the settings that fit it."""
        before = self.settings.snapshot()
        stream.count_from(self.stream.seq)
        stream.inhibition.copy_from(self.stream.inhibition)
        self.stream, self.origin = stream, replace(self.origin, model=model)
        self.settings = self._new_settings(stream)
        try:
            self.settings.restore(before)
        except DataError:
            log.warning(
                "%s: the settings made by hand do not fit the new model, which starts with the default ones", self.name
            )
        self._widen()
        self.companions.reset()
        self.mark_changed()

    @property
    def policy(self) -> ComputePolicy:
        """The compute policy of the next rows."""
        return self.companions.policy(self.settings.policy, self.stream.detector.levels)

    @property
    def in_event(self) -> bool:
        """Whether an anomaly is reported: the model in charge, or the other one of a safe pair, has an event open."""
        return self.stream.in_event or self.companions.in_event

    @property
    def watermark_ns(self) -> int | None:
        """Time of the newest sample: a message with a later time is no duplicate. None before the first sample."""
        return self.stream.watermark_ns if self.joiner is None else self.joiner.newest_ns

    def try_acquire(self, samples: int, time_ns: int) -> bool:
        """Return whether the rate limit admits these samples, the last of which has this time, and count them if so."""
        known_ns = self.watermark_ns
        advance_ns = 0 if known_ns is None else time_ns - known_ns
        return self._rate_limit.try_acquire(advance_ns if advance_ns <= self._reach_ns else 0, samples)

    def remember(self, scores: Sequence[Score]) -> None:
        """Remember the events of rows that the stream has scored, so that people can judge them."""
        if self.judgements.follow(scores, self.origin.model, self.stream.widening):
            self._widen()

    def judge(self, judgement: Judgement, at_ns: int) -> bool:
        """Apply a person's judgement of an event, which arrived at this time; return whether that changes anything.

        Raises Refused.
        """
        changed = self.judgements.judge(judgement, at_ns, self.stream.watermark_ns or 0)
        if changed:
            self._widen()
            self.mark_changed()
        return changed

    def mark_changed(self) -> None:
        """Mark the asset's line of the snapshot as out of date."""
        self._line = None

    def snapshot_line(self) -> bytes:
        """Return the asset's line of a snapshot, empty for an asset without any state."""
        if self._line is None:
            self._line = encode_line([self.name, self.origin.model, self.snapshot()])
        return self._line

    def snapshot(self) -> dict[str, Any]:
        """Return the state that the asset's future depends on as JSON values; `restore` is the inverse."""
        return {
            "stream": self.stream.snapshot(),
            "settings": self.settings.snapshot(),
            "judgements": self.judgements.snapshot(),
            "joiner": None if self.joiner is None else self.joiner.snapshot(),
            "companions": self.companions.snapshot(),
            "allowance": self._rate_limit.credit,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot of the same model.

        Raises DataError for a snapshot of anything else; the asset must not be used then.
        """
        try:
            self.settings.restore(snapshot["settings"])  # first: the stream depends on the threshold set by hand
            self.stream.restore(snapshot["stream"])
            self.judgements.restore(snapshot["judgements"])
            self._widen()
            self.companions.restore(snapshot["companions"])
            if self.joiner is not None and snapshot["joiner"] is not None:
                self.joiner.restore(snapshot["joiner"])
            self._rate_limit.restore(int(snapshot["allowance"]))
            self.mark_changed()
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            raise DataError(f"not a snapshot of this model: {type(error).__name__}: {error}") from None

    def _widen(self) -> None:
        self.stream.widen(self.judgements.widening(self.origin.model))

    def _new_settings(self, stream: Stream) -> Settings:
        return Settings(stream, self._recipe.threshold, self.companions)

    def _new_shadow(self, shadow: ShadowRecipe | None) -> Shadow | None:
        if shadow is None:
            return None
        stream = Stream(shadow.engine, adapt=self._recipe.adapt, run_when=self._recipe.run_when)
        return Shadow(stream, shadow.model, shadow.config.disagree_ticks, safe=shadow.config.safe)


def sample_rate_limit(period_ns: int, burst: int, parts: int = 1) -> RateLimiter:
    """Return a limiter for `burst` samples at once, and PER_PERIOD samples for each period that their time advances.

    `parts` is the number of messages that make up one sample. Times are integers of nanoseconds. A machine sends one
    sample a period. Even if hours of samples arrive at once after an outage, their times advance, which earns credit.
    In a flood the times do not advance enough. No clock is read, so that the decision about a message is the same when
    it is delivered again.
    """
    return RateLimiter(burst, max(1, period_ns // (PER_PERIOD * parts)))
