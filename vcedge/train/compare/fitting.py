"""Fits every method on the same split of one recording, and gives each its threshold by the same rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vcedge.baselines.interface import Fitted
from vcedge.baselines.table import DETECTORS, fit_baseline, trivial
from vcedge.calibration.calibrate import calibrate_limits
from vcedge.calibration.refit import refit
from vcedge.calibration.split import joined
from vcedge.calibration.threshold import keep_promise
from vcedge.config.train import TrainConfig
from vcedge.detector import CellSpec, Detector
from vcedge.errors import DataError
from vcedge.history import Recording
from vcedge.limits import EventRule, events_per_row
from vcedge.train.compare.methods import MAIN, OFF, PLAIN, SAME_COST, SAME_SIZE, BaselineMethod, Method, NetworkMethod
from vcedge.train.pipeline import Trained, event_rule, train_detector
from vcedge.train.summary import mean_macs

SMALLEST = 4
Progress = Callable[[float, str], None]


def train_methods(config: TrainConfig, recording: Recording, progress: Progress) -> tuple[list[Method], Trained]:
    """Every method, fitted and calibrated on the same split of the recording; the networks with one seed.

    Raises DataError where the recording is too short for any of them.
    """
    main = _train(config, recording, "vcgru", config.model.hidden_size, progress, (0.0, 0.3), MAIN)
    macs = mean_macs(main.device_trace.within(main.split.tail), main.detector)
    rate, stuck = config.score.false_alarms_per_day, main.detector.calibration.stuck_rows
    off = calibrate_limits(main.detector.without_network(), main.values, main.split, stuck, rate)
    methods: list[Method] = [
        NetworkMethod(MAIN, main.finished()),
        NetworkMethod(OFF, refit(off, main.values, main.split)),
    ]
    small = equal_macs_size(main.detector, macs)
    rivals = (
        (SAME_SIZE, "gru", config.model.hidden_size, (0.3, 0.55)),
        (f"{SAME_COST} ({small})", "gru", small, (0.55, 0.75)),
        (PLAIN, "rnn", config.model.hidden_size, (0.75, 0.95)),
    )
    for name, cell, hidden, span in rivals:
        trained = _train(config, recording, cell, hidden, progress, span, name)
        methods.append(NetworkMethod(name, trained.finished()))
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
    fitted, span = joined(split.fitted, split.starts), config.score.span
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
    raw = fitted.score(trained.values, joined(split.all, split.starts))
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
