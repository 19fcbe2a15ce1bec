"""Collects the facts of a training for its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vcedge.calibration.split import LEAST_ROWS
from vcedge.schema import NS_PER_S
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity, amount
from vcedge.train.pipeline import Trained
from vcedge.verdict.facts import ChannelFacts, Facts, NetworkFacts
from vcedge.verdict.rules import judge
from vcedge.verdict.states import share_of_new_states
from vcedge.verdict.verdict import Verdict


def verdict_of(trained: Trained, metrics: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a training; `metrics` are its other numbers, from `vcedge.train.summary.summarise`."""
    return judge(facts_of(trained, metrics))


def facts_of(trained: Trained, metrics: Mapping[str, Any]) -> Facts:
    """Return what is known after a training."""
    detector, found = trained.detector, trained.sensitivity
    limits, schema = trained.finished.calibration, detector.schema
    known = limits.rows >= LEAST_ROWS
    return Facts(
        rows=limits.rows,
        period_s=schema.period_ns / NS_PER_S,
        wanted_per_day=trained.false_alarms_per_day,
        promised_per_day=limits.false_alarms_per_day,
        expected_per_day=limits.expected_false_alarms_per_day(schema.period_ns) if known else None,
        others=tuple(channel.name for channel in schema.channels if channel.role != "sensor"),
        channels=None if found is None else channel_facts(trained, found),
        missed_kinds=() if found is None else missed_kinds(found),
        new_states=share_of_new_states(trained.values),
        network=network_facts(trained, metrics),
        interrupted=trained.result.interrupted,
    )


def channel_facts(trained: Trained, found: Sensitivity) -> tuple[ChannelFacts, ...]:
    """Return the smallest jump and drift found on each sensor."""
    limits = {(limit.channel, limit.kind): limit for limit in found.findings}
    spreads = np.nanmax(trained.values, axis=0) - np.nanmin(trained.values, axis=0)
    facts = []
    for channel, spread in zip(trained.detector.schema.channels, spreads.tolist(), strict=True):
        jump, drift = limits.get((channel.name, "offset")), limits.get((channel.name, "drift"))
        if channel.role != "sensor" or jump is None or drift is None:
            continue
        reached, drift_s = _reached(drift)
        facts.append(
            ChannelFacts(
                name=channel.name,
                unit=channel.unit,
                spread=spread,
                jump=None if jump.size is None else amount(jump, jump.size),
                jump_s=jump.watched_s if jump.delay_s is None else jump.delay_s,
                drift=reached,
                drift_s=drift_s,
                largest=amount(jump, jump.largest),
            )
        )
    return tuple(facts)


def missed_kinds(found: Sensitivity) -> tuple[str, ...]:
    """Return the kinds of faults that are found on no channel."""
    kinds = dict.fromkeys(limit.kind for limit in found.findings)
    return tuple(kind for kind in kinds if not any(limit.found for limit in found.findings if limit.kind == kind))


def network_facts(trained: Trained, metrics: Mapping[str, Any]) -> NetworkFacts | None:
    """Return the gain and the cost of the network on held-out rows; None without a network."""
    detector = trained.detector
    if detector.cell is None:
        return None
    helped = [channel for channel in metrics["channels"] if channel["shrink"] > 0]
    best = max(helped, key=lambda channel: float(channel["explained_by_network"]), default=None)
    return NetworkFacts(
        channels=detector.channels,
        helped=len(helped),
        best="" if best is None else best["name"],
        removed=0.0 if best is None else best["explained_by_network"],
        updated=metrics["updated_share"]["tail"],
        cost=1 - detector.without_network().macs(0) / metrics["macs"]["mean"],
    )


def _reached(drift: DetectionLimit) -> tuple[float | None, float]:
    """Return the change that the slowest drift found has made when it is found, and the time until then."""
    if drift.size is None or drift.delay_s is None:
        return None, drift.watched_s
    within = drift.delay_s + drift.row_s
    return drift.size * drift.noise * within / drift.watched_s, within
