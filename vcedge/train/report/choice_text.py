"""Writes texts and tables on what was found in the data: readings, cycle, order, operating modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vcedge.calibration.order import CLEARLY, OrderChoice
from vcedge.detector import Detector
from vcedge.limits import LASTING_PART
from vcedge.schema import NS_PER_S, Role
from vcedge.scorer import NOVELTY_SPAN, TRACKS, ErrorKind, span_of
from vcedge.train.pipeline import Trained
from vcedge.train.regimes import SLOW_ROWS
from vcedge.wording import duration, listed

KINDS: Mapping[ErrorKind, str] = {
    "whitened": "error of the forecast one row ahead, less what all sensors share",
    "single": "error of the forecast one row ahead, each sensor by itself",
    "ahead": "error of a forecast several rows ahead",
    "window": "part of the last rows that principal components do not explain",
}
NAMES = 5
NOT_SENSORS: Mapping[Role, str] = {"command": "commands, which only help to forecast", "constant": "constants"}


def score_section(detector: Detector) -> dict[str, Any]:
    """Return a text, and a row for each reading: name, input, span."""
    scorer, period_s = detector.scorer, detector.schema.period_ns / NS_PER_S
    rows = [("errors", KINDS[track.kind], duration(span_of(track, scorer.span) * period_s, 2)) for track in TRACKS]
    rows.append(("novelty", "values outside of all that was seen in training", duration(NOVELTY_SPAN * period_s, 2)))
    if scorer.distance is not None:
        states = f"distance to the nearest of {len(scorer.distance.centroids)} operating states seen in training"
        rows.append(("distance", states, "one row"))
    if scorer.cycle is not None:
        rows.append(("cycle", "mean and spread of each channel", duration(scorer.cycle.period * period_s, 2)))
    lasting = LASTING_PART * detector.calibration.memory
    rows.append(("lasting", "mean of the statistic itself", duration(lasting * period_s, 2)))
    return {"text": _score_text(detector), "rows": rows}


def _score_text(detector: Detector) -> str:
    text = (
        "The statistic raw says how unusual a row is, in nats: one normal row in a hundred exceeds 4.6, and each "
        "further 2.3 are ten times rarer. It combines the readings below. Each of errors and novelty is divided by its "
        "usual value, measured on rows that its models were not fitted on, and all weigh the same. Distance and cycle "
        "are added only where they are larger than on 99 of 100 normal rows. The last reading raises an alarm if the "
        "statistic stays moderately high for long. "
    )
    for role, what in NOT_SENSORS.items():
        names = [channel.name for channel in detector.schema.channels if channel.role == role]
        if names:
            text += f"{listed(names, NAMES)}: {what}; a new value of one counts as novelty. "
    if detector.scorer.cycle is None:
        return text + "No cycle was found that repeats often enough to watch its mean and spread."
    period = duration(detector.scorer.cycle.period * detector.schema.period_ns / NS_PER_S)
    return text + f"The machine repeats a cycle of {period}; its mean and spread are watched."


def order_section(trained: Trained) -> dict[str, Any] | None:
    """Return a text and a row of order and error for each candidate, or None if nothing was chosen."""
    choice = trained.order
    if choice is None or not choice.losses:
        return None
    rows = [(order, f"{loss:.4f}", order == choice.order) for order, loss in choice.losses]
    return {"text": _order_text(choice), "rows": rows}


def _order_text(choice: OrderChoice) -> str:
    return (
        f"The linear forecaster uses the last {choice.order} rows, with ridge {choice.ridge:g}. Of two candidates the "
        f"second is chosen only if its squared error on rows it was not fitted on is less than {CLEARLY:g} of the "
        "first's (mean over sensors, in squared standard deviations)."
    )


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
