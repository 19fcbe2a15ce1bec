"""The contract of an engine."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vcedge.detector import Detector
from vcedge.runtime.engine.state import State
from vcedge.schema import F64


class ComputePolicy(NamedTuple):
    """Says how much of the hidden state a step must update, beside what the scheduler asks for."""

    min_level: int = 1
    """Floor under the level, 1 to L."""
    logit_bias: float = 0.0
    """Added to the scheduler's logit: the logarithm of the looseness."""


AS_TRAINED = ComputePolicy()


class Engine(Protocol):
    """Runs one detector. Immutable: everything that changes is in the caller's `State`."""

    name: str

    @property
    def detector(self) -> Detector:
        """What is run."""
        ...

    def new_state(self) -> State:
        """A state that has seen nothing."""
        ...

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        """One sample: (statistic `raw`, level 1..L, contributions (C,) that sum to `raw`).

        `values` (C,) in the channels' units, NaN where missing, not written to. the
        channels are those of the detector.
        """
        ...

    def step_many(
        self, values: F64, states: list[State], policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, list[int], F64]:
        """One sample for each of M streams: values (M, C) → raw (M,), levels, contributions (M, C)."""
        ...
