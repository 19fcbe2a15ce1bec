"""What was chosen on held-out rows, in words and tables: the scorer's parts, order and ridge, ways of running."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from vcedge.calibration.order import NEARLY, OrderChoice
from vcedge.schema import NS_PER_S
from vcedge.train.pipeline import Trained
from vcedge.train.regimes import SLOW_ROWS
from vcedge.wording import duration

KINDS = {
    "error": "error of the forecast one row ahead",
    "horizon": "error of a forecast several rows ahead",
    "reconstruction": "what the usual patterns of the last rows leave unexplained",
}
SAME = 0.005
"""Areas that differ by less are called the same."""


def score_section(trained: Trained) -> dict[str, Any]:
    """Words, and a row for each part of the scorer: name, what it sees, span, weight, what it found alone."""
    parts, choice = trained.detector.scorer.parts, trained.parts
    period_s = trained.detector.schema.period_ns / NS_PER_S
    found = {} if choice is None else dict(zip(choice.names, choice.found, strict=True))
    rows = [
        (
            part.name,
            KINDS[part.kind],
            duration(part.span * period_s),
            f"{part.weight:.0%}",
            f"{found[part.name]:.2f}" if part.name in found else "",
        )
        for part in parts
    ]
    return {"text": _score_words(trained), "rows": rows, "together": _together(trained)}


def _together(trained: Trained) -> list[tuple[str, str]]:
    choice = trained.parts
    if choice is None:
        return []
    return [("all, with these weights", f"{choice.fused:.2f}"), ("all, with equal weights", f"{choice.equal:.2f}")]


def _score_words(trained: Trained) -> str:
    choice = trained.parts
    text = (
        "The statistic raw multiplies its parts together, each over its usual value and to the power of its weight: it "
        "is about 1 in normal operation, and grows most where several parts agree. Short spans see sudden faults, "
        "long ones slow faults. "
    )
    if choice is None:
        return text + "The held-out rows are too few to choose weights on: all parts weigh the same."
    best = max(range(len(choice.names)), key=lambda i: choice.found[i])
    text += (
        f"The weights were chosen without labels: {choice.faults} synthetic faults were put into normal rows, and the "
        "table says how well each part alone tells their rows from normal ones (area under the precision-recall "
        "curve, 1 is perfect). No part is dropped and none can rule, as real faults differ from synthetic ones. "
    )
    gain = choice.fused - choice.equal
    versus = "the same as" if abs(gain) < SAME else "more than" if gain > 0 else "less than"
    alone = choice.found[best]
    text += f"Together they reach {choice.fused:.2f}, {versus} with equal weights ({choice.equal:.2f}); "
    if alone > choice.fused + SAME:
        return text + (
            f"{choice.names[best]} alone reaches {alone:.2f}: on these faults it would be better by itself, and the "
            "others are kept for faults that are not like these."
        )
    return text + f"the best part alone, {choice.names[best]}, {alone:.2f}."


def order_section(trained: Trained) -> dict[str, Any] | None:
    """Words and a table of errors by order and ridge; None where nothing is known of the choice."""
    choice = trained.order
    if choice is None:
        return None
    orders = sorted({order for order, _, _ in choice.losses})
    ridges = sorted({ridge for _, ridge, _ in choice.losses})
    error = {(order, ridge): math.exp(loss / 2) for order, ridge, loss in choice.losses}
    rows = [
        (order, [(f"{error[order, ridge]:.3f}", (order, ridge) == (choice.order, choice.ridge)) for ridge in ridges])
        for order in orders
    ]
    return {"text": _order_words(choice, error), "ridges": [f"{ridge:g}" for ridge in ridges], "rows": rows}


def _order_words(choice: OrderChoice, error: Mapping[tuple[int, float], float]) -> str:
    taken, best = error[choice.order, choice.ridge], min(error.values())
    text = (
        f"The linear forecaster looks back {choice.order} rows, with ridge {choice.ridge:g}. Its error on rows it was "
        f"not fitted to is {taken:.3f} standard deviations of a channel (geometric mean over channels; 1 is no better "
        "than naming the mean). "
    )
    if len(error) == 1:
        return text + "Both were set in the configuration."
    text += (
        f"Of {len(error)} pairs that were tried, this has the shortest memory of those whose error is at most "
        f"{math.exp(NEARLY / 2) - 1:.0%} above the best ({best:.3f}): a forecaster that looks further back also learns "
        "to follow a fault. "
    )
    if taken > best:
        text += f"That costs {taken / best - 1:.1%} of error here."
    return text


def regime_section(regimes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Words, and a row for each way of running: letter, what is typical, rows, updated shares; None without a gate."""
    if not regimes:
        return None
    rows = [
        (
            chr(ord("A") + i),
            _typical_words(regime["typical"]),
            f"{regime['share']:.0%}",
            f"{regime['updated']:.0%}",
            round(100 * regime["updated"], 1),
            "none" if regime["updated_tail"] is None else f"{regime['updated_tail']:.0%}",
        )
        for i, regime in enumerate(regimes)
    ]
    return {"text": _regime_words(rows, regimes), "rows": rows}


def _typical_words(typical: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['channel']} {one['is']} ({one['mean']:.4g})" for one in typical) or "nothing unusual"


def _regime_words(rows: Sequence[tuple[Any, ...]], regimes: Sequence[Mapping[str, Any]]) -> str:
    text = f"Rows with similar averages over the last {SLOW_ROWS} rows are taken together, without labels. "
    if len(regimes) == 1:
        return text + "This machine runs in one way as far as its averages tell: they do not fall into groups."
    shares = [regime["updated"] for regime in regimes]
    if f"{max(shares):.0%}" == f"{min(shares):.0%}":
        return text + f"{len(regimes)} ways of running were found; the gate opens as far in each of them."
    most, least = max(range(len(shares)), key=shares.__getitem__), min(range(len(shares)), key=shares.__getitem__)
    return text + (
        f"{len(regimes)} ways of running were found. The gate opens furthest in {rows[most][0]} ({rows[most][1]}): "
        f"{shares[most]:.0%}, and least in {rows[least][0]} ({rows[least][1]}): {shares[least]:.0%}. A way of running "
        "that seldom occurs teaches little; a high share there may mean that it is hard to forecast."
    )
