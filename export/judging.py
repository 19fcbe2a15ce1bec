"""What counts as a difference between a model and an exported file, and what is remembered of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcedge.detector import Detector
from vcedge.runtime.engine.state import State
from vcedge.schema import F64


@dataclass(frozen=True)
class Tolerance:
    """How far a file may be from its model."""

    relative: float
    """Largest difference of a number over the size of what it is part of."""
    flips: float
    """Largest share of steps at which the level may differ."""
    same_state: bool = False
    """Whether the scheduler is probed from the oracle's state: with rounded weights the file's own is too far off."""


PROBE = 3e-5
"""How far from a limit the scheduler is probed, over the size of its terms. It is never rounded."""
FLOAT = Tolerance(relative=1e-5, flips=1e-3)
INT8 = Tolerance(relative=3e-2, flips=1e-3, same_state=True)


@dataclass(frozen=True)
class Difference:
    """The first step that differs by more than is allowed."""

    step: int
    what: str
    level: int
    expected: float
    found: float

    def __str__(self) -> str:
        numbers = f"expected {self.expected:.7g}, found {self.found:.7g}"
        return f"step {self.step}, level {self.level}: {self.what}: {numbers}"


@dataclass
class Parity:
    """What was found."""

    tolerance: Tolerance
    steps: int = 0
    flips: int = 0
    """Steps at which the level differed by itself; the file's state was then replaced by the oracle's."""
    ties: int = 0
    """Steps at which the alarm differed, with a statistic as near to the threshold as the tolerance allows."""
    levels: dict[int, int] = field(default_factory=dict)
    """Compared steps at each level."""
    worst: dict[str, float] = field(default_factory=dict)
    """Largest relative difference of each kind of number."""
    first: Difference | None = None

    @property
    def problem(self) -> str | None:
        """Why the file fails; None where it passes."""
        if self.first is not None:
            return str(self.first)
        allowed = int(self.tolerance.flips * self.steps)
        return f"{self.flips} level flips in {self.steps} steps, allowed {allowed}" if self.flips > allowed else None

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        first = self.first
        return {
            "passed": self.problem is None,
            "problem": self.problem,
            "steps": self.steps,
            "flips": self.flips,
            "ties": self.ties,
            "levels": {str(level): count for level, count in sorted(self.levels.items())},
            "worst": self.worst,
            "tolerance": self.tolerance.relative,
            "first": None if first is None else vars(first),
        }


Outcome = tuple[float, int, F64, State]
"""raw, level and contributions (C,) of a step, and the state after it."""


class Judge:
    """Compares step by step and keeps the `parity`."""

    def __init__(self, detector: Detector, tolerance: Tolerance) -> None:
        self.parity = Parity(tolerance, worst=dict.fromkeys(("h", "correction", "raw", "score", "contributions"), 0.0))
        self._calibration = detector.calibration
        self._boundaries = detector.boundaries
        self._sizes = {"h": 0.0, "correction": 0.0}
        """Largest number so far of what has a size of its own."""

    def step(self, step: int, may_flip: bool, expected: Outcome, found: Outcome, before: F64) -> bool:
        """Judge one step, `before` h of the file (D,); whether its state can go on, or is to be the oracle's again."""
        self.parity.steps += 1
        self._numbers(step, expected, found)
        level = expected[1]
        self.parity.levels[level] = self.parity.levels.get(level, 0) + 1
        self._sleeping(step, found, before)
        if found[1] != level:
            self.parity.flips += 1
            if not may_flip:
                self._differs(step, "level", level, level, found[1])
            return False
        for what, a, b in (
            ("h", expected[3].h, found[3].h),
            ("correction", expected[3].correction, found[3].correction),
        ):
            self._sizes[what] = max(self._sizes[what], float(np.abs(a).max(initial=0.0)))
            self._close(step, what, level, a.astype(np.float64), b.astype(np.float64), self._sizes[what])
        return True

    def level(self, step: int, expected: int, found: int) -> None:
        """Judge the level of a probe, which must be the oracle's."""
        if found != expected:
            self._differs(step, "level", expected, expected, found)

    def _numbers(self, step: int, expected: Outcome, found: Outcome) -> None:
        """Statistic, what each channel adds to it, score and alarm."""
        (raw, level, contributions, _), (other, _, others, _) = expected, found
        self._close(step, "raw", level, np.array([raw]), np.array([other]), raw)
        self._close(step, "contributions", level, contributions, others, raw)
        scores = [self._calibration.score(r) if np.isfinite(r) else r for r in (raw, other)]
        self._close(step, "score", level, np.array(scores[:1]), np.array(scores[1:]), 1.0)
        threshold = self._calibration.threshold
        if (raw > threshold) != (other > threshold):
            if abs(raw - threshold) <= self.parity.tolerance.relative * threshold:
                self.parity.ties += 1
            else:
                self._differs(step, "alarm", level, raw, other)

    def _sleeping(self, step: int, found: Outcome, before: F64) -> None:
        """h[k:] of a level that updates k is what it was, to the bit."""
        level = found[1]
        if not 1 <= level <= len(self._boundaries):
            return
        k = self._boundaries[level - 1]
        after = found[3].h
        if before[k:].tobytes() != after[k:].tobytes():
            place = k + int(np.argmax(before[k:] != after[k:]))
            self._differs(step, f"h[{place}], asleep", level, float(before[place]), float(after[place]))

    def _close(self, step: int, what: str, level: int, expected: F64, found: F64, size: float) -> None:
        errors = np.abs(expected - found) / max(size, np.finfo(np.float32).tiny)
        errors = np.where(np.isfinite(errors), errors, np.inf)
        worst = float(errors.max(initial=0.0))
        self.parity.worst[what] = max(self.parity.worst[what], worst)
        if worst > self.parity.tolerance.relative:
            at = int(errors.argmax())
            name = what if len(expected) == 1 else f"{what}[{at}]"
            self._differs(step, name, level, float(expected[at]), float(found[at]))

    def _differs(self, step: int, what: str, level: int, expected: float, found: float) -> None:
        if self.parity.first is None:
            self.parity.first = Difference(step, what, level, expected, found)
