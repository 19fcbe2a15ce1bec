"""Judges what a detector would find on a machine, and what it would miss."""

from __future__ import annotations

from vcedge.sensitivity.findings import short
from vcedge.verdict.facts import ChannelFacts, Facts
from vcedge.verdict.verdict import Reason
from vcedge.wording import delay, duration, listed

EXAMPLES = 3
"""Most channels with sizes in a sentence; the report has all."""
NAMES = 6
"""Most channels that a sentence names."""
NEARLY_NOTHING = 0.1
"""Share of channels on which a fault is found at or below which the detector is of no use."""
MANY = 0.5
"""Share of channels on which only changes beyond their range are found that is a warning."""


def found(facts: Facts) -> list[Reason]:
    """Return what would be found, in the machine's units."""
    if facts.channels is None:
        text = "It was not measured what would be found: set report: {sensitivity: true}, or record a calmer stretch."
        return [Reason("WARN", "found", text)]
    if not facts.channels:
        text = "There is no sensor among the channels: only values that never occurred in training would be found."
        return [Reason("WARN", "found", text)]
    seeing = [channel for channel in facts.channels if not channel.blind]
    if len(seeing) <= NEARLY_NOTHING * len(facts.channels):
        share = f"{len(seeing)} of {len(facts.channels)} channels"
        examples = f" ({_examples(seeing)})" if seeing else ""
        text = f"Nearly nothing would be found: a jump or a drift is found on {share}{examples}."
        return [Reason("FAIL", "found", text)]
    where = f", and more on {len(seeing) - EXAMPLES} other channels" if len(seeing) > EXAMPLES else ""
    return [Reason("PASS", "found", f"Would be found: {_examples(seeing)}{where}.")]


def missed(facts: Facts) -> list[Reason]:
    """Return what would not be found."""
    reasons = []
    channels = facts.channels or ()
    blind = [channel for channel in channels if channel.blind]
    coarse = [channel for channel in channels if channel.coarse]
    if blind:
        example = max(blind, key=lambda channel: channel.largest / max(channel.spread, 1e-300))
        names = listed([channel.name for channel in blind], NAMES, " and ")
        largest = _size(example, example.largest)
        text = f"Would not be found: faults of {names}; on {example.name} not even a jump by {largest}."
        reasons.append(Reason("WARN", "missed", text))
    if coarse:
        names = listed([channel.name for channel in coarse], NAMES, " and ")
        text = f"On {names} only changes larger than the whole range of the recording would be found."
        reasons.append(Reason("WARN" if len(coarse) > MANY * len(channels) else "PASS", "missed", text))
    if facts.others:
        names = listed(facts.others, NAMES, " and ")
        text = (
            f"On {names} (commands, or still in training) only values that never occurred in training would be found."
        )
        reasons.append(Reason("PASS", "missed", text))
    if facts.missed_kinds:
        names = listed(facts.missed_kinds, len(facts.missed_kinds), " and ")
        plural = "s" if len(facts.missed_kinds) > 1 else ""
        text = f"On no channel would faults of the kind{plural} {names} be found; the report describes every kind."
        reasons.append(Reason("PASS", "missed", text))
    return reasons


def _examples(channels: list[ChannelFacts]) -> str:
    """Return the smallest faults of the channels on which they are smallest, relative to the channel's range."""
    ordered = sorted(channels, key=_relative)[:EXAMPLES]
    return "; ".join(_example(channel) for channel in ordered)


def _relative(channel: ChannelFacts) -> float:
    sizes = [size for size in (channel.jump, channel.drift) if size is not None]
    return min(sizes) / max(channel.spread, 1e-300)


def _example(channel: ChannelFacts) -> str:
    parts = []
    if channel.jump is not None:
        parts.append(f"a jump of {channel.name} by {_size(channel, channel.jump)} ({delay(channel.jump_s)})")
    if channel.drift is not None:
        subject = "" if parts else f" of {channel.name}"
        parts.append(f"a drift{subject} by {_size(channel, channel.drift)} within {duration(channel.drift_s, 2)}")
    return ", ".join(parts)


def _size(channel: ChannelFacts, size: float) -> str:
    return f"{short(size)} {channel.unit}".strip()
