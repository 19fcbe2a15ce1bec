"""Checks whether the native kernel can be used, and gives the reason if not. The numpy engine then replaces it.

The kernel is an optional extension, which an install without a C compiler, or not on Linux, leaves out.
"""

from __future__ import annotations

from importlib.util import find_spec

from vcedge.errors import Unavailable

HOW_TO = "install a C compiler (Debian: gcc, python3-dev) and reinstall vcedge"


def native_problem() -> str | None:
    """Return in one line why the kernel cannot be used; None if it can."""
    if find_spec("vcedge.runtime._kernel") is None:
        return f"not built on this machine; {HOW_TO}"
    try:
        from vcedge.runtime import _kernel
    except ImportError as error:
        return f"built, but cannot be loaded: {error}"
    if not hasattr(_kernel, "layout"):
        return "built from older sources; reinstall vcedge, or in a checkout: python setup.py build_ext --inplace"
    return None


def require_native() -> None:
    """Raise Unavailable if the kernel cannot be used."""
    problem = native_problem()
    if problem is not None:
        raise Unavailable(f"native kernel: {problem}")


def native_sets() -> list[str]:
    """Return the kernel's instruction sets on this CPU, the ones in use first; none if the kernel cannot be used."""
    if native_problem() is not None:
        return []
    from vcedge.runtime import _kernel

    first = [_kernel.best(int8) for int8 in (False, True)]
    return first + [name for name in _kernel.isas() if name not in first]


def native_status() -> str:
    """Return in one line, for people, which instruction sets are in use, or why the kernel cannot be used."""
    problem = native_problem()
    if problem is not None:
        return problem
    float32, int8, *others = native_sets()
    return f"{float32}, {int8} (also here: {', '.join(others)})"
