"""The kernel's description of what Python and C share, and its comparison with Python's.

A kernel that was built from other sources must not be used: where a name, type, size, offset or enumeration differs,
the importing module raises ImportError.
"""

from __future__ import annotations

from typing import Any

from vcedge.runtime import _kernel

OTHER_KERNEL = "the kernel was built from other sources"
LAYOUT: dict[str, Any] = _kernel.layout()


def check_layout(kernel: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise ImportError that names the first difference from what Python expects, by the keys of `LAYOUT`."""
    for part, wanted in expected.items():
        found = kernel[part]
        if found == wanted:
            continue
        pairs = zip([*found, None], [*wanted, None], strict=False)
        here, there = next((pair for pair in pairs if pair[0] != pair[1]), (found, wanted))
        raise ImportError(f"{OTHER_KERNEL}: {part} has {here}, expected {there}; reinstall vcedge")
