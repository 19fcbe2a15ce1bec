"""Defines the kinds of synthetic faults by how each changes the readings of one channel.

A fault changes some rows of one channel (a swap: of two) and nothing else. Sizes are in units of the channel's own
noise, the spread of a linear forecaster's residual, so that a size is about equally hard to detect on every channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from vcedge.detector import Detector
from vcedge.imputation import hold_last
from vcedge.schema import F64

FaultKind = Literal["offset", "drift", "stuck", "spike", "noise", "gain", "swap", "decoupled", "oscillation", "delay"]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
SPIKE_EVERY = 10
"""One of SPIKE_EVERY rows is a spike, and at least one in all."""
DELAY_GROWTH = 4
"""A delay of n rows builds up over DELAY_GROWTH n rows: no plant becomes slower at once."""


@dataclass(frozen=True)
class Scales:
    """Holds the units of fault sizes, each (C,) and in the channel's unit."""

    noise: F64  # spread of the highway's held-out residual
    center: F64  # mean
    scale: F64  # standard deviation

    @classmethod
    def of(cls, detector: Detector) -> Scales:
        """Return the scales that a detector was fitted with."""
        features = detector.features
        return cls(features.scale * detector.highway.spread, features.center, features.scale)


@dataclass(frozen=True)
class InjectedFault:
    """Describes one fault on rows [start, start + length) of a channel.

    The unit of `size` depends on the kind:

    - noises of the channel: offset; drift (reached at its end); spike (either sign); oscillation (amplitude)
    - noise: growth, by the factor 1 + size
    - share in 0 to 1: gain (lost), swap and decoupled (how much of the reading is the wrong one)
    - rows: delay
    - nothing: stuck
    """

    kind: FaultKind
    channel: int
    start: int
    length: int
    size: float = 1.0
    partner: int | None = None
    """swap: index of the other channel."""
    period: float = 0.0
    """oscillation: in rows."""
    source: int = 0
    """decoupled: first row of the piece of the channel's own past that replaces the readings."""
    seed: int = 0
    """noise, spike: seed of the random numbers."""

    @property
    def stop(self) -> int:
        """The first row after the fault."""
        return self.start + self.length


def inject(values: F64, fault: InjectedFault, scales: Scales) -> F64:
    """Return a copy of values (N, C) with the fault in it; missing values stay missing.

    Raises:
        ValueError: the fault does not lie within the rows and channels, or lacks a field that its kind needs.
    """
    _check(values, fault)
    faulty: F64 = values.copy()
    rows = slice(fault.start, fault.stop)
    for channel, readings in EFFECTS[fault.kind](values, fault, scales):
        faulty[rows, channel] = np.where(np.isnan(values[rows, channel]), np.nan, readings)
    return faulty


def inject_all(values: F64, faults: Iterable[InjectedFault], scales: Scales) -> F64:
    """Return a copy of values (N, C) with several faults, each computed from the clean values.

    Where two overlap, the later one in the list wins.
    """
    faulty: F64 = values.copy()
    for fault in faults:
        rows = slice(fault.start, fault.stop)
        for channel in (fault.channel,) if fault.partner is None else (fault.channel, fault.partner):
            faulty[rows, channel] = inject(values, fault, scales)[rows, channel]
    return faulty


Effect = Callable[[F64, InjectedFault, Scales], list[tuple[int, F64]]]
"""Maps values (N, C), a fault and the scales to the faulty readings (length,) of each channel that changes."""


def _offset(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    return _added(values, fault, np.full(fault.length, fault.size * scales.noise[fault.channel]))


def _drift(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    ramp = np.arange(1, fault.length + 1) / fault.length
    return _added(values, fault, ramp * fault.size * scales.noise[fault.channel])


def _stuck(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    """Repeat the last reading before the fault."""
    before = max(fault.start - 1, 0)
    return [(fault.channel, np.full(fault.length, _filled(values, fault.channel, scales)[before]))]


def _spike(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    rng = np.random.default_rng(fault.seed)
    at = rng.choice(fault.length, max(1, fault.length // SPIKE_EVERY), replace=False)
    added = np.zeros(fault.length)
    added[at] = fault.size * scales.noise[fault.channel] * rng.choice((-1.0, 1.0), len(at))
    return _added(values, fault, added)


def _noise(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    """Add independent noise so that the total grows to 1 + size times the channel's own noise."""
    spread = scales.noise[fault.channel] * np.sqrt((1 + fault.size) ** 2 - 1)
    return _added(values, fault, spread * np.random.default_rng(fault.seed).standard_normal(fault.length))


def _gain(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    deviation = values[fault.start : fault.stop, fault.channel] - scales.center[fault.channel]
    return _added(values, fault, -fault.size * deviation)


def _swap(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    """Exchange two channels, each keeping its own centre and scale, as with swapped wires."""
    assert fault.partner is not None
    pair = (fault.channel, fault.partner)
    z = [(_filled(values, c, scales)[fault.start : fault.stop] - scales.center[c]) / scales.scale[c] for c in pair]
    return [
        (c, scales.center[c] + scales.scale[c] * ((1 - fault.size) * own + fault.size * other))
        for c, own, other in zip(pair, z, z[::-1], strict=True)
    ]


def _decoupled(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    """Replay a piece of the channel's own past, which keeps its statistics and breaks its relation to the others."""
    filled = _filled(values, fault.channel, scales)
    other = filled[fault.source : fault.source + fault.length]
    return [(fault.channel, (1 - fault.size) * filled[fault.start : fault.stop] + fault.size * other)]


def _oscillation(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    phase = 2 * np.pi * np.arange(fault.length) / fault.period
    return _added(values, fault, fault.size * scales.noise[fault.channel] * np.sin(phase))


def _delay(values: F64, fault: InjectedFault, scales: Scales) -> list[tuple[int, F64]]:
    """Return the reading of `size` rows ago, in whole rows: interpolation would average the noise away."""
    rows = np.arange(fault.length)
    growth = np.minimum(rows / max(DELAY_GROWTH * fault.size, 1.0), 1.0)
    at = np.maximum(fault.start + rows - np.round(fault.size * growth).astype(int), 0)
    return [(fault.channel, _filled(values, fault.channel, scales)[at])]


EFFECTS: dict[FaultKind, Effect] = {
    "offset": _offset,
    "drift": _drift,
    "stuck": _stuck,
    "spike": _spike,
    "noise": _noise,
    "gain": _gain,
    "swap": _swap,
    "decoupled": _decoupled,
    "oscillation": _oscillation,
    "delay": _delay,
}


def _added(values: F64, fault: InjectedFault, added: F64) -> list[tuple[int, F64]]:
    return [(fault.channel, values[fault.start : fault.stop, fault.channel] + added)]


def _filled(values: F64, channel: int, scales: Scales) -> F64:
    """Return one channel (N,) with missing readings replaced by the last one, or by the mean before any."""
    readings = values[:, channel]
    return hold_last(readings, np.isnan(readings), scales.center[channel])


def _check(values: F64, fault: InjectedFault) -> None:
    rows, channels = values.shape
    if fault.kind not in EFFECTS:
        raise ValueError(f"fault of kind '{fault.kind}', expected one of {', '.join(KINDS)}")
    if fault.length < 1 or fault.start < 0 or fault.stop > rows:
        raise ValueError(f"fault on rows {fault.start} to {fault.stop}, expected at least one row within 0 to {rows}")
    partners = [fault.channel] if fault.partner is None else [fault.channel, fault.partner]
    if not all(0 <= channel < channels for channel in partners) or len(set(partners)) < len(partners):
        raise ValueError(
            f"fault on channel {fault.channel} with partner {fault.partner}, expected two different ones of {channels}"
        )
    if fault.size < 0 or (fault.kind in ("gain", "swap", "decoupled") and fault.size > 1):
        expected = "a share in 0 to 1" if fault.size > 0 else "at least 0"
        raise ValueError(f"{fault.kind} of size {fault.size}, expected {expected}")
    if (fault.kind == "swap") != (fault.partner is not None):
        raise ValueError(f"{fault.kind} with partner {fault.partner}, expected one for a swap and none otherwise")
    if fault.kind == "oscillation" and fault.period <= 0:
        raise ValueError(f"oscillation with a period of {fault.period} rows, expected more than 0")
    if fault.kind == "decoupled" and not 0 <= fault.source <= rows - fault.length:
        raise ValueError(f"decoupled, source row {fault.source}, expected 0 to {rows - fault.length}")
