"""How long and how fast each set is trained. The same for every model of it; found on the validation loss of JSB."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.paper.data import FILES, TEXT
from benchmarks.paper.training import Plan

PLANS: Mapping[str, Plan] = {
    "jsb": Plan(epochs=80, patience=20, lanes=8, window=48, rate=4e-3, dropout=0.2),
    "jsb-plain": Plan(epochs=80, patience=20, lanes=8, window=48, rate=4e-3),
    "nottingham": Plan(epochs=12, patience=5, lanes=32, window=64, dropout=0.1),
    "piano": Plan(epochs=20, patience=6, lanes=16, window=64, dropout=0.2),
    "muse": Plan(epochs=12, patience=5, lanes=32, window=64, dropout=0.1),
    TEXT: Plan(epochs=10, patience=3, lanes=32, window=100, rate=2e-3),
}
SETS = (*FILES, TEXT)
