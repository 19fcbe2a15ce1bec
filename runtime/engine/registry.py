"""The engines that are installed, by name."""

from __future__ import annotations

from collections.abc import Callable

from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.engine.numpy_engine import NumpyEngine

REFERENCE = "numpy"
"""What calibration runs, before and after training: limits must not depend on whether a machine has a C compiler."""


def _installed() -> dict[str, Callable[[Detector], Engine]]:
    engines: dict[str, Callable[[Detector], Engine]] = {}
    if native_problem() is None:
        from vcedge.runtime.engine.native_engine import NativeEngine

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
