"""Adapts trained detectors and baselines to one interface, so that all are compared in the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.baselines.interface import Fitted
from vcedge.calibration.split import Ranges
from vcedge.detector import Detector
from vcedge.limits import EventRule
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F32, F64, Sample

MAIN, OFF = "VCGRU", "VCGRU, network off"
SAME_SIZE, SAME_COST, RNN = "GRU, same size", "GRU, same cost", "RNN, same size"
LEAST_THRESHOLD = 1e-12


@dataclass(frozen=True)
class MethodScores:
    """Holds the output of a method on N rows."""

    raw: F64  # (N,) finite
    share: F64  # (N,) share of the hidden dimensions updated; NaN without a network
    macs: float
    """Mean multiply-accumulates of a row."""
    ratio: F64  # (N,) over the threshold in use: a nat above it is a factor of e
    stream: StreamDecisions | None = None
    """Decisions of the service's stream; None for a baseline, whose threshold is fixed."""


@dataclass(frozen=True)
class StreamDecisions:
    """Holds what the stream of a service decides on N rows, with a threshold that follows normal operation."""

    alarm: NDArray[np.bool_]  # (N,)
    in_event: NDArray[np.bool_]  # (N,) an anomaly event is open after the row
    contributions: F32  # (N, C) of each channel to the statistic


class Method(ABC):
    """Scores rows; its threshold and its event rule turn the scores into alarms."""

    def __init__(self, name: str, threshold: float, rule: EventRule, hidden: int) -> None:
        self.name = name
        self.threshold = threshold
        """Threshold of the statistic; a stream adapts it to the level of normal operation."""
        self.rule = rule
        """Rule that turns rows above the threshold into events."""
        self.hidden = hidden
        """Hidden dimensions, 0 without a network."""

    @property
    @abstractmethod
    def bytes(self) -> int:
        """Bytes of weights and state in single precision."""

    @abstractmethod
    def score(self, values: F64, ranges: Ranges) -> MethodScores:
        """Score values (N, C); each range starts with a fresh state."""

    @abstractmethod
    def ticker(self, values: F64) -> Callable[[], None]:
        """Return a function that scores the next row of values (N, C) at each call, as a service does."""


class NetworkMethod(Method):
    """Runs a calibrated detector in the engine that a service would use."""

    def __init__(self, name: str, detector: Detector) -> None:
        super().__init__(name, detector.calibration.threshold, detector.calibration.events, detector.hidden)
        self.detector = detector

    @property
    def bytes(self) -> int:
        """Bytes of the arrays of features, highway, cell and head, and of one state record."""
        parts = (self.detector.features, self.detector.highway, self.detector.cell, self.detector.head)
        state = load_engine(self.detector).new_state()
        return sum(map(_array_bytes, parts)) + len(state.tobytes())

    def score(self, values: F64, ranges: Ranges) -> MethodScores:
        """See `Method.score`; runs the stream of the service."""
        raw, updated, excess = np.zeros(len(values)), np.zeros(len(values)), np.zeros(len(values))
        alarm, in_event = np.zeros(len(values), bool), np.zeros(len(values), bool)
        parts = np.zeros(values.shape, np.float32)
        missing = np.asarray(~np.isfinite(values).any(axis=1))
        engine, period_ns = load_engine(self.detector), self.detector.schema.period_ns
        for start, stop in ranges:
            stream = Stream(engine)
            for row in range(start, stop):
                score = stream.push(Sample(row * period_ns, values[row]))
                raw[row], updated[row], excess[row] = score.raw, score.updated, score.raw - score.threshold
                alarm[row], in_event[row] = score.alarm, stream.in_event
                if not missing[row]:
                    parts[row] = stream.contributions
        share = updated / self.hidden if self.hidden else np.full(len(values), np.nan)
        sizes, rows = np.unique(updated[~missing], return_counts=True)
        macs = float(np.average([self.detector.macs(float(k)) for k in sizes], weights=rows))
        return MethodScores(raw, share, macs, np.exp(excess), StreamDecisions(alarm, in_event, parts))

    def ticker(self, values: F64) -> Callable[[], None]:
        """See `Method.ticker`."""
        engine = load_engine(self.detector)
        state, turn = engine.new_state(), cycle(range(len(values)))

        def tick() -> None:
            engine.step(values[next(turn)], state)

        return tick


class BaselineMethod(Method):
    """Runs a baseline."""

    def __init__(self, name: str, fitted: Fitted, threshold: float, rule: EventRule) -> None:
        super().__init__(name, threshold, rule, hidden=0)
        self.fitted = fitted

    @property
    def bytes(self) -> int:
        """See `Method.bytes`."""
        return self.fitted.cost.bytes

    def score(self, values: F64, ranges: Ranges) -> MethodScores:
        """See `Method.score`."""
        raw = self.fitted.score(values, ranges)
        ratio = raw / max(self.threshold, LEAST_THRESHOLD)
        return MethodScores(raw, np.full(len(values), np.nan), self.fitted.cost.macs, ratio)

    def ticker(self, values: F64) -> Callable[[], None]:
        """See `Method.ticker`; each call scores the newest row with the earlier rows that it needs."""
        need = self.fitted.cost.rows
        turn = cycle(range(len(values) - need + 1))

        def tick() -> None:
            first = next(turn)
            self.fitted.score(values[first : first + need], ((0, need),))

        return tick


def _array_bytes(part: Any) -> int:
    if part is None:
        return 0
    arrays = (getattr(part, field.name) for field in fields(part))
    return sum(4 * array.size for array in arrays if isinstance(array, np.ndarray))
