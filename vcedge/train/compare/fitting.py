"""Fits every method on the same split of one recording and sets its threshold by the same rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vcedge.baselines.interface import Fitted
from vcedge.baselines.table import DETECTORS, fit_baseline, trivial
from vcedge.calibration.calibrate import DEFAULT_SPAN, measure_network
from vcedge.calibration.recalibrate import refit
from vcedge.calibration.split import merge_ranges
from vcedge.config.train import TrainConfig
from vcedge.detector import CellKind, CellSpec, Detector
from vcedge.errors import DataError
from vcedge.history import Recording
from vcedge.limits import EventRule
from vcedge.train.compare.methods import MAIN, OFF, RNN, SAME_COST, SAME_SIZE, BaselineMethod, Method, NetworkMethod
from vcedge.train.pipeline import Trained, event_rule, train_detector
from vcedge.train.summary import mean_macs
from vcedge.train.training import Epoch

QUANTILE = 0.999
"""Quantile of a baseline's held-out scores that is its threshold."""
SMALLEST = 4
"""Smallest hidden size that `equal_macs_size` tries."""
Progress = Callable[[float, str], None]
"""Callback for the share of the work that is done, up to 1, with a text."""


class NetworkPlan(NamedTuple):
    """Describes a network to train, and its part of the progress."""

    name: str
    cell: CellKind
    hidden: int
    progress: tuple[float, float]
    """Shares of all work that are done before and after its training."""


def train_methods(config: TrainConfig, recording: Recording, progress: Progress) -> tuple[list[Method], Trained]:
    """Fit and calibrate every method on the same split of the recording; all networks have the same seed.

    Raises:
        DataError: The recording is too short for a method.
    """
    hidden = config.model.hidden_size
    main = _train(config, recording, NetworkPlan(MAIN, "vcgru", hidden, (0.0, 0.3)), progress)
    macs = mean_macs(main.device_trace.within(main.split.tail), main.detector)
    rate, stuck = config.score.false_alarms_per_day, main.detector.calibration.stuck_rows
    off = measure_network(main.detector.without_network(), main.values, main.split, stuck)
    methods: list[Method] = [
        NetworkMethod(MAIN, main.finished),
        NetworkMethod(OFF, refit(off, main.values, main.split, rate)),
    ]
    small = equal_macs_size(main.detector, macs)
    dense = (
        NetworkPlan(SAME_SIZE, "gru", hidden, (0.3, 0.55)),
        NetworkPlan(f"{SAME_COST} ({small})", "gru", small, (0.55, 0.75)),
        NetworkPlan(RNN, "rnn", hidden, (0.75, 0.95)),
    )
    methods += [NetworkMethod(plan.name, _train(config, recording, plan, progress).finished) for plan in dense]
    progress(0.95, "baselines")
    methods += fit_baselines(config, main, recording)
    return methods, main


def equal_macs_size(detector: Detector, macs: float) -> int:
    """Return the hidden size of a GRU that costs about `macs` multiply-accumulates a row."""
    inputs, channels = detector.features.inputs, detector.channels
    others = detector.without_network().macs(0)

    def cost(hidden: int) -> float:
        return CellSpec("gru", inputs, hidden, (hidden,)).macs(hidden, channels) + others

    return min(range(SMALLEST, max(detector.hidden, SMALLEST) + 1), key=lambda hidden: abs(cost(hidden) - macs))


def fit_baselines(config: TrainConfig, trained: Trained, recording: Recording) -> list[Method]:
    """Fit the baselines, smoothed like the detector, ridge-VAR also without smoothing; then random and all ones."""
    values, split = trained.values, trained.split
    fitted = merge_ranges(split.fitted, split.starts)
    span = DEFAULT_SPAN if config.score.span == "auto" else config.score.span
    methods: list[Method] = []
    wanted = [*((name, span) for name in DETECTORS), ("ridge-VAR", 1.0)]
    rule = event_rule(config.score, recording.schema)
    for name, smoothing in wanted:
        try:
            baseline = fit_baseline(name, values, fitted, smoothing)
        except DataError:
            continue  # the stretches are too short for its window; the other methods can still be compared
        label = f"{name}, EWMA {smoothing:g}" if smoothing > 1 else name
        methods.append(_calibrated(label, baseline, trained, rule))
    references = trivial(config.train.seed)
    methods.append(_calibrated("random", references["random"], trained, rule))
    return [*methods, BaselineMethod("all ones", references["all ones"], 0.0, rule)]


def _calibrated(name: str, fitted: Fitted, trained: Trained, rule: EventRule) -> Method:
    """Return the method with the QUANTILE of its scores on the held-out tail as its threshold."""
    split, warmup = trained.split, trained.detector.calibration.warmup_rows
    raw = fitted.score(trained.values, merge_ranges(split.all, split.starts))
    stretches = [raw[start + (warmup if start in split.starts else 0) : stop] for start, stop in split.tail]
    return BaselineMethod(name, fitted, float(np.quantile(np.concatenate(stretches), QUANTILE)), rule)


def _train(config: TrainConfig, recording: Recording, plan: NetworkPlan, progress: Progress) -> Trained:
    levels = config.model.levels if plan.cell == "vcgru" else 1
    model = config.model.model_copy(update={"cell": plan.cell, "hidden_size": plan.hidden, "levels": levels})

    def on_epoch(epoch: Epoch, epochs: int) -> None:
        first, last = plan.progress
        progress(first + (epoch.epoch + 1) / epochs * (last - first), f"{plan.name}: loss {epoch.loss:.3f}")

    return train_detector(config.model_copy(update={"model": model}), recording, on_epoch)
