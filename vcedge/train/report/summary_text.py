"""Writes the summary of the report, for a reader who knows the machine but not the method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vcedge.limits import MOST_RISE
from vcedge.schema import NS_PER_S
from vcedge.train.pipeline import Trained
from vcedge.train.report.sensitivity_text import paragraph
from vcedge.wording import alarm_rate, count, duration, listed, number, percent

NAMES_SHOWN = 6
"""Most channels that a sentence names."""


@dataclass(frozen=True)
class Paragraph:
    """Holds a few sentences under a short heading."""

    heading: str
    text: str


def target_share(trained: Trained) -> float | None:
    """Return the configured target of the mean updated share, or None if there is no gate."""
    if trained.detector.levels == 1:
        return None
    model = trained.detector.provenance.get("config", {}).get("model", {})
    return float(model["target"]) if "target" in model else None


def summary(trained: Trained, metrics: dict[str, Any]) -> list[Paragraph]:
    """Summarise the report in a few paragraphs."""
    found = trained.sensitivity
    return [
        Paragraph("Training data", _training(trained, metrics)),
        Paragraph("What the network adds", _network(trained, metrics["channels"])),
        Paragraph("What it costs", _cost(trained, metrics)),
        Paragraph("What the threshold promises", _threshold(trained, metrics["calibration"])),
        *([] if found is None else [Paragraph("Detectable faults", paragraph(found))]),
    ]


def model_line(trained: Trained) -> str:
    """Return one line on the kind and size of the model."""
    detector = trained.detector
    channels = count(detector.channels, "channel")
    if detector.cell is None:
        return f"Linear forecaster without a network, {channels}"
    levels = f" in {detector.levels} levels" if detector.levels > 1 else ""
    return f"{detector.cell.spec.kind.upper()}, {count(detector.hidden, 'hidden dimension')}{levels}, {channels}"


def origin_line(trained: Trained) -> str:
    """Return the programs and the seed that made the model."""
    made = trained.detector.provenance
    parts = [f"{name} {version}" for name, version in made.get("versions", {}).items()]
    if "seed" in made:
        parts.append(f"seed {made['seed']}")
    return ", ".join(parts)


def _training(trained: Trained, metrics: dict[str, Any]) -> str:
    rows, result = metrics["rows"], trained.result
    total, read = sum(rows.values()), metrics["data"]["used"]
    text = (
        f"{count(total, 'row')} of {count(trained.detector.channels, 'channel')}, one every {_rows_text(trained, 1)}, "
        f"{_rows_text(trained, total)} in all. "
    )
    if read > total:
        text += f"They are a part of the {read:,} rows that were read: those with values, evenly spaced if too many. "
    if trained.detector.cell is None:
        return text + f"The last {rows['tail']:,} rows ({_rows_text(trained, rows['tail'])}) were held out."
    text += (
        f"The network was trained on the first {rows['fit']:,} rows; the next {rows['validation']:,} chose its best "
        f"epoch; the last {rows['tail']:,} ({_rows_text(trained, rows['tail'])}) were held out: neither the network "
        "nor the linear forecaster was fitted on them. The numbers below are measured on them unless stated otherwise. "
    )
    if result.interrupted:
        text += f"The training was stopped by the user after {count(len(result.epochs), 'epoch')}. "
    if result.best < 0:
        return text + "No epoch ended: the network is untrained."
    return text + f"Of {count(len(result.epochs), 'epoch')}, number {result.best + 1} was the best and is used."


def _network(trained: Trained, channels: list[dict[str, Any]]) -> str:
    if trained.detector.cell is None:
        return "This detector has no network, only the linear forecaster."
    helped = [channel for channel in channels if channel["shrink"] > 0]
    idle = [channel["name"] for channel in channels if channel["shrink"] == 0]
    if not helped:
        return (
            "The network adds nothing: on no channel does it forecast the held-out rows better than the linear "
            "forecaster alone. Its correction is therefore switched off on every channel, and alarms depend on the "
            "linear forecaster. The detector is sound, but the network is of no use on this machine."
        )
    best = max(helped, key=lambda channel: float(channel["explained_by_network"]))
    where = "of all channels" if not idle else f"of {len(helped)} of {len(channels)} channels"
    most = f"of {best['name']}" if len(helped) == 1 else f"most on {best['name']}"
    text = (
        f"The network improves the forecast {where}, {most}: there it removes "
        f"{percent(best['explained_by_network'])} of the squared error that the linear forecaster leaves. "
    )
    if idle:
        text += (
            f"On {listed(idle, NAMES_SHOWN, ' and ')} the network adds nothing: its correction is switched off there."
        )
    return text


def _cost(trained: Trained, metrics: dict[str, Any]) -> str:
    detector = trained.detector
    if detector.cell is None:
        return "Every row costs the same, as there is no network."
    if detector.levels == 1:
        return f"This cell has no gate: every row updates all {count(detector.hidden, 'dimension')}."
    share, target, macs = metrics["updated_share"]["tail"], target_share(trained), metrics["macs"]
    text = f"On held-out normal rows {percent(share)} of the {detector.hidden} hidden dimensions are updated on average"
    if target is not None:
        text += f", {'within' if share <= target else 'which is above'} the target of at most {percent(target)}"
    return text + (
        f". Counted in multiply-adds over all parts of the detector, a row costs "
        f"{percent(macs['mean'] / macs['dense'])} of a full update (mean over the held-out rows). The time saved "
        "depends on the device and the engine; `vcedge bench` measures it."
    )


def _threshold(trained: Trained, limits: dict[str, Any]) -> str:
    rate, rows = limits["false_alarms_per_day"], limits["rows"]
    above = limits["alarm_share_tail"]
    text = (
        f"An alarm is raised when the statistic raw exceeds {number(limits['threshold'])}. Rows like the held-out ones "
        f"should then cause about {alarm_rate(rate)}. "
        f"The threshold was measured on {count(rows, 'row')} ({_rows_text(trained, rows)}), each scored by models that "
        "were fitted on the others. A model fitted without the held-out rows finds "
        f"{'none' if above == 0 else percent(above)} of them above its threshold. "
    )
    if rate > trained.false_alarms_per_day:
        text += (
            f"The wanted rate is {alarm_rate(trained.false_alarms_per_day)}, but this recording cannot show so few: a "
            "longer one can. "
        )
    return text + (
        "A rate is promised only as far as the recording can show it. One event is one alarm, however long it lasts. "
        "The rate holds for the operating modes in the recording; a new mode can raise alarms. Under slow drift the "
        f"threshold follows the level of normal operation, at most {MOST_RISE:g} nats up, and falls again as fast; "
        "events leave no other trace in it, only people's judgements of them do."
    )


def _rows_text(trained: Trained, rows: int) -> str:
    return duration(rows * trained.detector.schema.period_ns / NS_PER_S)
