"""Checks results against bars, bounds that they must meet: `vus_pr=0.8` is a lower one, `far=0.1` an upper one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from vcedge.errors import GateFailed, UsageError

AT_LEAST = ("vus_pr", "auc_pr", "auc_roc", "f1", "event_recall")
AT_MOST = ("far", "mar", "delay_rows", "delay_s", "false_alarms", "false_alarms_per_day", "updated_normal")


@dataclass(frozen=True)
class Bar:
    """Bounds one measure by the worst value that is good enough."""

    measure: str
    value: float

    @property
    def words(self) -> str:
        """The bound in words, such as "at least 0.8"."""
        return f"at {'least' if self.measure in AT_LEAST else 'most'} {self.value:g}"

    def to_json(self, found: Mapping[str, float]) -> dict[str, Any]:
        """Return the bar and whether results meet it, as JSON values."""
        return {"measure": self.measure, "expected": self.value, "met": self.met(found[self.measure])}

    def met(self, found: float) -> bool:
        """Return whether a result meets the bar; NaN, a measure without a value, does not."""
        return found >= self.value if self.measure in AT_LEAST else found <= self.value


def parse_bars(options: Sequence[str]) -> list[Bar]:
    """Parse bars of the form MEASURE=NUMBER.

    Raises:
        UsageError: an unknown measure or no finite number.
    """
    bars = []
    for option in options:
        name, equals, text = option.partition("=")
        known = (*AT_LEAST, *AT_MOST)
        if not equals or name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]}?)" if near and name not in known else ""
            raise UsageError(f"--bar {option}: expected MEASURE=NUMBER{hint}, with a measure of {', '.join(known)}")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(
                f"--bar {option}: {text!r} is not a finite number, expected MEASURE=NUMBER such as far=0.1"
            )
        bars.append(Bar(name, value))
    return bars


def check_bars(bars: Sequence[Bar], found: Mapping[str, float], what: str) -> None:
    """Raise GateFailed that names every missed bar, if there is any."""
    missed = [
        f"{bar.measure} is {found[bar.measure]:.4g}, expected {bar.words}"
        for bar in bars
        if not bar.met(found[bar.measure])
    ]
    if missed:
        raise GateFailed(f"{what}: {'; '.join(missed)}")
