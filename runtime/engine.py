"""The contract of an engine, and the table from an engine's name to its loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.runtime.native import native_problem
from vcedge.runtime.numpy_engine import NumpyEngine
from vcedge.runtime.state import State
from vcedge.schema import F64

if TYPE_CHECKING:
    from vcedge.runtime.block import ScoreBlock
    from vcedge.runtime.stream import Stream


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


class Judge(Protocol):
    """Decides about rows of a stream as `Stream.push` does, many at a time."""

    def judge(self, stream: Stream, block: ScoreBlock, values: F64, row: int, min_level: int, logit_bias: float) -> int:
        """Score rows of values (N, C) from `row` on into the block: the first row that is left for `Stream.push`."""
        ...


@runtime_checkable
class JudgingEngine(Protocol):
    """An engine that has a judge."""

    def judge(self) -> Judge:
        """One for a new stream."""
        ...


REFERENCE = "numpy"
"""What calibration runs, before and after training: limits must not depend on whether a machine has a C compiler."""


def _installed() -> dict[str, Callable[[Detector], Engine]]:
    engines: dict[str, Callable[[Detector], Engine]] = {}
    if native_problem() is None:
        from vcedge.runtime.native_engine import NativeEngine

        engines["native"] = NativeEngine
    return {**engines, REFERENCE: NumpyEngine}


ENGINES = _installed()
"""What can run a detector here, the fastest first."""


def load_engine(detector: Detector, name: str = "auto") -> Engine:
    """The engine of that name for a detector; `auto` takes the fastest that is installed.

    Raises UsageError for a name that is not there: but for `auto` an engine is never replaced by another.
    """
    if name == "auto":
        name = next(iter(ENGINES))
    if name not in ENGINES:
        why = f" ({native_problem()})" if name == "native" else ""
        raise UsageError(f"engine '{name}' is not available{why}; installed: {', '.join(ENGINES)}")
    return ENGINES[name](detector)


def engine_words(engine: Engine) -> str:
    """An engine's name, for people; with the reason where it serves in place of the native one."""
    problem = native_problem()
    return engine.name if problem is None else f"{engine.name} (native: {problem})"
