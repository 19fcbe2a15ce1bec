"""The facts of a training that its verdict is given on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.reports import usual_training
from vcedge.history import DataReport
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity
from vcedge.train.pipeline import Trained
from vcedge.train.summary import summarise
from vcedge.train.verdict import facts_of


def limit(channel: str, kind: str, size: float | None, watched_s: float = 1200.0) -> DetectionLimit:
    delay_s = None if size is None else 299.0
    return DetectionLimit(channel, "bar", kind, size, 0.3, 30.0, 0.5, delay_s, watched_s, None, 1.0)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def trained() -> Trained:
    findings = (
        limit("Channel 0", "offset", 4.0),
        limit("Channel 0", "drift", 8.0),
        limit("Channel 0", "swap", None),
        limit("Channel 1", "offset", None),
        limit("Channel 1", "drift", None),
        limit("Channel 1", "swap", None),
    )
    return replace(usual_training(), sensitivity=Sensitivity(findings, 5, 300.0, 1200.0))


def test_sizes_are_in_the_channels_unit_and_a_drift_is_what_it_reached(trained: Trained) -> None:
    facts = facts_of(trained, summarise(trained, DataReport(), 1.0))
    assert facts.channels is not None
    seen, blind = facts.channels
    assert (seen.name, seen.unit, seen.jump, seen.jump_s) == ("Channel 0", "bar", 2.0, 299.0)
    assert (seen.drift, seen.drift_s) == (1.0, 300.0)  # a quarter of a drift by 4 bar within 20 min
    assert blind.blind
    assert blind.largest == 15.0
    assert facts.missed_kinds == ("swap",)


def test_gain_and_cost_of_the_network_are_those_of_the_metrics(trained: Trained) -> None:
    metrics = summarise(trained, DataReport(), 1.0)
    network = facts_of(trained, metrics).network
    assert network is not None
    assert (network.channels, network.helped) == (3, 2)
    assert network.best in ("Channel 0", "Channel 2")
    assert 0 < network.cost < 1
    assert network.updated == metrics["updated_share"]["tail"]
    alone = replace(trained, detector=trained.detector.without_network())
    assert facts_of(alone, metrics).network is None


def test_the_verdict_in_the_metrics_names_what_is_found_and_what_is_not(trained: Trained) -> None:
    verdict = summarise(trained, DataReport(), 1.0)["verdict"]
    assert verdict["result"] in ("WARN", "FAIL")
    text = " ".join(verdict["reasons"])
    assert "a jump of Channel 0 by 2 bar" in text
    assert "faults of Channel 1" in text
