"""Small detectors with seeded random weights, and recordings that make their levels vary. Needs numpy only.

The recording is an autoregressive process with known coefficients, and the detector's features and highway hold
those: its residuals are as in real use (about one spread), without any fitting.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vcedge.detector import (
    DENSE_KINDS,
    Cell,
    CellKind,
    CellSpec,
    Detector,
    Features,
    Head,
    Highway,
    boundaries_of,
)
from vcedge.history import DataReport, Recording
from vcedge.limits import Calibration
from vcedge.resemblance import FEATURES, Resemblance
from vcedge.schema import F32, F64, NS_PER_S, Channel, Role, Sample, SensorSchema, schema_of
from vcedge.scorer import KINDS, READINGS, TRACKS, Cycle, Distance, Line, Reconstruction, Scorer, span_of
from vcedge.seen_range import SeenRange

MEMORY = 0.9
"""Lag-1 coefficient of every simulated channel."""
QUIET, USUAL, BURST = 0.2, 1.0, 4.0
"""Sizes of the noise in the three kinds of episode."""
START_NS = 1_700_000_000 * NS_PER_S


def _centers(channels: int) -> F64:
    """Return (C,) offsets of different sizes, so that standardisation matters."""
    return np.array([(-1.0) ** c * 10.0 ** (c % 4) for c in range(channels)])


def _scales(channels: int) -> F64:
    """Return (C,) standard deviations of different sizes."""
    return np.array([0.5 * 3.0 ** (c % 3) for c in range(channels)])


def recording(seed: int, rows: int, channels: int, missing: float = 0.0) -> F64:
    """Return a realistic recording (rows, C): usual operation, quiet parts, bursts; `missing` is the share of NaN."""
    rng = np.random.default_rng(seed)
    size = np.repeat(rng.choice([QUIET, USUAL, USUAL, BURST], rows // 40 + 1), 40)[:rows]
    mixing = 0.3 * rng.standard_normal((channels, channels)) + np.eye(channels)
    mixing /= np.linalg.norm(mixing, axis=0)
    noise = (rng.standard_normal((rows, channels)) @ mixing) * size[:, None] * np.sqrt(1 - MEMORY**2)
    z = np.zeros((rows, channels))
    last = np.zeros(channels)
    for t in range(rows):
        last = MEMORY * last + noise[t]
        z[t] = last
    values = _centers(channels) + _scales(channels) * z
    values[rng.random(values.shape) < missing] = np.nan
    return values


def samples(values: F64, start_ns: int = START_NS, period_ns: int = NS_PER_S) -> list[Sample]:
    """Return equally spaced samples of a recording (rows, C)."""
    return [Sample(start_ns + t * period_ns, row) for t, row in enumerate(values)]


def tiny_detector(
    seed: int = 0,
    channels: int = 3,
    hidden: int = 16,
    levels: int | list[float] = 4,
    cell: CellKind | None = "vcgru",
    *,
    flags: bool = False,
    order: int = 2,
    asset: str = "tiny",
    threshold: float = 2.5,
) -> Detector:
    """Return a detector with random weights whose levels vary over `recording(...)`; `cell=None` omits the network."""
    rng = np.random.default_rng(seed)
    spread = np.sqrt(1 - MEMORY**2)
    features = Features(
        center=_centers(channels),
        scale=_scales(channels),
        change_scale=(spread * (1 + 0.2 * rng.random(channels))).astype(np.float32),
        flags=flags,
    )
    weights = 0.01 * rng.standard_normal((1 + order * channels, channels))
    weights[1 : 1 + channels] += MEMORY * np.eye(channels)
    highway = Highway(
        weights=weights.astype(np.float32),
        bias=(0.01 * rng.standard_normal(channels)).astype(np.float32),
        spread=(spread * (1 + 0.1 * rng.random(channels))).astype(np.float32),
    )
    network = None if cell is None else _cell(rng, cell, features.inputs, channels, hidden, levels)
    head = None if cell is None else _head(rng, channels, hidden)
    first = Channel("Channel 0", "bar", low=-100.0, high=100.0)
    others = tuple(Channel(f"Channel {c}") for c in range(1, channels))
    schema = SensorSchema((first, *others), NS_PER_S, 5 * NS_PER_S)
    return Detector(
        asset=asset,
        schema=schema,
        features=features,
        highway=highway,
        cell=network,
        head=head,
        scorer=tiny_scorer(channels, order),
        seen=tiny_seen(channels),
        calibration=Calibration(
            threshold=threshold,
            steepness=2.5,
            surprise_limit=30.0,
            surprise_ticks=3,
            warmup_rows=10,
            stuck_rows=tuple(50 if c % 2 == 0 else 0 for c in range(channels)),
            false_alarms_per_day=1.0,
            rows=1000,
        ),
        reading={"time": {"column": "time"}, "table": {"delimiter": ","}},
        provenance={"note": "random weights of a test", "seed": seed},
        resemblance=tiny_resemblance(),
    )


def tiny_seen(channels: int) -> SeenRange:
    """Return a range that `recording(...)` leaves only where a test makes it."""
    center, scale = _centers(channels), _scales(channels)
    return SeenRange(center - 60 * scale, center + 60 * scale, 2 * scale, 2 * scale)


def narrow(detector: Detector) -> Detector:
    """Return the detector with a range that `recording(...)` leaves often."""
    center, scale = detector.features.center, detector.features.scale
    return replace(detector, seen=SeenRange(center - scale, center + scale, 0.5 * scale, 0.5 * scale))


def tiny_resemblance() -> Resemblance:
    """Return four kinds under three names, whose centroids are apart in every feature."""
    rng = np.random.default_rng(2)
    kinds = ("offset", "drift", "spike", "noise")
    names = ("offset or drift", "offset or drift", "spike", "noise")
    count = len(FEATURES)
    centroids = _normal(rng, 1.0, len(kinds), count)
    return Resemblance(kinds, names, _normal(rng, 0.5, count), 0.5 * np.eye(count, dtype=np.float32), centroids, 100.0)


def variants() -> dict[str, Detector]:
    """Return a detector of each kind, for what every engine must do."""
    return {
        "vcgru": tiny_detector(),
        "gru": tiny_detector(cell="gru", levels=1),
        "vcrnn": tiny_detector(cell="vcrnn"),
        "rnn": tiny_detector(cell="rnn", flags=True),
        "flags": tiny_detector(flags=True),
        "linear": tiny_detector().without_network(),
        "wide": tiny_detector(channels=7, hidden=64, levels=8, order=5),
        "roles": with_roles(narrow(tiny_detector(channels=5)), ("sensor", "command", "constant", "sensor", "sensor")),
        "commands": with_roles(narrow(tiny_detector().without_network()), ("command", "command", "constant")),
        "readings": replace(tiny_detector(), scorer=tiny_scorer(3, 2, groups=False)),
    }


def tiny_scorer(channels: int, order: int, *, groups: bool = True) -> Scorer:
    """Return a scorer whose readings are about 1 on `recording(...)`; `groups` adds distance and cycle."""
    rng = np.random.default_rng(1)
    mixed = np.eye(channels) + 0.05 * (1 - np.eye(channels))
    weights = np.zeros((1 + order * channels, channels))
    weights[1 : 1 + channels] = MEMORY**3 * np.eye(channels)
    ahead = np.full(channels, np.sqrt(1 - MEMORY**6), np.float32)
    basis, _ = np.linalg.qr(rng.standard_normal((3 * channels, channels)))
    spread = 2.33 * np.sqrt(2 / np.array([span_of(track, 20.0) for track in TRACKS]))
    slope = (3.9 / spread)[:, None] * rng.uniform(0.8, 1.2, (len(TRACKS), channels))
    return Scorer(
        span=20.0,
        whiten=mixed.astype(np.float32),
        horizon=Highway(weights.astype(np.float32), np.zeros(channels, np.float32), ahead, ahead=3),
        reconstruction=Reconstruction(
            lags=(0, 1, 4),
            mean=(0.01 * rng.standard_normal(3 * channels)).astype(np.float32),
            components=np.ascontiguousarray(basis.T, np.float32),
        ),
        initial=rng.uniform(0.5, 1.5, (len(KINDS), channels)).astype(np.float32),
        intercept=rng.uniform(0.2, 1.2, slope.shape).astype(np.float32),
        slope=slope.astype(np.float32),
        usual=np.where(np.arange(READINGS) == READINGS - 1, 0.1, rng.uniform(0.9, 2.0, READINGS)),
        weights=np.full(READINGS, 1 / READINGS),
        line=Line(0.7, 5.0),
        distance=_distance(rng, channels) if groups else None,
        cycle=_cycle(rng, channels) if groups else None,
    )


def _distance(rng: np.random.Generator, channels: int) -> Distance:
    scale = rng.uniform(0.8, 1.2, channels).astype(np.float32)
    return Distance(scale, _normal(rng, 1.0, 9, channels), Line(2.0, 6.0), 0.8)


def _cycle(rng: np.random.Generator, channels: int) -> Cycle:
    mean = np.array((np.zeros(channels), np.full(channels, -0.7)))
    return Cycle(4, 5, mean.astype(np.float32), rng.uniform(1.0, 2.0, (2, channels)).astype(np.float32), Line(3.0, 4.0))


def with_roles(detector: Detector, roles: tuple[Role, ...]) -> Detector:
    """Return the detector with roles of the channels; arrays hold zeros for channels that are no sensors."""
    sensor = np.array([role == "sensor" for role in roles], np.float32)
    live = np.array([role != "constant" for role in roles], np.float32)
    scorer, head = detector.scorer, detector.head
    lags = len(scorer.reconstruction.lags)

    def forecast(highway: Highway) -> Highway:
        spread = np.where(sensor > 0, highway.spread, np.float32(1))
        return replace(highway, weights=highway.weights * sensor, bias=highway.bias * sensor, spread=spread)

    channels = tuple(replace(c, role=role) for c, role in zip(detector.schema.channels, roles, strict=True))
    window = np.tile(sensor, lags)
    return replace(
        detector,
        schema=replace(detector.schema, channels=channels),
        highway=forecast(detector.highway),
        head=head
        and replace(
            head, shrink=head.shrink * sensor, error_scale=np.where(sensor > 0, head.error_scale, np.float32(1))
        ),
        scorer=replace(
            scorer,
            whiten=scorer.whiten * sensor * sensor[:, None],
            horizon=forecast(scorer.horizon),
            reconstruction=replace(
                scorer.reconstruction,
                mean=scorer.reconstruction.mean * window,
                components=scorer.reconstruction.components * window,
            ),
            initial=scorer.initial * sensor,
            intercept=scorer.intercept * sensor,
            slope=scorer.slope * sensor,
            distance=scorer.distance
            and replace(
                scorer.distance, scale=scorer.distance.scale * live, centroids=scorer.distance.centroids * live
            ),
            cycle=scorer.cycle and replace(scorer.cycle, scale=scorer.cycle.scale * live),
        ),
    )


def _cell(
    rng: np.random.Generator,
    kind: CellKind,
    inputs: int,
    channels: int,
    hidden: int,
    levels: int | list[float],
) -> Cell:
    """Return a stable random cell. The scheduler opens for large values, changes and errors, and closes otherwise."""
    dense = kind in DENSE_KINDS
    spec = CellSpec(kind, inputs, hidden, (hidden,) if dense else boundaries_of(levels, hidden))
    signed = 0.5 / np.sqrt(inputs) * rng.standard_normal(inputs)
    sizes = 0.7 / channels * (0.5 + rng.random(3 * channels))
    gate = np.concatenate((signed, sizes))
    quiet_level = float(spec.thresholds()[0]) if spec.levels > 1 else 0.0
    return Cell(
        spec=spec,
        recurrent=_normal(rng, 1 / np.sqrt(hidden), spec.gates, hidden, hidden),
        input=_normal(rng, 1 / np.sqrt(inputs), spec.gates, hidden, inputs),
        bias=_normal(rng, 0.2, spec.gates, hidden),
        reset_bias=_normal(rng, 0.2, spec.reset_biases),
        gate_hidden=_normal(rng, 0.0 if dense else 0.5 / np.sqrt(hidden), hidden),
        gate_input=(0.0 if dense else 1.0) * gate.astype(np.float32),
        gate_bias=0.0 if dense else quiet_level - 1.5,
    )


def _head(rng: np.random.Generator, channels: int, hidden: int) -> Head:
    return Head(
        weights=_normal(rng, 1 / np.sqrt(hidden), channels, hidden),
        bias=_normal(rng, 0.1, channels),
        shrink=(0.1 + 0.8 * rng.random(channels)).astype(np.float32),
        error_scale=(0.8 + 0.2 * rng.random(channels)).astype(np.float32),
    )


def _normal(rng: np.random.Generator, scale: float, *shape: int) -> F32:
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def recording_of(values: F64, gap_at: int | None = None) -> Recording:
    """Return a recording (N, C) as from one file, one row a second, with an hour's pause at `gap_at`."""
    time_ns = START_NS + np.arange(len(values), dtype=np.int64) * NS_PER_S
    sequences: tuple[tuple[int, int], ...] = ((0, len(values)),)
    if gap_at is not None:
        time_ns[gap_at:] += 3600 * NS_PER_S
        sequences = ((0, gap_at), (gap_at, len(values)))
    names = [f"Channel {c}" for c in range(values.shape[1])]
    return Recording(schema_of(names, 1.0, 10.0), time_ns, values, sequences, DataReport(), (("a.csv", "00" * 32),))
