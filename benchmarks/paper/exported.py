"""Writes the trained cell as model.vcedge, reads it again, and runs it in the engines of the device.

The model file holds a detector of N channels whose highway forecasts zero, so that its network alone is measured: the
correction of a step is the logits of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.paper.data import Dataset, Roll, make_lanes
from benchmarks.paper.gated import GatedBody
from benchmarks.paper.training import evaluate
from benchmarks.paper.unrolled import BodyWithHead
from vcedge.detector import Detector, Features, Highway
from vcedge.limits import Calibration
from vcedge.model_file import load, save
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.registry import ENGINES, load_engine
from vcedge.schema import LARGEST_READING, NS_PER_S, Channel, SensorSchema
from vcedge.scorer import KINDS, READINGS, TRACKS, Line, Reconstruction, Scorer
from vcedge.seen_range import SeenRange
from vcedge.train.model import export_network
from vcedge.train.scheduler import MaskMode

FRAMES = 5000
"""Least number of test steps that the engines run; all if there are fewer."""
NEVER = 1e30


def measure_exported(network: BodyWithHead, dataset: Dataset, trained: MaskMode) -> dict[str, float]:
    """Measure the loss on the first test pieces as trained (torch, mask `trained`) and in each installed engine.

    `square` is the mean of (k/D)² in the last engine, `gap` the largest relative difference of an engine's loss.
    """
    pieces = first_pieces(dataset.test, FRAMES)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "paper.vcedge"
        save(detector_of(network, dataset.inputs), path)
        detector = load(path)
    found = {"frames": float(sum(map(len, pieces)) - len(pieces))}
    found["trained"] = evaluate(network, dataset, make_lanes(pieces, 64), 64, trained).loss
    for name in ENGINES:
        found[name], found["square"] = run_engine(load_engine(detector, name), dataset, pieces)
    found["gap"] = max(abs(found[name] / found["trained"] - 1) for name in ENGINES)
    return found


def first_pieces(pieces: Sequence[Roll], frames: int) -> list[Roll]:
    """Return the first pieces that together have at least `frames` frames."""
    lengths = np.cumsum([len(piece) for piece in pieces])
    return list(pieces[: int(np.searchsorted(lengths, frames)) + 1])


def run_engine(engine: Engine, dataset: Dataset, pieces: Sequence[Roll]) -> tuple[float, float]:
    """Return loss a step and mean (k/D)² of an engine, with a new state for each piece."""
    logits, targets, squares = [], [], []
    assert engine.detector.cell is not None
    shares = np.array(engine.detector.cell.spec.boundaries) / engine.detector.hidden
    for piece in pieces:
        state = engine.new_state()
        for row in piece[:-1]:
            _, level, _ = engine.step(row.astype(np.float64), state)
            logits.append(state.correction.copy())
            squares.append(shares[level - 1] ** 2)
        targets.append(piece[1:])
    wanted = torch.tensor(np.concatenate(targets), dtype=torch.float32)
    loss = dataset.loss(torch.tensor(np.array(logits))[:, None], wanted[:, None])
    return float(loss.double().mean()), float(np.mean(squares))


def detector_of(network: BodyWithHead, inputs: int) -> Detector:
    """Make a detector whose features are the identity and whose highway forecasts zero with a spread of one."""
    assert isinstance(network.body, GatedBody)
    cell, head = export_network(network.body.cell, network.head)
    zeros, ones = np.zeros(inputs), np.ones(inputs, np.float32)
    empty = Highway(np.zeros((1 + inputs, inputs), np.float32), zeros.astype(np.float32), ones)
    return Detector(
        asset="paper",
        schema=SensorSchema(tuple(Channel(f"{i}") for i in range(inputs)), NS_PER_S, 5 * NS_PER_S),
        features=Features(zeros, np.ones(inputs), ones),
        highway=empty,
        cell=cell,
        head=head,
        scorer=_idle_scorer(inputs, empty),
        seen=SeenRange(np.full(inputs, -LARGEST_READING), np.full(inputs, LARGEST_READING), zeros, zeros),
        calibration=Calibration(
            threshold=NEVER,
            steepness=1.0,
            surprise_limit=NEVER,
            surprise_ticks=0,
            warmup_rows=0,
            stuck_rows=(0,) * inputs,
            false_alarms_per_day=1.0,
            rows=1,
        ),
        provenance={"note": "benchmarks/paper"},
    )


def _idle_scorer(inputs: int, empty: Highway) -> Scorer:
    eye, tracks = np.eye(inputs, dtype=np.float32), np.zeros((len(TRACKS), inputs), np.float32)
    return Scorer(
        span=20.0,
        whiten=eye,
        horizon=empty,
        reconstruction=Reconstruction((0,), np.zeros(inputs, np.float32), eye[:1]),
        initial=tracks[: len(KINDS)],
        intercept=tracks,
        slope=tracks,
        usual=np.ones(READINGS),
        weights=np.full(READINGS, 1 / READINGS),
        line=Line(0.0, 1.0),
        distance=None,
        cycle=None,
    )
