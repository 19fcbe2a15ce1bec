"""Defines the training plans of each set, and the fields that differ for a model.

One plan for all would favour the model that it was tuned for: with the dropout that suits a VCGRU, a GRU of 52 units is
0.8 nats worse on JSB than without. A model's own fields were chosen by the validation loss of seeds that no table uses
(docs/decisions/0051-each-model-has-the-training-that-suits-it.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.paper.ablation import ABLATIONS
from benchmarks.paper.data import FILES, TEXT
from benchmarks.paper.training import TrainingPlan

PLANS: Mapping[str, TrainingPlan] = {
    "jsb": TrainingPlan(epochs=80, patience=20, lanes=8, window=48, rate=4e-3),
    "nottingham": TrainingPlan(epochs=30, patience=10, lanes=16, window=64, rate=8e-3),
    "piano": TrainingPlan(epochs=20, patience=6, lanes=16, window=64, dropout=0.2),
    "muse": TrainingPlan(epochs=12, patience=5, lanes=32, window=64, dropout=0.1),
    TEXT: TrainingPlan(epochs=10, patience=3, lanes=32, window=100, rate=2e-3),
}
SMALL: Mapping[str, Any] = {"epochs": 120, "rate": 6e-3}
OWN: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("jsb", "vcgru"): {"dropout": 0.1},
    ("jsb", "gru-matched"): SMALL,
    ("jsb", "rnn-matched"): SMALL,
    ("jsb", "constant-k"): SMALL,
}
"""Fields of a plan that differ for a model on a set."""
SETS = (*FILES, TEXT)


def plan_of(name: str, model: str) -> TrainingPlan:
    """Return the plan of a model on a set; an ablation of the VCGRU is trained as the VCGRU."""
    return replace(PLANS[name], **OWN.get((name, "vcgru" if model in ABLATIONS else model), {}))
