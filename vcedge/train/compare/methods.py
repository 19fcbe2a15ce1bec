"""What is compared: one small interface over trained detectors and baselines, so that all are judged alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from vcedge.baselines.interface import Fitted
from vcedge.baselines.table import DETECTORS, fit_baseline, trivial
from vcedge.calibration.calibrate import calibrate_limits
from vcedge.calibration.split import Ranges
from vcedge.calibration.threshold import keep_promise
from vcedge.config.train import TrainConfig
from vcedge.detector import CellSpec, Detector
from vcedge.errors import DataError
from vcedge.history import Recording
from vcedge.limits import EventRule, events_per_row
from vcedge.runtime.engine import load_engine
from vcedge.schema import F32, F64
from vcedge.train.pipeline import Trained, event_rule, train_detector
from vcedge.train.summary import mean_macs

MAIN, OFF = "VCGRU", "VCGRU, network off"
SAME_SIZE, SAME_COST, PLAIN = "GRU, same size", "GRU, same cost", "RNN, same size"
SMALLEST = 4
Progress = Callable[[float, str], None]


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
        """See `Method.score`. A row without any value repeats the last statistic, as in the stream."""
        engine, cell = load_engine(self.detector), self.detector.cell
        raw, updated = np.zeros(len(values)), np.zeros(len(values))
        parts = np.zeros(values.shape, np.float32)
        missing = np.asarray(~np.isfinite(values).any(axis=1))
        for start, stop in ranges:
            state, last = engine.new_state(), 0.0
            for row in range(start, stop):
                if not missing[row]:
                    last, level, parts[row] = engine.step(values[row], state)
                    updated[row] = 0 if cell is None else cell.spec.boundaries[level - 1]
                raw[row] = last
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


def train_methods(config: TrainConfig, recording: Recording, progress: Progress) -> tuple[list[Method], Trained]:
    """Every method, fitted and calibrated on the same split of the recording; the networks with one seed.

    Raises DataError where the recording is too short for any of them.
    """
    main = _train(config, recording, "vcgru", config.model.hidden_size, progress, (0.0, 0.3), MAIN)
    macs = mean_macs(main.device_trace.within(main.split.tail), main.detector)
    rate, stuck = config.score.false_alarms_per_day, main.detector.calibration.stuck_rows
    off = calibrate_limits(main.detector.without_network(), main.values, main.split, stuck, rate)
    methods: list[Method] = [NetworkMethod(MAIN, main.detector), NetworkMethod(OFF, off)]
    small = equal_macs_size(main.detector, macs)
    rivals = (
        (SAME_SIZE, "gru", config.model.hidden_size, (0.3, 0.55)),
        (f"{SAME_COST} ({small})", "gru", small, (0.55, 0.75)),
        (PLAIN, "rnn", config.model.hidden_size, (0.75, 0.95)),
    )
    for name, cell, hidden, span in rivals:
        trained = _train(config, recording, cell, hidden, progress, span, name)
        methods.append(NetworkMethod(name, trained.detector))
    progress(0.95, "baselines")
    methods += fit_baselines(config, main, recording)
    return methods, main


def equal_macs_size(detector: Detector, macs: float) -> int:
    """The hidden size of a GRU that costs about as many multiply-accumulates a row as were measured."""
    inputs, channels = detector.features.inputs, detector.channels
    highway = detector.highway.order * channels**2

    def cost(hidden: int) -> float:
        return CellSpec("gru", inputs, hidden, (hidden,)).macs(hidden, channels) + highway

    return min(range(SMALLEST, max(detector.hidden, SMALLEST) + 1), key=lambda hidden: abs(cost(hidden) - macs))


def fit_baselines(config: TrainConfig, trained: Trained, recording: Recording) -> list[Method]:
    """The simple detectors, smoothed as the detector is, and ridge-VAR also bare; then random and all ones."""
    values, split = trained.values, trained.split
    fitted, span = _joined(split.fitted, split.starts), config.score.span
    methods: list[Method] = []
    wanted = [*((name, span) for name in DETECTORS), ("ridge-VAR", 1.0)]
    rule = event_rule(config.score, recording.schema)
    for name, smoothing in wanted:
        try:
            baseline = fit_baseline(name, values, fitted, smoothing)
        except DataError:
            continue  # stretches too short for a window: the others can still be compared
        label = f"{name}, EWMA {smoothing:g}" if smoothing > 1 else name
        methods.append(_calibrated(label, baseline, trained, config, rule))
    beside = trivial(config.train.seed)
    methods.append(_calibrated("random", beside["random"], trained, config, rule))
    return [*methods, BaselineMethod("all ones", beside["all ones"], 0.0, rule)]


def _calibrated(name: str, fitted: Fitted, trained: Trained, config: TrainConfig, rule: EventRule) -> Method:
    """The threshold that keeps the promise on the held-out tail, as the detector's is found."""
    split, warmup = trained.split, trained.detector.calibration.warmup_rows
    raw = fitted.score(trained.values, _joined(split.all, split.starts))
    stretches = [raw[start + (warmup if start in split.starts else 0) : stop] for start, stop in split.tail]
    rate = events_per_row(config.score.false_alarms_per_day, trained.detector.schema.period_ns)
    promise = keep_promise([stretch for stretch in stretches if len(stretch)], rate, rule)
    return BaselineMethod(name, fitted, promise.threshold, promise.events)


def _train(
    config: TrainConfig,
    recording: Recording,
    cell: Any,
    hidden: int,
    progress: Progress,
    span: tuple[float, float],
    name: str,
) -> Trained:
    """One network of the comparison; the share of all work it stands for is reported as it goes."""
    levels = config.model.levels if cell == "vcgru" else 1
    model = config.model.model_copy(update={"cell": cell, "hidden_size": hidden, "levels": levels})

    def on_epoch(epoch: Any, epochs: int) -> None:
        done = (epoch.epoch + 1) / epochs
        progress(span[0] + done * (span[1] - span[0]), f"{name}: loss {epoch.loss:.3f}")

    return train_detector(config.model_copy(update={"model": model}), recording, on_epoch)


def _joined(ranges: Ranges, starts: frozenset[int]) -> Ranges:
    """Ranges that touch as one, unless a sequence starts there."""
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and joined[-1][1] == start and start not in starts:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


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
