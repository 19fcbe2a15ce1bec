"""Where the faults of a run go: one in each of as many equal slots, so that they never overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vcedge.errors import UsageError
from vcedge.simulate.faults import BATCH_KINDS, KINDS, Kind, Window, cooling_factor
from vcedge.simulate.operation import Operation
from vcedge.simulate.rig import Truth

HEALTHY_START_S = 1200.0
SLOT_S = 2100.0  # the longest time between two load steps, and some room
MARGIN_S = 120.0  # of normal operation, at least, after each fault

# Those that depend on the load choose first among the slots.
ORDER = ("at a second pass", "at a load step", "before a load step", "anywhere")


@dataclass(frozen=True)
class Slot:
    """Rows [start, stop) that belong to one fault."""

    start: int
    stop: int


@dataclass(frozen=True)
class Run:
    """The run that faults are placed in, as it would be without them."""

    operation: Operation
    truth: Truth
    period_s: float
    rng: np.random.Generator


def place(count: int, kinds: Sequence[str], run: Run) -> list[tuple[str, Window]]:
    """Choose kind and rows of `count` faults, in the order of time.

    Kinds are dealt like cards: each comes once, in random order, before one comes again.

    Raises:
        UsageError: a kind is unknown, or the run is too short for so many faults.
    """
    known = KINDS | BATCH_KINDS if run.operation.passes else KINDS
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or (count and not kinds):
        given = repr(unknown[0]) if unknown else "none"
        raise UsageError(f"kinds of fault: got {given}, expected some of {', '.join(known)}")
    free = _slots(count, run)
    dealt: list[str] = []
    while len(dealt) < count:
        dealt += [kinds[i] for i in run.rng.permutation(len(kinds))]
    placed: list[tuple[str, Window]] = []
    for name in sorted(dealt[:count], key=lambda name: ORDER.index(known[name].starts)):
        slot, window = _choose(known[name], free, run)
        free.remove(slot)
        placed.append((name, window))
    return sorted(placed, key=lambda one: one[1].start)


def _slots(count: int, run: Run) -> list[Slot]:
    rows, period_s = run.operation.rows, run.period_s
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


def _choose(kind: Kind, free: Sequence[Slot], run: Run) -> tuple[Slot, Window]:
    """A slot of those that are free, and the fault's rows in it."""
    options = [(slot, window) for slot in free for window in _windows(kind, slot, run)]
    if not options:  # no load step where one is wanted: anywhere will do
        options = [(slot, _anywhere(kind, slot, run)) for slot in free]
    elif kind.starts == "at a load step":
        upwards = [option for option in options if _load_rises(option[1], run)]
        return max(upwards or options, key=lambda option: cooling_factor(run.truth, option[1], run.period_s))
    return options[int(run.rng.integers(len(options)))]


def _windows(kind: Kind, slot: Slot, run: Run) -> list[Window]:
    """The rows that a fault of this kind may take in the slot."""
    at = _anywhere(kind, slot, run)
    if kind.starts == "anywhere":
        return [at]
    active, length = at.end - at.start, at.stop - at.start
    if kind.starts == "at a second pass":
        return [
            window for window in _whole_passes(run, active) if slot.start <= window.start and window.stop <= slot.stop
        ]
    last = slot.stop - length
    if kind.starts == "at a load step":
        starts = [change for change in run.operation.changes if slot.start <= change <= last]
    else:
        lead = round(float(run.rng.uniform(60.0, 180.0)) / run.period_s)
        early = [(min(max(change - lead, slot.start), last), change) for change in run.operation.changes]
        starts = [start for start, change in early if start < change < start + active * 2 // 3]
    return [Window(start, start + active, start + length) for start in starts]


def _whole_passes(run: Run, rows: int) -> list[Window]:
    """From the start of each second pass to the end of the last one that begins within so many rows after it."""
    passes = run.operation.passes
    begins = [one.start for one in passes]
    lasts = [passes[bisect_left(begins, begin + rows) - 1].stop for begin in begins]
    return [Window(begin, last, last) for begin, last in zip(begins, lasts, strict=True)]


def _anywhere(kind: Kind, slot: Slot, run: Run) -> Window:
    """Random rows within the slot; where it is too short for all of the fault, less is left for its effects' end."""
    room = slot.stop - slot.start
    linger = round(kind.linger_s / run.period_s)
    active = min(round(float(run.rng.uniform(*kind.active_s)) / run.period_s), max(room - linger, room * 2 // 3))
    length = min(active + linger, room)
    start = int(run.rng.integers(slot.start, slot.stop - length + 1))
    return Window(start, start + active, start + length)


def _load_rises(at: Window, run: Run) -> bool:
    """Whether the motor's load is higher in the first third of the fault than just before it."""
    after = run.truth.heat_k[at.start : at.start + max((at.end - at.start) // 3, 1)]
    return bool(after.mean() > run.truth.heat_k[max(at.start - 1, 0)])
