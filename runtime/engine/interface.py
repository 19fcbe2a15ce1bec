"""Defines the contract of an engine."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from vcedge.detector import Detector
from vcedge.runtime.engine.state import State
from vcedge.schema import F64


class ComputePolicy(NamedTuple):
    """Bounds the level of a step from below, and biases the scheduler."""

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
        """Detector that the engine runs."""
        ...

    def new_state(self) -> State:
        """Return the state of a new stream."""
        ...

    def step(self, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> tuple[float, int, F64]:
        """Run one sample and update the state.

        Args:
            values: (C,) in the channels' units, NaN where missing; not written to.
            state: The stream's state, changed in place.
            policy: Least level, and bias of the scheduler's logit.

        Returns:
            The statistic `raw`, the level from 1 to L, and contributions (C,) of the channels that sum to `raw`.

        Raises:
            ValueError: `values` has another shape. The state is then unchanged.
        """
        ...

    def step_many(
        self, values: F64, states: list[State], policy: ComputePolicy = AS_TRAINED
    ) -> tuple[F64, list[int], F64]:
        """Run one sample of each of M streams: values (M, C) give raw (M,), M levels and contributions (M, C)."""
        ...
