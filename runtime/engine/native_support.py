"""Whether the native kernel is there, and why not. Without it the numpy engine serves.

The kernel is an optional extension: an install without a C compiler, or on a system that is not Linux, goes without.
"""

from __future__ import annotations

from importlib.util import find_spec

from vcedge.errors import Unavailable

HOW_TO = "install a C compiler (Debian: gcc, python3-dev) and reinstall vcedge"


def native_problem() -> str | None:
    """Why the kernel cannot be used, in one line; None where it can."""
    if find_spec("vcedge.runtime._kernel") is None:
        return f"not built on this machine; {HOW_TO}"
    try:
        from vcedge.runtime import _kernel
    except ImportError as error:
        return f"built, but cannot be loaded: {error}"
    if not hasattr(_kernel, "Detector"):
        return "built from older sources; reinstall vcedge, or in a checkout: python setup.py build_ext --inplace"
    return None


def require_native() -> None:
    """Raise Unavailable where the kernel cannot be used."""
    problem = native_problem()
    if problem is not None:
        raise Unavailable(f"native kernel: {problem}")


def native_sets() -> list[str]:
    """Instruction sets that the kernel has on this CPU, the one that serves first; none where it cannot be used."""
    if native_problem() is not None:
        return []
    from vcedge.runtime import _kernel

    first = [_kernel.best(), _kernel.best(True)]
    return first + [name for name in _kernel.isas() if name not in first]


def native_status() -> str:
    """What was found, in one line: for people who ask which engine serves, and why."""
    problem = native_problem()
    if problem is not None:
        return problem
    float32, int8, *others = native_sets()
    return f"{float32}, {int8} (also here: {', '.join(others)})"
