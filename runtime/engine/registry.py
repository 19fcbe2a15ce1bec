"""Lists the installed engines by name."""

from __future__ import annotations

from collections.abc import Callable

from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.runtime.engine.interface import Engine
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.engine.numpy_engine import NumpyEngine

REFERENCE = "numpy"
"""Engine of calibration, before and after training: limits must not depend on whether a machine has a C compiler."""


def _installed() -> dict[str, Callable[[Detector], Engine]]:
    engines: dict[str, Callable[[Detector], Engine]] = {}
    if native_problem() is None:
        from vcedge.runtime.engine.native_engine import NativeEngine

        engines["native"] = NativeEngine
    return {**engines, REFERENCE: NumpyEngine}


ENGINES = _installed()
"""The installed engines by name, the fastest first."""


def load_engine(detector: Detector, name: str = "auto") -> Engine:
    """Return the engine of that name for a detector; `auto` is the fastest that is installed.

    Raises UsageError if it is not installed: a named engine is never replaced by another.
    """
    if name == "auto":
        name = next(iter(ENGINES))
    if name not in ENGINES:
        why = f" ({native_problem()})" if name == "native" else ""
        raise UsageError(f"engine '{name}' is not available{why}; installed: {', '.join(ENGINES)}")
    return ENGINES[name](detector)


def describe_engine(engine: Engine) -> str:
    """Return an engine's name for people, with the reason if it replaces the native one."""
    problem = native_problem()
    return engine.name if problem is None else f"{engine.name} (native: {problem})"
