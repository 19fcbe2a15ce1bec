"""Checks the results against the paper's claims, scaled down; nothing is rounded in their favour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.paper.models import TARGET
from benchmarks.paper.summary import Group

EQUAL, BETTER, GAP = 0.01, 0.03, 0.001
"""Relative to the rival's loss: the largest loss that counts as equal, the least gain that counts as better, and the
largest gap to the exported model."""


@dataclass(frozen=True)
class Claim:
    """Holds one claim on one set, the finding, and whether the claim holds."""

    words: str
    found: str
    held: bool

    @property
    def cells(self) -> list[str]:
        """Cells of a table row."""
        return [self.words, self.found, "holds" if self.held else "**fails**"]


def claims_of(models: Mapping[str, Group]) -> list[Claim]:
    """Return all claims whose models were measured."""
    found = []
    if {"vcgru", "gru"} <= set(models):
        found += _equal(models["vcgru"], models["gru"])
    if {"vcgru", "gru-matched"} <= set(models):
        found.append(_better("VCGRU", models["vcgru"], models["gru-matched"], BETTER))
    if {"vcrnn", "rnn-matched"} <= set(models):
        found.append(_better("VCRNN", models["vcrnn"], models["rnn-matched"], 0.0))
    if "vcgru" in models:
        gap = models["vcgru"].gap
        assert gap is not None
        found.append(Claim(f"exported within {GAP:.1%} of trained", f"{gap:.1e} at most, every seed", gap < GAP))
    return found


def _equal(variable: Group, dense: Group) -> list[Claim]:
    worse = variable.loss.mean / dense.loss.mean - 1
    square, share = variable.square.mean, variable.macs("all").mean / dense.macs("all").mean
    return [
        Claim(
            f"VCGRU within {EQUAL:.0%} of the GRU of its size",
            f"{worse:+.2%}, each seed {_each(variable, dense)}; {share:.0%} of all its MACs",
            worse <= EQUAL,
        ),
        Claim(f"at a mean (k/D)² of at most {TARGET:.2f}", variable.square.text(4), square <= TARGET),
    ]


def _better(name: str, variable: Group, matched: Group, margin: float) -> Claim:
    change = variable.loss.mean / matched.loss.mean - 1
    size = matched.of(lambda row: row["hidden"])
    wanted = f"at least {margin:.0%} better than" if margin else "better than"
    kind = name.removeprefix("VC")
    return Claim(
        f"{name} {wanted} the {kind} of as many MACs",
        f"{change:+.2%}, each seed {_each(variable, matched)}; the {kind} has {size.mean:.0f} units",
        change < 0 and change <= -margin,
    )


def _each(one: Group, other: Group) -> str:
    """Format the relative difference of each seed that both have."""
    rivals = {row["seed"]: row["test"]["loss"] for row in other.rows}
    return ", ".join(
        f"{row['test']['loss'] / rivals[row['seed']] - 1:+.1%}" for row in one.rows if row["seed"] in rivals
    )
