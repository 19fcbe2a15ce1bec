"""From a recording to a calibrated detector: split, linear part, network, limits, and what to report of it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vcedge import __version__
from vcedge.calibration.calibrate import LEAST_ROWS, LinearPart, assemble, calibrate_limits, fit_linear, wants_flags
from vcedge.calibration.split import Split, clip_ranges, split_by_time
from vcedge.calibration.trace import Trace, run_engine
from vcedge.config.train import TrainConfig
from vcedge.detector import CellSpec, Detector, ScorerPart, boundaries_of
from vcedge.history import Recording
from vcedge.runtime.engine import load_engine
from vcedge.schema import F64
from vcedge.train.fit import START_SHARE, Epoch, FitResult, fit
from vcedge.train.model import ResidualModel
from vcedge.train.streams import Streams, make_streams

AIM = 0.85
"""The share trained for, of the target that is promised: rows never seen are a little livelier."""
STREAM_STEPS = 2000
STREAMS = (8, 64)
"""Parallel streams are made so that each has about STREAM_STEPS steps, but no fewer and no more of them than this:
fewer give noisy steps, more give few updates an epoch."""
LEAST_STREAM = 48
"""Fewest steps of a parallel stream: one and a half windows, so that some state is carried."""
MOST_STEPS = 120_000
"""Steps of all epochs together; it bounds the time of a training, whatever the number of epochs says."""
MOST_VALUES = 4_000_000
"""Rows times channels that are worked on; of a longer recording evenly spaced stretches are taken."""


@dataclass(frozen=True)
class Trained:
    """A calibrated detector and how it came about."""

    detector: Detector
    values: F64  # (N, C) the rows that were used
    split: Split
    result: FitResult
    device_trace: Trace
    """What the finished detector does on all rows used."""


def train_detector(
    config: TrainConfig,
    recording: Recording,
    progress: Callable[[Epoch, int], None] = lambda epoch, epochs: None,
) -> Trained:
    """Fit, train and calibrate; the same configuration, recording and seed give the same detector.

    Raises DataError where the recording is too short. Ctrl-C during training keeps the best network so far.
    """
    values, sequences = bounded_rows(recording)
    split = split_by_time(sequences, config.highway.order + LEAST_ROWS)
    flags = wants_flags(values, split.fitted)
    linear = fit_linear(values, split, config.highway.order, config.highway.ridge, flags)
    scorer = (ScorerPart("ewma", config.score.span),)
    reading = {
        "time": config.data.time.model_dump(mode="json"),
        "table": config.data.table.model_dump(mode="json"),
    }

    def build(network: Any) -> Detector:
        return assemble(config.asset, recording.schema, linear, network, scorer, reading, provenance(config, recording))

    model, result = train_network(config, build(None), linear, values, split, progress)
    detector = calibrate_limits(build(model.export()), values, split, config.score.false_alarms_per_day)
    return Trained(detector, values, split, result, run_engine(load_engine(detector), values, split.all, split.starts))


def train_network(
    config: TrainConfig,
    bare: Detector,
    linear: LinearPart,
    values: F64,
    split: Split,
    progress: Callable[[Epoch, int], None],
) -> tuple[ResidualModel, FitResult]:
    """Train the network on what the engine of the bare detector sees and on the highway's held-out residuals."""
    torch.manual_seed(config.train.seed)
    torch.set_num_threads(1)  # windows are small: threads cost more than they give, and sums keep their order
    trace = run_engine(load_engine(bare), values, split.fitted, split.starts)
    levels = 1 if config.model.cell == "gru" else config.model.levels
    boundaries = boundaries_of(levels, config.model.hidden_size)
    spec = CellSpec(config.model.cell, linear.features.inputs, config.model.hidden_size, boundaries)
    model = ResidualModel(spec, bare.channels)
    train = _streams(trace.within(split.fit), linear)
    if model.cell.scheduler is not None:
        model.cell.scheduler.start_at(train.signals, START_SHARE)
    validation = _streams(trace.within(split.validation), linear)
    epochs = max(1, min(config.train.epochs, MOST_STEPS // train.length))
    result = fit(model, train, validation, AIM * config.model.target, epochs, progress)
    return model, result


def bounded_rows(recording: Recording, most_values: int = MOST_VALUES) -> tuple[F64, tuple[tuple[int, int], ...]]:
    """Rows to work on, in memory (N, C), and their sequences; of a longer recording evenly spaced stretches.

    The last fifth, which calibrates, and the rest are thinned alike, so that the split keeps its meaning.
    """
    most = most_values // len(recording.schema.channels)
    total = len(recording.values)
    if total <= most:
        return np.asarray(recording.values), recording.sequences
    stretches = 40
    length = most // stretches
    starts = np.linspace(0, total - length, stretches).astype(int)
    pieces, sequences, at = [], [], 0
    for start in starts:
        for a, b in clip_ranges(recording.sequences, int(start), int(start) + length):
            pieces.append(np.array(recording.values[a:b]))
            sequences.append((at, at + b - a))
            at += b - a
    return np.concatenate(pieces), tuple(sequences)


def provenance(config: TrainConfig, recording: Recording) -> dict[str, Any]:
    """Where a model comes from: data files with SHA-256, configuration, library versions, seed."""
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


def _streams(trace: Trace, linear: LinearPart) -> Streams:
    """Parallel streams of the rows of a trace, as many as leave each long enough."""
    rows = len(trace.rows)
    wanted = min(max(rows // STREAM_STEPS, STREAMS[0]), STREAMS[1])
    count = max(1, min(wanted, rows // LEAST_STREAM))
    return make_streams(trace, linear.cross.residual[trace.rows], linear.features, count)
