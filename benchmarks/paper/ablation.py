"""Defines the ablations: VCGRUs with one of the changes to the paper undone, and the paper's own form."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.paper.gated import LEVELS, BlindBody, GatedBody, PaperBody, ResetBeforeBody
from benchmarks.paper.models import TARGET, MatchedCost, Model, TrainingRecipe
from benchmarks.paper.penalty import Form
from vcedge.train.schedule import HARD_FROM


def _each_dimension(inputs: int, hidden: int, _: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(GatedBody("vcgru", inputs, hidden, hidden), TARGET)


def _reset_before(inputs: int, hidden: int, _: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(ResetBeforeBody("vcgru", inputs, hidden, LEVELS), TARGET)


def _soft(inputs: int, hidden: int, _: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(GatedBody("vcgru", inputs, hidden, LEVELS), TARGET, hard_finish=False)


def _late(inputs: int, hidden: int, _: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(GatedBody("vcgru", inputs, hidden, LEVELS), TARGET, hard_from=HARD_FROM)


def _with(penalty: Form) -> Model:
    return Model(lambda inputs, hidden, _: TrainingRecipe(GatedBody("vcgru", inputs, hidden, LEVELS), TARGET, penalty))


def _blind(inputs: int, hidden: int, _: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(BlindBody("vcgru", inputs, hidden, LEVELS), TARGET)


def _paper(inputs: int, hidden: int, _: MatchedCost | None) -> TrainingRecipe:
    return TrainingRecipe(PaperBody("vcgru", inputs, hidden), TARGET, hard_finish=False, paper_mask=True)


ABLATIONS: Mapping[str, Model] = {
    "each-dimension": Model(_each_dimension),
    "reset-before": Model(_reset_before),
    "soft-finish": Model(_soft),
    "late-finish": Model(_late),
    "price": _with("price"),
    "fixed-penalty": _with("l1"),
    "one-sided-penalty": _with("one-sided"),
    "blind-scheduler": Model(_blind),
    "papers-form": Model(_paper),
}
"""Variants beside `vcgru`, which has all changes."""
