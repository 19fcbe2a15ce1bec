"""Compares the steps of a model and of an exported file: tolerances, differences, and the result of all steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcedge.detector import Detector
from vcedge.runtime.engine.state import State
from vcedge.schema import F64
from vcedge.scorer import Scorer


@dataclass(frozen=True)
class Tolerance:
    """Limits how far an exported file may be from its model."""

    relative: float
    """Largest difference of a number, relative to the array that it is part of; of the statistic, which is a logarithm,
    relative to the nats of one unit of the readings' logarithms where it is smaller than that."""
    flips: float
    """Largest share of steps at which the level may differ."""
    same_state: bool = False
    """True if probes of the scheduler start from the oracle's state: with int8 weights the file's own state drifts."""


PROBE = 3e-5
"""Distance from a level's limit at which the scheduler is probed, relative to its terms: its weights are float32 in
every layout."""
FLOAT = Tolerance(relative=1e-5, flips=1e-3)
INT8 = Tolerance(relative=3e-2, flips=1e-3, same_state=True)


@dataclass(frozen=True)
class Difference:
    """Describes the first step that differs by more than the tolerance."""

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
    """Collects the result of a comparison."""

    tolerance: Tolerance
    steps: int = 0
    flips: int = 0
    """Steps at which the scheduler picked another level; the file's state is then replaced by the oracle's."""
    ties: int = 0
    """Steps at which the alarm differed while the statistic was within the tolerance of the threshold."""
    levels: dict[int, int] = field(default_factory=dict)
    """Number of compared steps by level."""
    worst: dict[str, float] = field(default_factory=dict)
    """Largest relative difference of each kind of number."""
    first: Difference | None = None

    @property
    def problem(self) -> str | None:
        """Reason why the file fails; None if it passes."""
        if self.first is not None:
            return str(self.first)
        allowed = int(self.tolerance.flips * self.steps)
        return f"{self.flips} level flips in {self.steps} steps, allowed {allowed}" if self.flips > allowed else None

    def to_json(self) -> dict[str, Any]:
        """Return the result for scripts."""
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
"""Statistic, level and contributions (C,) of a step, and the state after it."""


class ParityCheck:
    """Compares step by step and collects the `parity`."""

    def __init__(self, detector: Detector, tolerance: Tolerance) -> None:
        self.parity = Parity(tolerance, worst=dict.fromkeys(("h", "correction", "raw", "score", "contributions"), 0.0))
        self._calibration = detector.calibration
        self._unit = _unit(detector.scorer)
        self._boundaries = detector.boundaries
        self._sizes = {"h": 0.0, "correction": 0.0}
        """Largest absolute value so far of the arrays whose scale is not known beforehand."""

    def compare(self, step: int, expected: Outcome, found: Outcome, before: F64, *, may_flip: bool) -> bool:
        """Compare one step, and return false if the oracle's state must replace the file's for the next step.

        `before` (D,) is the file's h before the step. Unless `may_flip`, another level is a difference.
        """
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
        for what in self._sizes:
            a, b = getattr(expected[3], what), getattr(found[3], what)
            self._sizes[what] = max(self._sizes[what], float(np.abs(a).max(initial=0.0)))
            self._close(step, what, level, a.astype(np.float64), b.astype(np.float64), self._sizes[what])
        return True

    def _score_size(self, size: float) -> float:
        """Return what a score's difference is relative to: it follows `raw` by at most a quarter of the steepness."""
        return max(1.0, size * self._calibration.steepness / 4)

    def compare_level(self, step: int, expected: int, found: int) -> None:
        """Compare the level of a probe, which must be the oracle's."""
        if found != expected:
            self._differs(step, "level", expected, expected, found)

    def _numbers(self, step: int, expected: Outcome, found: Outcome) -> None:
        """Compare the statistic, the contributions, the score and the alarm."""
        (raw, level, contributions, _), (other, _, others, _) = expected, found
        size = max(abs(raw), self._unit)
        self._close(step, "raw", level, np.array([raw]), np.array([other]), size)
        self._close(step, "contributions", level, contributions, others, size)
        scores = [self._calibration.score(r) if np.isfinite(r) else r for r in (raw, other)]
        self._close(step, "score", level, np.array(scores[:1]), np.array(scores[1:]), self._score_size(size))
        threshold = self._calibration.threshold
        if (raw > threshold) != (other > threshold):
            if abs(raw - threshold) <= self.parity.tolerance.relative * size:
                self.parity.ties += 1
            else:
                self._differs(step, "alarm", level, raw, other)

    def _sleeping(self, step: int, found: Outcome, before: F64) -> None:
        """Check that h[k:] keeps its bits in a step that updates k dimensions."""
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


def _unit(scorer: Scorer) -> float:
    """Return the nats by which the statistic grows with all its readings' logarithms: the scale of its errors."""
    groups = (scorer.distance, scorer.cycle)
    return sum(abs(part.line.gain) for part in (scorer, *groups) if part is not None)
