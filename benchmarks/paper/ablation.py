"""What each change against the paper brought: a VCGRU with one of them taken back, and the paper's own form."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.paper.gated import LEVELS, BlindBody, GatedBody, PaperBody, ResetBeforeBody
from benchmarks.paper.models import TARGET, Budget, Model, Recipe

L1_TIGHT = 0.075
"""A penalty on each step promises nothing for the mean; with this target (k/D)² comes out near TARGET."""


def _each_dimension(inputs: int, hidden: int, _: Budget | None) -> Recipe:
    return Recipe(GatedBody("vcgru", inputs, hidden, hidden), TARGET)


def _reset_before(inputs: int, hidden: int, _: Budget | None) -> Recipe:
    return Recipe(ResetBeforeBody("vcgru", inputs, hidden, LEVELS), TARGET)


def _soft(inputs: int, hidden: int, _: Budget | None) -> Recipe:
    return Recipe(GatedBody("vcgru", inputs, hidden, LEVELS), TARGET, hard_finish=False)


def _l1(target: float) -> Model:
    return Model(lambda inputs, hidden, _: Recipe(GatedBody("vcgru", inputs, hidden, LEVELS), target, penalty="l1"))


def _one_sided(inputs: int, hidden: int, _: Budget | None) -> Recipe:
    return Recipe(GatedBody("vcgru", inputs, hidden, LEVELS), TARGET, penalty="one-sided")


def _blind(inputs: int, hidden: int, _: Budget | None) -> Recipe:
    return Recipe(BlindBody("vcgru", inputs, hidden, LEVELS), TARGET)


def _paper(inputs: int, hidden: int, _: Budget | None) -> Recipe:
    return Recipe(PaperBody("vcgru", inputs, hidden), TARGET, penalty="l1", hard_finish=False, paper_mask=True)


ABLATIONS: Mapping[str, Model] = {
    "each-dimension": Model(_each_dimension),
    "reset-before": Model(_reset_before),
    "soft-finish": Model(_soft),
    "l1-penalty": _l1(TARGET),
    "l1-penalty-tight": _l1(L1_TIGHT),
    "one-sided-penalty": Model(_one_sided),
    "blind-scheduler": Model(_blind),
    "papers-form": Model(_paper),
}
"""Beside `vcgru`, which has all changes."""
