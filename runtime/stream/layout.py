"""Compares the kernel's description of a stream's record with Python's, field by field.

Both sides read and write the same bytes. A kernel that was built from other sources must not be used: where a name,
type, size, offset or enumeration differs, importing this module raises ImportError.
"""

from __future__ import annotations

from ctypes import Structure
from typing import Any, get_args

import numpy as np

from vcedge.resemblance import BATCH, FEATURES, SPANS, STATISTICS
from vcedge.runtime import _kernel
from vcedge.runtime.engine.state import WAKE_MEMORY, WAKE_NONE, WAKE_SURPRISE
from vcedge.runtime.stream.score import Status
from vcedge.runtime.stream.score_block import COLUMNS
from vcedge.runtime.stream.state import ARRAYS, KINDS, Numbers, TrackerRecord

OTHER_KERNEL = "the kernel was built from other sources"
KERNEL: dict[str, Any] = _kernel.stream_layout()
ITEMS = {  # for each channel, and further ones
    "channels": (1, 0),
    "means": (len(SPANS) * len(STATISTICS), 0),
    "features": (0, len(FEATURES)),
    "batch": (BATCH + 1, 0),
}


def structure_fields(structure: type[Structure]) -> list[tuple[str, str, int, int]]:
    """Return name, type, items and offset of each field of a ctypes structure."""
    fields = []
    for entry in structure._fields_:
        name, kind = entry[:2]
        offset = getattr(structure, name).offset
        items = getattr(kind, "_length_", 1)
        kind = getattr(kind, "_type_", kind) if items > 1 else kind
        fields.append((name, "tracker" if kind is TrackerRecord else np.dtype(kind).str[1:], items, offset))
    return fields


def expected_layout() -> dict[str, Any]:
    """Return what Python expects of the kernel, by the keys of `KERNEL`."""
    return {
        "numbers": structure_fields(Numbers),
        "tracker": structure_fields(TrackerRecord),
        "arrays": [(name, np.dtype(kind).str[1:], *ITEMS[shape]) for name, kind, shape in ARRAYS],
        "columns": [(name, np.dtype(kind).str[1:], items, 0) for name, kind, items in COLUMNS],
        "statuses": list(get_args(Status)),
        "events": list(KINDS),
        "wakes": (WAKE_NONE, WAKE_SURPRISE, WAKE_MEMORY),
    }


def check_layout(kernel: dict[str, Any]) -> None:
    """Raise ImportError that names the first difference."""
    for part, wanted in expected_layout().items():
        found = kernel[part]
        if found == wanted:
            continue
        pairs = zip([*found, None], [*wanted, None], strict=False)
        here, there = next((pair for pair in pairs if pair[0] != pair[1]), (found, wanted))
        raise ImportError(f"{OTHER_KERNEL}: {part} has {here}, expected {there}; reinstall vcedge")


check_layout(KERNEL)
RULES = np.dtype([(name, kind) for name, kind, *_ in KERNEL["rules"]])
"""Scalars of the rules record; filled in by name."""


def rules_dtype(channels: int) -> np.dtype[Any]:
    """Return the layout of the rules of a stream of so many channels."""
    arrays = [(name, kind, (each * channels + more,)) for name, kind, each, more in KERNEL["rule_arrays"]]
    return np.dtype([("scalars", RULES), *arrays])
