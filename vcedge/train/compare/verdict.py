"""Collects the evidence of a comparison for the answer that it begins with."""

from __future__ import annotations

import math

from vcedge.evaluation.vus import segments
from vcedge.train.compare.comparison import Comparison, MethodResult
from vcedge.train.compare.methods import MAIN, OFF, SAME_SIZE
from vcedge.verdict.worth import Evidence, Rival, Worth, is_worth_it

TRIVIAL = ("random", "all ones")


def worth_of(comparison: Comparison) -> Worth:
    """Return whether the gated network is worth its cost, and why."""
    return is_worth_it(evidence_of(comparison))


def evidence_of(comparison: Comparison) -> Evidence:
    """Return the results that the answer depends on."""
    dense = [one for one in comparison.results if one.method.hidden and one.method.name != MAIN]
    return Evidence(
        events=sum(len(segments(case.labels)) for case in comparison.cases),
        injected=not comparison.labelled,
        vcgru=_rival(comparison.main),
        off=_rival(comparison.of(OFF)),
        dense=_rival(best_of(dense)),
        simple=_rival(best_baseline(comparison)),
        cost=comparison.main.macs / comparison.of(SAME_SIZE).macs,
    )


def best_baseline(comparison: Comparison) -> MethodResult:
    """Return the baseline with the highest VUS-PR, or the first one if there are no events to measure it on."""
    others = (OFF, MAIN, *TRIVIAL)
    return best_of([one for one in comparison.results if not one.method.hidden and one.method.name not in others])


def best_of(results: list[MethodResult]) -> MethodResult:
    """Return the result with the highest VUS-PR, or the first one without events."""
    return max(results, key=lambda one: -1.0 if math.isnan(one.mean["vus_pr"]) else one.mean["vus_pr"])


def _rival(result: MethodResult) -> Rival:
    return Rival(result.method.name, result.mean["vus_pr"], result.mean["event_recall"])
