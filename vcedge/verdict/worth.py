"""Answers whether the gated network is worth its cost on a machine: yes, no, or not yet, with the reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from vcedge.wording import count, percent

NOISE = 0.01
"""Differences of VUS-PR below this are not significant: another seed changes as much."""
FEW_EVENTS = 5
"""Fewer events can be found or missed by chance."""
Answer = Literal["yes", "no", "not yet"]


class Rival(NamedTuple):
    """Holds another method's VUS-PR and its share of the events found at its threshold."""

    name: str
    vus_pr: float
    found: float


@dataclass(frozen=True)
class Evidence:
    """Holds the results of a comparison that the answer depends on; VUS-PR is NaN without events."""

    events: int
    injected: bool
    """True if the events are injected faults."""
    vcgru: Rival
    off: Rival
    """The same detector with its network switched off."""
    dense: Rival
    """The best of the dense networks."""
    simple: Rival
    """The best simple detector."""
    cost: float
    """Multiply-adds of a row over those of the dense network of the same size."""


@dataclass(frozen=True)
class Worth:
    """Holds the answer and a sentence for each reason."""

    answer: Answer
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the section of compare.json."""
        return {"answer": self.answer, "reasons": list(self.reasons)}


def is_worth_it(evidence: Evidence) -> Worth:
    """Return the answer: no if a cheaper way finds as much, yes if none does, not yet if the evidence is too thin."""
    if evidence.events == 0 or math.isnan(evidence.vcgru.vus_pr):
        return Worth("not yet", ("The test rows hold no events: name recordings with labelled faults (data.label).",))
    gain = evidence.vcgru.vus_pr - evidence.off.vus_pr
    beaten = [rival for rival in (evidence.simple, evidence.dense) if rival.vus_pr - evidence.vcgru.vus_pr > NOISE]
    reasons = [_network(gain), _beside(evidence.vcgru, evidence.simple), _dense(evidence), _alarms(evidence)]
    thin = _thin(evidence)
    if evidence.events < FEW_EVENTS:
        return Worth("not yet", (*thin, *reasons))
    if gain <= NOISE or beaten:
        return Worth("no", (*reasons, *thin))
    return Worth("not yet", (*thin, *reasons)) if thin else Worth("yes", tuple(reasons))


def _thin(evidence: Evidence) -> list[str]:
    """Return why the evidence is thin, if it is."""
    if evidence.events < FEW_EVENTS:
        return [f"{count(evidence.events, 'event')} can be found or missed by chance: test on {FEW_EVENTS} or more."]
    if evidence.injected:
        return [
            "The events are injected faults, which are tidier than real ones: test on recorded faults (data.label)."
        ]
    return []


def _network(gain: float) -> str:
    if gain > NOISE:
        return f"The network adds {gain:.3f} of VUS-PR to the same detector without it."
    verb = "takes away" if gain < -NOISE else "adds nothing beyond the noise between seeds:"
    amount = f"{-gain:.3f} of VUS-PR" if gain < -NOISE else f"{gain:+.3f} of VUS-PR"
    return f"The network {verb} {amount}: switch it off with model: {{cell: none}}."


def _beside(vcgru: Rival, simple: Rival) -> str:
    return (
        f"It is {_order(vcgru, simple)} the best simple detector, {simple.name} "
        f"(VUS-PR {vcgru.vus_pr:.3f} and {simple.vus_pr:.3f})."
    )


def _dense(evidence: Evidence) -> str:
    vcgru, dense = evidence.vcgru, evidence.dense
    return (
        f"It is {_order(vcgru, dense)} the best dense network, {dense.name} ({dense.vus_pr:.3f}), and needs "
        f"{percent(evidence.cost)} of the multiply-adds of the GRU of its size."
    )


def _alarms(evidence: Evidence) -> str:
    vcgru, simple = evidence.vcgru, evidence.simple
    return f"At its threshold it finds {percent(vcgru.found)} of the events, {simple.name} {percent(simple.found)}."


def _order(vcgru: Rival, rival: Rival) -> str:
    difference = vcgru.vus_pr - rival.vus_pr
    return "ahead of" if difference > NOISE else "behind" if difference < -NOISE else "on a par with"
