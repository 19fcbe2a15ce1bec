"""Places the faults of a run, each in one of equal slots, so that they never overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vcedge.errors import UsageError
from vcedge.simulate.faults import BATCH_KINDS, KINDS, Kind, Placement, cooling_factor
from vcedge.simulate.rig import Truth
from vcedge.simulate.set_points import SetPoints

HEALTHY_START_S = 1200.0
SLOT_S = 2100.0  # the longest time between two load steps, and some room
MARGIN_S = 120.0  # of normal operation, at least, after each fault

# Kinds that depend on the load choose their slots first.
ORDER = ("at a second pass", "at a load step", "before a load step", "anywhere")


@dataclass(frozen=True)
class Slot:
    """Holds the rows [start, stop) for one fault."""

    start: int
    stop: int


@dataclass(frozen=True)
class HealthyRun:
    """Holds the run without faults, in which the faults are placed."""

    set_points: SetPoints
    truth: Truth
    period_s: float
    rng: np.random.Generator


def place(count: int, kinds: Sequence[str], run: HealthyRun) -> list[tuple[str, Placement]]:
    """Choose kind and rows of `count` faults, in order of time.

    Each kind is used once, in random order, before any is used again.

    Raises:
        UsageError: a kind is unknown, or the run is too short for so many faults.
    """
    known = KINDS | BATCH_KINDS if run.set_points.passes else KINDS
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or (count and not kinds):
        given = repr(unknown[0]) if unknown else "none"
        raise UsageError(f"kinds of fault: got {given}, expected some of {', '.join(known)}")
    free = _slots(count, run)
    dealt: list[str] = []
    while len(dealt) < count:
        dealt += [kinds[i] for i in run.rng.permutation(len(kinds))]
    placed: list[tuple[str, Placement]] = []
    for name in sorted(dealt[:count], key=lambda name: ORDER.index(known[name].starts)):
        slot, rows = _choose(known[name], free, run)
        free.remove(slot)
        placed.append((name, rows))
    return sorted(placed, key=lambda one: one[1].start)


def _slots(count: int, run: HealthyRun) -> list[Slot]:
    rows, period_s = run.set_points.rows, run.period_s
    first = round(HEALTHY_START_S / period_s)
    most = max(int((rows - first) * period_s // SLOT_S), 0)
    if count > most:
        needed = (HEALTHY_START_S + count * SLOT_S) / 3600.0
        raise UsageError(
            f"faults: got {count} in {rows * period_s / 3600.0:g} hours, expected at most {most}: "
            f"{count} need {np.ceil(needed * 10.0) / 10.0:g} hours"
        )
    edges = np.linspace(first, rows, count + 1).astype(int).tolist()
    margin = round(MARGIN_S / period_s)
    return [Slot(a, b - margin) for a, b in pairwise(edges)]


def _choose(kind: Kind, free: Sequence[Slot], run: HealthyRun) -> tuple[Slot, Placement]:
    """Return a free slot, and the fault's rows in it."""
    options = [(slot, placement) for slot in free for placement in _placements(kind, slot, run)]
    if not options:  # no load step in any slot: place it anywhere
        options = [(slot, _anywhere(kind, slot, run)) for slot in free]
    elif kind.starts == "at a load step":
        upwards = [option for option in options if _load_rises(option[1], run)]
        return max(upwards or options, key=lambda option: cooling_factor(run.truth, option[1], run.period_s))
    return options[int(run.rng.integers(len(options)))]


def _placements(kind: Kind, slot: Slot, run: HealthyRun) -> list[Placement]:
    """Return the possible rows of a fault of this kind in the slot."""
    at = _anywhere(kind, slot, run)
    if kind.starts == "anywhere":
        return [at]
    active, length = at.end - at.start, at.stop - at.start
    if kind.starts == "at a second pass":
        return [
            found for found in _runs_of_passes(run, active) if slot.start <= found.start and found.stop <= slot.stop
        ]
    last = slot.stop - length
    if kind.starts == "at a load step":
        starts = [change for change in run.set_points.changes if slot.start <= change <= last]
    else:
        lead = round(float(run.rng.uniform(60.0, 180.0)) / run.period_s)
        early = [(min(max(change - lead, slot.start), last), change) for change in run.set_points.changes]
        starts = [start for start, change in early if start < change < start + active * 2 // 3]
    return [Placement(start, start + active, start + length) for start in starts]


def _runs_of_passes(run: HealthyRun, rows: int) -> list[Placement]:
    """Return the rows from each second pass to the end of the last one that begins within `rows` after it."""
    passes = run.set_points.passes
    begins = [one.start for one in passes]
    lasts = [passes[bisect_left(begins, begin + rows) - 1].stop for begin in begins]
    return [Placement(begin, last, last) for begin, last in zip(begins, lasts, strict=True)]


def _anywhere(kind: Kind, slot: Slot, run: HealthyRun) -> Placement:
    """Return random rows within the slot; if it is too short for the fault, its effects get less time to end."""
    room = slot.stop - slot.start
    linger = round(kind.linger_s / run.period_s)
    active = min(round(float(run.rng.uniform(*kind.active_s)) / run.period_s), max(room - linger, room * 2 // 3))
    length = min(active + linger, room)
    start = int(run.rng.integers(slot.start, slot.stop - length + 1))
    return Placement(start, start + active, start + length)


def _load_rises(at: Placement, run: HealthyRun) -> bool:
    """Return whether the motor's load is higher in the first third of the fault than just before it."""
    after = run.truth.heat_k[at.start : at.start + max((at.end - at.start) // 3, 1)]
    return bool(after.mean() > run.truth.heat_k[max(at.start - 1, 0)])
