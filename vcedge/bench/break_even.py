"""Measures what gating gains or costs in an exported file: each level beside the dense layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vcedge.bench.detector_steps import NEVER, quiet_samples, step_of
from vcedge.bench.timing import TimedCall, interleaved
from vcedge.export.formats import export_model, writer_of
from vcedge.pinning import one_core
from vcedge.runtime.exported.artifact import Artifact, GraphInfo, Quantize, engine_for
from vcedge.runtime.exported.network_engine import NetworkEngine, network_shapes

ROUNDS = 50
"""Rounds of the timing; the medians are reported."""


@dataclass(frozen=True)
class BreakEven:
    """Holds the times in microseconds of one step, called from Python."""

    interpreter: str
    boundaries: tuple[int, ...]
    """Hidden dimensions that each level updates."""
    us: tuple[float, ...]
    """Time of each level."""
    dense_us: float
    dense_int8_us: float | None
    """None if the format has no dense int8 layout."""
    target_share: float
    """Mean share of the dimensions that the model was trained to update."""
    skips: bool
    """True if the layout skips the dimensions that are not updated."""

    @property
    def usual(self) -> int:
        """Index of the level nearest to the target share."""
        share = np.array(self.boundaries) / self.boundaries[-1]
        return int(np.abs(share - self.target_share).argmin())

    def lines(self) -> list[str]:
        """Return a line for each level and a conclusion for each dense peer."""
        hidden = self.boundaries[-1]
        int8 = "" if self.dense_int8_us is None else f", dense int8 {self.dense_int8_us:.1f}"
        lines = [f"{self.interpreter}, a step in µs: dense {self.dense_us:.1f}{int8}; by level:"]
        lines += [
            f"  {k:4d} of {hidden} updated: {us:.1f}, {self.dense_us / us:.2f} times as fast as dense"
            for k, us in zip(self.boundaries, self.us, strict=True)
        ]
        return [*lines, *self._conclusions()]

    def _conclusions(self) -> list[str]:
        if len(self.boundaries) == 1:
            return ["one level: there is nothing to gate"]
        if not self.skips:
            return ["every level costs the same in this layout: it masks the update and skips no work"]
        us, k, hidden = self.us[self.usual], self.boundaries[self.usual], self.boundaries[-1]
        where = f"at the usual {k} of {hidden}"
        lines = []
        for name, other in (("dense", self.dense_us), ("dense int8", self.dense_int8_us)):
            if other is not None:
                ratio = f"{other / us:.2f} times as fast" if us < other else f"SLOWER: {us / other:.2f} times the time"
                lines.append(f"gating against {name} {where}: {ratio}")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the times as JSON values."""
        return {
            "interpreter": self.interpreter,
            "levels": [{"updated": k, "us": us} for k, us in zip(self.boundaries, self.us, strict=True)],
            "dense_us": self.dense_us,
            "dense_int8_us": self.dense_int8_us,
            "usual_updated": self.boundaries[self.usual],
            "wins_against_dense": self.us[self.usual] < self.dense_us,
            "wins_against_dense_int8": None if self.dense_int8_us is None else self.us[self.usual] < self.dense_int8_us,
        }


def break_even(model: Artifact, exported: Artifact, rounds: int = ROUNDS) -> BreakEven:
    """Time an exported file at each level and the dense layouts, interleaved on one core.

    Raises what the interpreter raises when it cannot read a file.
    """
    graph, detector = exported.graph, model.detector
    assert graph is not None
    levels = range(1, detector.levels + 1)
    runs = [TimedCall({"level": level}, _call(exported, level)) for level in levels]
    runs.append(TimedCall({}, _call(_dense(model, graph, "none"), detector.levels)))
    int8 = writer_of(graph.to).quantizes("dense", whole=graph.whole)
    if int8:
        runs.append(TimedCall({}, _call(_dense(model, graph, "int8"), detector.levels)))
    with one_core():
        times = [float(np.median(us)) for us in interleaved(runs, rounds)]
    return BreakEven(
        interpreter=getattr(engine_for(exported), "interpreter", graph.to),
        boundaries=detector.boundaries,
        us=tuple(times[: len(levels)]),
        dense_us=times[len(levels)],
        dense_int8_us=times[-1] if int8 else None,
        target_share=detector.calibration.target_share,
        skips=graph.layout != "dense",
    )


def _dense(model: Artifact, graph: GraphInfo, quantize: Quantize) -> Artifact:
    return export_model(model, GraphInfo(graph.to, "dense", graph.whole, quantize))


def _call(exported: Artifact, level: int) -> Callable[[], Any]:
    """Return one step at a level: of the network if the file holds only that, else of the whole detector."""
    engine, detector = engine_for(exported), exported.detector
    if not isinstance(engine, NetworkEngine):
        return step_of(engine, quiet_samples(detector), level)
    graph, shapes = engine.graph, network_shapes(detector)
    signals = np.random.default_rng(0).random(shapes["signals"][1]).astype(np.float32)
    h = np.zeros(shapes["h"][1], np.float32)

    def step() -> Any:
        correction, _, after = graph.run(signals, h, level, NEVER)
        h[:] = after
        return correction

    return step
