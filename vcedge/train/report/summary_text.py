"""The report in plain words: what a person who knows the machine, but not the method, needs to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vcedge.schema import NS_PER_S
from vcedge.train.pipeline import Trained
from vcedge.train.report.sensitivity_text import paragraph
from vcedge.wording import count, duration, listed, number, percent

NAMES_SHOWN = 6


@dataclass(frozen=True)
class Paragraph:
    """A few sentences under a short heading."""

    heading: str
    text: str


def target_share(trained: Trained) -> float | None:
    """The mean updated share that the configuration asked for; None where the gate has nothing to choose."""
    if trained.detector.levels == 1:
        return None
    model = trained.detector.provenance.get("config", {}).get("model", {})
    return float(model["target"]) if "target" in model else None


def summary(trained: Trained, metrics: dict[str, Any]) -> list[Paragraph]:
    """The whole report in a few paragraphs."""
    found = trained.sensitivity
    return [
        Paragraph("What it was trained on", _training(trained, metrics)),
        Paragraph("What the network adds", _network(trained, metrics["channels"])),
        Paragraph("What it costs", _cost(trained, metrics)),
        Paragraph("What the threshold promises", _threshold(trained, metrics["calibration"])),
        *([] if found is None else [Paragraph("What it would find", paragraph(found))]),
    ]


def model_line(trained: Trained) -> str:
    """One line on the kind and size of the model."""
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
        f"{count(total, 'row')} of {count(trained.detector.channels, 'channel')}, one every {_lasting(trained, 1)}, "
        f"{_lasting(trained, total)} in all. "
    )
    if read > total:
        text += f"They are evenly spaced stretches of the {read:,} rows that were read. "
    text += (
        f"The first {rows['fit']:,} rows taught the network, the next {rows['validation']:,} chose its best epoch, and "
        f"the last {rows['tail']:,} ({_lasting(trained, rows['tail'])}) were held out: neither the network nor the "
        "linear forecaster was fitted to them, and the numbers below are measured on them unless they say otherwise. "
    )
    if result.interrupted:
        text += f"The training was ended by hand after {count(len(result.epochs), 'epoch')}. "
    if result.best < 0:
        return text + "No epoch was finished: the network is the untrained one."
    return text + f"Of {count(len(result.epochs), 'epoch')}, number {result.best + 1} was the best and is the one kept."


def _network(trained: Trained, channels: list[dict[str, Any]]) -> str:
    if trained.detector.cell is None:
        return "There is no network in this detector: the linear forecaster works alone."
    helped = [channel for channel in channels if channel["shrink"] > 0]
    idle = [channel["name"] for channel in channels if channel["shrink"] == 0]
    if not helped:
        return (
            "The network adds nothing here: on no channel did it forecast the held-out rows better than the linear "
            "forecaster does alone. Its correction is therefore switched off on every channel, and alarms rest on the "
            "linear forecaster. That is a sound detector, but the network's work is wasted on this machine."
        )
    best = max(helped, key=lambda channel: float(channel["explained_by_network"]))
    where = "of all channels" if not idle else f"of {len(helped)} of {len(channels)} channels"
    most = f"of {best['name']}" if len(helped) == 1 else f"most of all that of {best['name']}"
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
        return "The linear forecaster costs the same on every row."
    if detector.levels == 1:
        return f"This cell has no gate: all {count(detector.hidden, 'dimension')} are updated on every row."
    share, target, macs = metrics["updated_share"]["tail"], target_share(trained), metrics["macs"]
    text = f"On held-out normal rows {percent(share)} of the {detector.hidden} hidden dimensions are updated on average"
    if target is not None:
        text += f", {'within' if share <= target else 'which is above'} the target of at most {percent(target)}"
    return text + (
        f". In multiply-adds, all parts of the detector counted, a row costs {percent(macs['mean'] / macs['dense'])} "
        "of what it would cost with everything updated (mean over the held-out rows). How much time that saves depends "
        "on the device and the engine."
    )


def _threshold(trained: Trained, limits: dict[str, Any]) -> str:
    rate, rows = limits["false_alarms_per_day"], limits["rows"]
    above = limits["alarm_share_tail"]
    text = (
        f"An alarm is raised when the statistic raw exceeds {number(limits['threshold'])}. Operation like that of the "
        f"held-out rows should then cause about {count(rate, 'false alarm')} a day. "
        f"The threshold was measured on {count(rows, 'row')} past the warm-up ({_lasting(trained, rows)}), of which "
        f"{'none lies' if above == 0 else percent(above) + ' lie'} above it. "
    )
    allowed = limits["held_out_events"]
    if allowed < 1:
        text += (
            f"These rows allow only {allowed:.2g} such alarms, so the threshold is extended to {number(1 / allowed)} "
            f"times their length by the tail of the {count(limits['peaks'], 'largest excursion')} among them: an "
            "estimate, which a longer recording makes firmer. "
        )
    return text + (
        "One alarm is one event, however long it lasts. The promise holds for the ways of operating that the recording "
        "holds; a new one may raise alarms. Under slow drift the service raises the threshold, at most to four times "
        "this one, and lets it fall again; it never does so while an event is open."
    )


def _lasting(trained: Trained, rows: int) -> str:
    return duration(rows * trained.detector.schema.period_ns / NS_PER_S)
