"""Trains a calibrated detector on a recording: split, linear part, network, limits."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vcedge import __version__
from vcedge.calibration.calibrate import (
    DEFAULT_SPAN,
    DetectorSpec,
    LinearOptions,
    LinearPart,
    assemble,
    fit_linear,
    measure_network,
    wants_flags,
    with_network,
)
from vcedge.calibration.order import OrderChoice, most_reach
from vcedge.calibration.recalibrate import refit
from vcedge.calibration.roles import with_roles
from vcedge.calibration.rows import check_channels, judged_rows, usable_rows
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.calibration.split import Split, split_by_time
from vcedge.calibration.stuck import stuck_limits
from vcedge.calibration.trace import Trace, TracedRows, run_engine
from vcedge.config.train import ScoreConfig, TrainConfig
from vcedge.detector import CellSpec, Detector, Features, boundaries_of
from vcedge.history import Recording
from vcedge.limits import LEAST_ROWS, EventRule
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.engine.registry import REFERENCE, load_engine
from vcedge.schema import F32, F64, NS_PER_S, SensorSchema
from vcedge.seen_range import SeenRange
from vcedge.sensitivity.findings import Sensitivity
from vcedge.sensitivity.resemblance import Recognition
from vcedge.train.checkpoint import CheckpointFile, fingerprint_of
from vcedge.train.model import ResidualModel
from vcedge.train.schedule import START_SHARE
from vcedge.train.streams import ParallelStreams, make_streams
from vcedge.train.training import Epoch, Training, TrainingResult

STREAM_STEPS = 2000
STREAMS = (8, 64)
"""Fewest and most parallel streams; between them each has about STREAM_STEPS steps. With fewer streams the gradient is
noisy, with more an epoch has few updates."""
LEAST_STREAM = 48
"""Fewest steps of a parallel stream: one and a half windows, so that state is carried over a border."""
MOST_STEPS = 120_000
"""Most steps of all epochs together: it bounds the time of a training for any configured number of epochs."""


@dataclass(frozen=True)
class Trained:
    """Holds a calibrated detector and the results of its training."""

    detector: Detector
    """The detector as measured: its limits come from rows that it was not fitted on. See `finished`."""
    values: F64  # (N, C) rows used
    split: Split
    result: TrainingResult
    device_trace: Trace
    """Trace of the detector over all rows used."""
    seen: SeenRange
    """Range of each channel over the whole recording."""
    false_alarms_per_day: float
    """Wanted rate of false alarms."""
    sensitivity: Sensitivity | None = None
    """Smallest injected faults that it finds; None if not measured."""
    recognition: Recognition | None = None
    """Recognition of the kinds of injected faults by their events; None if not measured."""
    order: OrderChoice | None = None
    """Reasons for order and ridge of the highway."""

    @property
    def rows(self) -> TracedRows:
        """The rows used, with their split and trace."""
        return TracedRows(self.values, self.split, self.device_trace)

    @cached_property
    def finished(self) -> Detector:
        """The detector to use, with its linear parts fitted again on all rows, the held-out ones included."""
        return replace(refit(self.detector, self.values, self.split, self.false_alarms_per_day), seen=self.seen)


def train_detector(
    config: TrainConfig,
    recording: Recording,
    progress: Callable[[Epoch, int], None] = lambda epoch, epochs: None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint: Path | None = None,
) -> Trained:
    """Fit, train and calibrate; the same configuration, recording and seed give the same detector.

    Args:
        config: The training configuration.
        recording: Normal operation only; rows are in order of time.
        progress: Called after each epoch with the epoch and the number of epochs.
        stop: Called before each step; if it returns true, the training ends with the best network so far.
        checkpoint: File to resume from if an earlier run of the same configuration, recording and library versions
            was killed; the caller removes it.

    Raises:
        DataError: The recording is too short or has too many gaps.
        KeyboardInterrupt: `stop` returned true before the first epoch ended.
    """
    values, sequences, places = usable_rows(recording)
    split = split_by_time(sequences, most_reach(config.highway.order))
    split = replace(split, must_not_alarm=judged_rows(recording, places))
    check_channels(values, split, recording.schema)
    schema = with_roles(recording.schema, values, config.data.roles)
    span = DEFAULT_SPAN if config.score.span == "auto" else config.score.span
    options = LinearOptions(config.highway.order, config.highway.ridge, span)
    linear = fit_linear(values, split, schema, options, flags=wants_flags(values, split.fitted))
    spec = detector_spec(config, recording, schema)
    guide = None if recording.guide is None else recording.guide[places]
    detector, result = assemble(spec, linear), TrainingResult()
    if config.model.cell != "none":
        training, validation = prepare_training(config, detector, linear, guide)
        file = None if checkpoint is None else _checkpoint(checkpoint, config, detector, (training.streams, validation))
        result = training.run(validation, progress, stop, file)
        if result.best < 0:
            raise KeyboardInterrupt
        detector = with_network(detector, *training.model.export())
    detector = measure_network(detector, values, split, stuck_limits(recording.values, recording.sequences))
    trace = run_engine(load_engine(detector, REFERENCE), values, split.all, split.starts)
    seen = fit_seen_range(recording.values, recording.sequences)
    return Trained(detector, values, split, result, trace, seen, config.score.false_alarms_per_day, order=linear.order)


def detector_spec(config: TrainConfig, recording: Recording, schema: SensorSchema) -> DetectorSpec:
    """Return the parts of the detector that are not fitted; the channels of the schema have their roles."""
    return DetectorSpec(
        config.asset,
        schema,
        config.score.false_alarms_per_day,
        reading=config.data.reading.model_dump(mode="json"),
        provenance=provenance(config, recording),
        events=event_rule(config.score, recording.schema),
        target_share=config.model.target,
    )


def event_rule(score: ScoreConfig, schema: SensorSchema) -> EventRule:
    """Return the event rule with the durations of the configuration in rows."""
    period_s = schema.period_ns / NS_PER_S
    return EventRule(
        min_rows=max(LEAST_ROWS, round(score.min_duration_s / period_s)), hold_rows=round(score.hold_s / period_s)
    )


def prepare_training(
    config: TrainConfig, bare: Detector, linear: LinearPart, guide: F64 | None
) -> tuple[Training, ParallelStreams]:
    """Return the training of a fresh network, and its validation streams; the configuration has a cell.

    The network's inputs are the features that the engine of `bare`, the detector without a network, computes; its
    targets are the highway's held-out residuals. `guide` (N,) is the guide of the rows, if there is one.
    """
    assert config.model.cell != "none"
    torch.manual_seed(config.train.seed)
    torch.set_num_threads(1)  # threads do not speed up such small windows, and would change the order of sums
    split = linear.split
    trace = run_engine(load_engine(bare, REFERENCE), linear.rows.values, split.fitted, split.starts)
    levels = config.model.levels if config.model.gated else 1
    boundaries = boundaries_of(levels, config.model.hidden_size)
    spec = CellSpec(config.model.cell, linear.features.inputs, config.model.hidden_size, boundaries)
    model = ResidualModel(spec, bare.channels)
    residual = linear.residual()
    train = _streams(trace.within(split.fit), linear.features, residual, guide)
    if model.cell.scheduler is not None:
        model.cell.scheduler.start_at(train.signals, START_SHARE)
    validation = _streams(trace.within(split.validation), linear.features, residual)
    epochs = max(1, min(config.train.epochs, MOST_STEPS // train.length))
    return Training(model, train, config.model.target, epochs), validation


def provenance(config: TrainConfig, recording: Recording) -> dict[str, Any]:
    """Return the origin of a model: data files with SHA-256, configuration, library versions, seed."""
    return {
        "files": [{"name": name, "sha256": digest} for name, digest in recording.files],
        "config": config.model_dump(mode="json"),
        "versions": {
            "vcedge": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
        "seed": config.train.seed,
    }


def _checkpoint(path: Path, config: TrainConfig, bare: Detector, rows: tuple[ParallelStreams, ...]) -> CheckpointFile:
    """Return the checkpoint file of this training, and of no other."""
    # The kernel's last digits differ from torch's, so a run with it cannot resume one without.
    origin = {**bare.provenance, "kernel": native_problem() is None}
    learned_from = [tensor for streams in rows for tensor in (streams.signals, streams.target, streams.weight)]
    return CheckpointFile(path, fingerprint_of(origin, learned_from), config.train.checkpoint_s)


def _streams(trace: Trace, features: Features, residual: F32, guide: F64 | None = None) -> ParallelStreams:
    """Return the rows of a trace as parallel streams, as many as STREAMS and LEAST_STREAM allow."""
    rows = len(trace.rows)
    wanted = min(max(rows // STREAM_STEPS, STREAMS[0]), STREAMS[1])
    count = max(1, min(wanted, rows // LEAST_STREAM))
    guide = None if guide is None else guide[trace.rows]
    return make_streams(trace, residual[trace.rows], features, count, guide)
