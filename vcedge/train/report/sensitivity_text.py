"""Which faults the detector finds, in words: a paragraph, an example of each kind, and a table."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.injection.faults import KINDS, FaultKind
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity, delay_words, sentence, size_words
from vcedge.sensitivity.resemblance import Recognition
from vcedge.wording import duration

TITLES: dict[FaultKind, str] = {
    "offset": "offset",
    "drift": "drift",
    "stuck": "stuck",
    "spike": "spikes",
    "noise": "noise",
    "gain": "lost gain",
    "swap": "swapped",
    "decoupled": "decoupled",
    "oscillation": "oscillation",
    "delay": "delay",
}
MEANINGS: dict[FaultKind, str] = {
    "offset": "the reading jumps by a fixed amount",
    "drift": "it creeps away at a steady rate",
    "stuck": "it stands still",
    "spike": "single readings jump up or down, one in ten",
    "noise": "it becomes noisier by the factor stated",
    "gain": "it moves less than it should by the share stated",
    "swap": "two channels change places, each within its own range",
    "decoupled": "the channel replays a piece of its own past: normal by itself, unrelated to the others",
    "oscillation": "it starts to swing about its value",
    "delay": "it answers late by the time stated",
}


@dataclass(frozen=True)
class Cell:
    """One cell of the table, ready to print."""

    size: str
    remark: str
    found: bool


@dataclass(frozen=True)
class Row:
    """One channel's row of the table, a cell for each kind; None where a kind does not apply."""

    name: str
    cells: tuple[Cell | None, ...]


def paragraph(sensitivity: Sensitivity) -> str:
    """A few sentences on what is found and what is not."""
    by_kind = _by_kind(sensitivity)
    everywhere = [TITLES[kind] for kind, items in by_kind.items() if all(item.found for item in items)]
    nowhere = [TITLES[kind] for kind, items in by_kind.items() if not any(item.found for item in items)]
    found = sum(finding.found for finding in sensitivity.findings)
    text = (
        f"Faults of {len(by_kind)} kinds were put into the held-out rows of each channel, at {sensitivity.places} "
        f"places, and grown until they raised an event. Of {len(sensitivity.findings)} pairs of channel and kind, "
        f"{found} are found within {duration(sensitivity.watched_s, 2)}"
    )
    if sensitivity.slow_s > sensitivity.watched_s:
        text += f" (drift and stuck: {duration(sensitivity.slow_s, 2)})"
    text += ". "
    if everywhere:
        text += f"Found on every channel: {', '.join(everywhere)}. "
    if nowhere:
        text += f"Found on no channel, however large it was tried: {', '.join(nowhere)}. "
    if found < len(sensitivity.findings) / 2:
        text += "A higher number of false alarms a day lowers the threshold and finds more; so does a longer recording."
    return text.strip()


def examples(sensitivity: Sensitivity) -> list[str]:
    """A sentence for each kind: of the channel on which it is found best, or that it is found on none."""
    lines = []
    for kind, items in _by_kind(sensitivity).items():
        best = max(items, key=lambda item: (item.found, item.ease))
        lines.append(sentence(best) if best.found else f"{TITLES[kind].capitalize()}: not found on any channel.")
    return lines


def table(sensitivity: Sensitivity) -> list[Row]:
    """The smallest size found of each kind and when, a row for each channel."""
    cells = {(finding.channel, finding.kind): _cell(finding) for finding in sensitivity.findings}
    names = dict.fromkeys(finding.channel for finding in sensitivity.findings)
    return [Row(name, tuple(cells.get((name, kind)) for kind in KINDS)) for name in names]


def name_rows(recognition: Recognition) -> list[tuple[str, str, str, str, str]]:
    """For each kind that raised events: what they are called, their number, how many were named rightly, and alone."""
    called = {} if recognition.model is None else recognition.model.called
    titles = {str(kind): title for kind, title in TITLES.items()}
    return [
        (
            TITLES[item.kind],
            " or ".join(titles.get(kind, kind) for kind in called.get(item.kind, "too few events").split(" or ")),
            f"{item.events}",
            f"{item.named / item.events:.0%}",
            f"{item.alone / item.events:.0%}",
        )
        for item in recognition.kinds
    ]


def _cell(finding: DetectionLimit) -> Cell:
    if finding.size is None:
        limit = size_words(finding, finding.largest)
        return Cell("not found", f"up to {limit}" if limit else "", False)
    return Cell(size_words(finding, finding.size) or "found", delay_words(finding), True)


def _by_kind(sensitivity: Sensitivity) -> dict[FaultKind, list[DetectionLimit]]:
    """The findings of each kind that applies to any channel."""
    groups = {kind: [finding for finding in sensitivity.findings if finding.kind == kind] for kind in KINDS}
    return {kind: items for kind, items in groups.items() if items}
