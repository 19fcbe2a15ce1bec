"""The contract of an engine, and the table from an engine's name to its loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.runtime.numpy_engine import NumpyEngine
from vcedge.runtime.state import State
from vcedge.schema import F64


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

    def step(self, values: F64, state: State, min_level: int = 1, logit_bias: float = 0.0) -> tuple[float, int, F64]:
        """One sample: (statistic `raw`, level 1..L, contributions (C,) that sum to `raw`).

        `values` (C,) in the channels' units, NaN where missing, not written to. `min_level` is a floor under the
        level and `logit_bias` is added to the scheduler's logit: the compute policy.
        """
        ...

    def step_many(
        self, values: F64, states: list[State], min_level: int = 1, logit_bias: float = 0.0
    ) -> tuple[F64, list[int], F64]:
        """One sample for each of M streams: values (M, C) → raw (M,), levels, contributions (M, C)."""
        ...


ENGINES: dict[str, Callable[[Detector], Engine]] = {"numpy": NumpyEngine}


def load_engine(detector: Detector, name: str = "auto") -> Engine:
    """The engine of that name for a detector; `auto` takes the fastest that is installed.

    Raises UsageError for an unknown name: an engine that is not there is never replaced silently.
    """
    if name == "auto":
        name = "numpy"
    if name not in ENGINES:
        raise UsageError(f"engine '{name}' is not available; installed: {', '.join(ENGINES)}")
    return ENGINES[name](detector)
