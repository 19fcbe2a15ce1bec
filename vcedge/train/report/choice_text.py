"""Writes texts and tables on choices made from data: weights of the scorer, order and ridge, operating modes."""

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
    "reconstruction": "part of the last rows that principal components do not explain",
}
SAME = 0.005
"""Areas that differ by less are called equal."""


def score_section(trained: Trained) -> dict[str, Any]:
    """Return a text and a row for each part of the scorer: name, input, span, weight, area when alone."""
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
    return {"text": _score_text(trained), "rows": rows, "together": _together(trained)}


def _together(trained: Trained) -> list[tuple[str, str]]:
    choice = trained.parts
    if choice is None:
        return []
    return [("all, with these weights", f"{choice.fused:.2f}"), ("all, with equal weights", f"{choice.equal:.2f}")]


def _score_text(trained: Trained) -> str:
    choice = trained.parts
    text = (
        "The statistic raw is the product of its parts, each divided by its normal mean and raised to the power of its "
        "weight: it is about 1 in normal operation and grows most when several parts agree. Short spans detect sudden "
        "faults, long spans slow ones. "
    )
    if choice is None:
        return text + "The held-out rows are too few to choose weights: all parts have the same weight."
    best = max(range(len(choice.names)), key=lambda i: choice.found[i])
    text += (
        f"The weights were chosen without labels: {choice.faults} synthetic faults were injected into normal rows, and "
        "the table shows how well each part alone distinguishes their rows from normal ones (area under the "
        "precision-recall curve, 1 is perfect). The weights are bounded, so that no part is dropped and none "
        "dominates, as real faults differ from synthetic ones. "
    )
    gain = choice.fused - choice.equal
    versus = "as much as" if abs(gain) < SAME else "more than" if gain > 0 else "less than"
    alone = choice.found[best]
    text += f"Together they reach {choice.fused:.2f}, {versus} with equal weights ({choice.equal:.2f}); "
    if alone > choice.fused + SAME:
        return text + (
            f"{choice.names[best]} alone reaches {alone:.2f}: on these faults it would be better by itself; the other "
            "parts are kept for other kinds of faults."
        )
    return text + f"the best part alone, {choice.names[best]}, {alone:.2f}."


def order_section(trained: Trained) -> dict[str, Any] | None:
    """Return a text and a table of errors by order and ridge, or None if the choice is unknown."""
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
    return {"text": _order_text(choice, error), "ridges": [f"{ridge:g}" for ridge in ridges], "rows": rows}


def _order_text(choice: OrderChoice, error: Mapping[tuple[int, float], float]) -> str:
    chosen, best = error[choice.order, choice.ridge], min(error.values())
    text = (
        f"The linear forecaster uses the last {choice.order} rows, with ridge {choice.ridge:g}. Its error on rows it "
        f"was not fitted on is {chosen:.3f} standard deviations of a channel (geometric mean over channels; "
        "forecasting the mean has an error of 1). "
    )
    if len(error) == 1:
        return text + "Both were set in the configuration."
    text += (
        f"Of {len(error)} pairs compared it uses the fewest rows among those whose error is at most "
        f"{math.exp(NEARLY / 2) - 1:.0%} above the best ({best:.3f}): a forecaster with more past rows also learns to "
        "follow a fault. "
    )
    if chosen > best:
        text += f"Its error is {chosen / best - 1:.1%} above the best."
    return text


def regime_section(regimes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return a text and a row for each operating mode: letter, typical channels, rows, shares; None without a gate."""
    if not regimes:
        return None
    rows = [
        (
            chr(ord("A") + i),
            _typical_text(regime["typical"]),
            f"{regime['share']:.0%}",
            f"{regime['updated']:.0%}",
            round(100 * regime["updated"], 1),
            "none" if regime["updated_tail"] is None else f"{regime['updated_tail']:.0%}",
        )
        for i, regime in enumerate(regimes)
    ]
    return {"text": _regime_text(rows, regimes), "rows": rows}


def _typical_text(typical: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{one['channel']} {one['is']} ({one['mean']:.4g})" for one in typical) or "nothing unusual"


def _regime_text(rows: Sequence[tuple[Any, ...]], regimes: Sequence[Mapping[str, Any]]) -> str:
    text = f"Rows with similar averages over the last {SLOW_ROWS} rows are clustered, without labels. "
    if len(regimes) == 1:
        return text + "The averages form a single cluster: one operating mode was found."
    shares = [regime["updated"] for regime in regimes]
    if f"{max(shares):.0%}" == f"{min(shares):.0%}":
        return text + f"{len(regimes)} operating modes were found; the gate opens equally far in each of them."
    most, least = max(range(len(shares)), key=shares.__getitem__), min(range(len(shares)), key=shares.__getitem__)
    return text + (
        f"{len(regimes)} operating modes were found. The gate opens furthest in {rows[most][0]} ({rows[most][1]}): "
        f"{shares[most]:.0%}, and least in {rows[least][0]} ({rows[least][1]}): {shares[least]:.0%}. The network "
        "learns little from a rare mode; a high share there may mean that the mode is hard to forecast."
    )
