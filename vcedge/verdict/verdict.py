"""Defines a verdict: a result, and the reasons for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Result = Literal["PASS", "WARN", "FAIL"]
RESULTS: tuple[Result, ...] = get_args(Result)
"""From the best to the worst."""
About = Literal["found", "missed", "recording", "false_alarms", "states", "network", "advice"]


@dataclass(frozen=True)
class Reason:
    """States one sentence of a verdict and its own level."""

    level: Result
    about: About
    text: str


@dataclass(frozen=True)
class Verdict:
    """Holds the reasons of a verdict; its result is the worst of their levels."""

    reasons: tuple[Reason, ...]

    @property
    def result(self) -> Result:
        """The worst level."""
        return max((reason.level for reason in self.reasons), key=RESULTS.index, default="PASS")

    def to_json(self) -> dict[str, Any]:
        """Return the section of metrics.json."""
        return {
            "result": self.result,
            "reasons": [reason.text for reason in self.reasons],
            "details": [vars(reason) for reason in self.reasons],
        }
