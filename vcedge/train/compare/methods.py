"""What is compared: one small interface over trained detectors and baselines, so that all are judged alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from vcedge.baselines.interface import Fitted
from vcedge.calibration.split import Ranges
from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F32, F64, Sample

MAIN, OFF = "VCGRU", "VCGRU, network off"
SAME_SIZE, SAME_COST, PLAIN = "GRU, same size", "GRU, same cost", "RNN, same size"


@dataclass(frozen=True)
class Scored:
    """What a method says of N rows."""

    raw: F64  # (N,) finite
    share: F64  # (N,) of the hidden dimensions updated; NaN without a network
    macs: float
    """Mean multiply-accumulates of a row."""
    contributions: F32 | None = None  # (N, C) of the channels to `raw`


class Method(Protocol):
    """Something that is compared."""

    @property
    def name(self) -> str:
        """As tables call it."""
        ...

    @property
    def threshold(self) -> float:
        """Of the statistic, from the same held-out rows for all."""
        ...

    @property
    def rule(self) -> EventRule:
        """How rows above the threshold become events."""
        ...

    @property
    def hidden(self) -> int:
        """Hidden dimensions, 0 without a network."""
        ...

    def score(self, values: F64, ranges: Ranges) -> Scored:
        """Scores of values (N, C), each range from a fresh state."""
        ...

    def ticker(self, values: F64) -> Callable[[], None]:
        """Something that, called, computes one row of values (N, C) after the other, as a service would."""
        ...

    @property
    def bytes(self) -> int:
        """Memory of weights and state."""
        ...


@dataclass(frozen=True)
class NetworkMethod:
    """A calibrated detector in the engine that a service would take."""

    name: str
    detector: Detector

    @property
    def threshold(self) -> float:
        """Of the statistic."""
        return self.detector.calibration.threshold

    @property
    def rule(self) -> EventRule:
        """How rows become events."""
        return self.detector.calibration.events

    @property
    def hidden(self) -> int:
        """Hidden dimensions, 0 without a network."""
        return self.detector.hidden

    @property
    def bytes(self) -> int:
        """Arrays of features, highway, cell and head, and one state record."""
        parts = (self.detector.features, self.detector.highway, self.detector.cell, self.detector.head)
        state = load_engine(self.detector).new_state()
        return sum(map(_array_bytes, parts)) + len(state.tobytes())

    def score(self, values: F64, ranges: Ranges) -> Scored:
        """See `Method.score`. Through the stream, with the threshold held still."""
        raw, updated = np.zeros(len(values)), np.zeros(len(values))
        parts = np.zeros(values.shape, np.float32)
        missing = np.asarray(~np.isfinite(values).any(axis=1))
        engine, period_ns = load_engine(self.detector), self.detector.schema.period_ns
        for start, stop in ranges:
            stream = Stream(engine, self.threshold)
            for row in range(start, stop):
                score = stream.push(Sample(row * period_ns, values[row]))
                raw[row], updated[row] = score.raw, score.updated
                if not missing[row]:
                    parts[row] = stream.contributions
        share = updated / self.hidden if self.hidden else np.full(len(values), np.nan)
        sizes, rows = np.unique(updated[~missing], return_counts=True)
        macs = float(np.average([self.detector.macs(float(k)) for k in sizes], weights=rows))
        return Scored(raw, share, macs, parts)

    def ticker(self, values: F64) -> Callable[[], None]:
        """See `Method.ticker`."""
        engine = load_engine(self.detector)
        state, turn = engine.new_state(), _Turn(len(values))

        def tick() -> None:
            engine.step(values[turn.next()], state)

        return tick


@dataclass(frozen=True)
class BaselineMethod:
    """A baseline with a threshold of its own, from the same held-out rows."""

    name: str
    fitted: Fitted
    threshold: float
    rule: EventRule
    hidden: int = 0

    @property
    def bytes(self) -> int:
        """Weights and state in single precision."""
        return self.fitted.cost.bytes

    def score(self, values: F64, ranges: Ranges) -> Scored:
        """See `Method.score`."""
        return Scored(self.fitted.score(values, ranges), np.full(len(values), np.nan), self.fitted.cost.macs)

    def ticker(self, values: F64) -> Callable[[], None]:
        """See `Method.ticker`: each call scores the newest row with the few before it that it needs."""
        need = self.fitted.cost.rows
        turn = _Turn(len(values) - need + 1)

        def tick() -> None:
            first = turn.next()
            self.fitted.score(values[first : first + need], ((0, need),))

        return tick


def _array_bytes(part: Any) -> int:
    if part is None:
        return 0
    arrays = (getattr(part, field.name) for field in fields(part))
    return sum(4 * array.size for array in arrays if isinstance(array, np.ndarray))


class _Turn:
    """Counts rows round and round."""

    def __init__(self, count: int) -> None:
        self._count, self._at = count, -1

    def next(self) -> int:
        self._at = (self._at + 1) % self._count
        return self._at
