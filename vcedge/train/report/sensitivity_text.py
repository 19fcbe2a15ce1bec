"""Writes texts on the faults that the detector finds: a paragraph, an example of each kind, and a table."""

from __future__ import annotations

from typing import Any

from vcedge.injection.faults import KINDS, FaultKind
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity, delay_words, sentence, size_words
from vcedge.sensitivity.resemblance import Recognition
from vcedge.wording import duration

TITLES: dict[FaultKind, str] = {
    **dict(zip(KINDS, KINDS, strict=True)),
    "spike": "spikes",
    "gain": "lost gain",
    "swap": "swapped",
}
MEANINGS: dict[FaultKind, str] = {
    "offset": "the reading jumps by a fixed amount",
    "drift": "it moves away at a constant rate",
    "stuck": "it keeps its value",
    "spike": "one reading in ten jumps up or down",
    "noise": "its noise grows by the stated factor",
    "gain": "its changes shrink by the stated share",
    "swap": "two channels change places, each within its own range",
    "decoupled": "the channel replays a part of its own past: normal by itself, unrelated to the others",
    "oscillation": "it oscillates about its value",
    "delay": "it follows late by the stated time",
}


def paragraph(sensitivity: Sensitivity) -> str:
    """Return a few sentences on the faults that are found and those that are not."""
    by_kind = _by_kind(sensitivity)
    everywhere = [TITLES[kind] for kind, items in by_kind.items() if all(item.found for item in items)]
    nowhere = [TITLES[kind] for kind, items in by_kind.items() if not any(item.found for item in items)]
    found = sum(finding.found for finding in sensitivity.findings)
    text = (
        f"Faults of {len(by_kind)} kinds were injected into the held-out rows of each channel, at {sensitivity.places} "
        f"places, and enlarged until they raised an event. Of {len(sensitivity.findings)} pairs of channel and kind, "
        f"{found} are found within {duration(sensitivity.watched_s, 2)}"
    )
    if sensitivity.slow_s > sensitivity.watched_s:
        text += f" (drift and stuck: {duration(sensitivity.slow_s, 2)})"
    text += ". "
    if everywhere:
        text += f"Found on every channel: {', '.join(everywhere)}. "
    if nowhere:
        text += f"Found on no channel at any injected size: {', '.join(nowhere)}. "
    if found < len(sensitivity.findings) / 2:
        text += (
            "To find more, allow more false alarms a day, which lowers the threshold, or train on a longer recording."
        )
    return text.strip()


def examples(sensitivity: Sensitivity) -> list[str]:
    """Return a sentence for each kind: on the channel where it is found best, or that it is found on none."""
    lines = []
    for kind, items in _by_kind(sensitivity).items():
        best = max(items, key=lambda item: (item.found, item.ease))
        lines.append(sentence(best) if best.found else f"{TITLES[kind].capitalize()}: not found on any channel.")
    return lines


def table(sensitivity: Sensitivity) -> list[dict[str, Any]]:
    """Return a row for each channel: the smallest fault of each kind that is found, and its delay."""
    cells = {(finding.channel, finding.kind): _cell(finding) for finding in sensitivity.findings}
    names = dict.fromkeys(finding.channel for finding in sensitivity.findings)
    return [{"name": name, "cells": [cells.get((name, kind)) for kind in KINDS]} for name in names]


def name_rows(recognition: Recognition) -> list[tuple[str, str, str, str, str]]:
    """Return for each kind with events: its title, their name, their number, the shares named correctly and alone."""
    called = {} if recognition.model is None else recognition.model.name_by_kind
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


def _cell(finding: DetectionLimit) -> dict[str, Any]:
    if finding.size is None:
        limit = size_words(finding, finding.largest)
        return {"size": "not found", "remark": f"up to {limit}" if limit else "", "found": False}
    return {"size": size_words(finding, finding.size) or "found", "remark": delay_words(finding), "found": True}


def _by_kind(sensitivity: Sensitivity) -> dict[FaultKind, list[DetectionLimit]]:
    """Group the findings by kind, without kinds that apply to no channel."""
    groups = {kind: [finding for finding in sensitivity.findings if finding.kind == kind] for kind in KINDS}
    return {kind: items for kind, items in groups.items() if items}
