"""Compares the kernel's description of a stream's record with Python's, field by field, on import."""

from __future__ import annotations

from ctypes import Structure
from typing import Any, get_args

import numpy as np

from vcedge.resemblance import BATCH, FEATURES, SPANS, STATISTICS
from vcedge.runtime.engine.kernel_layout import LAYOUT, check_layout
from vcedge.runtime.engine.state import WAKE_MEMORY, WAKE_NONE, WAKE_SURPRISE
from vcedge.runtime.stream.score import Status
from vcedge.runtime.stream.score_block import COLUMNS
from vcedge.runtime.stream.state import ARRAYS, KINDS, Numbers, TrackerRecord

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
    """Return what Python expects of the kernel, by the keys of `LAYOUT`."""
    return {
        "numbers": structure_fields(Numbers),
        "tracker": structure_fields(TrackerRecord),
        "arrays": [(name, np.dtype(kind).str[1:], *ITEMS[shape]) for name, kind, shape in ARRAYS],
        "columns": [(name, np.dtype(kind).str[1:], items, 0) for name, kind, items in COLUMNS],
        "statuses": list(get_args(Status)),
        "events": list(KINDS),
        "wakes": (WAKE_NONE, WAKE_SURPRISE, WAKE_MEMORY),
    }


check_layout(LAYOUT, expected_layout())
RULES = np.dtype([(name, kind) for name, kind, *_ in LAYOUT["rules"]])
"""Scalars of the rules record, set by name."""


def rules_dtype(channels: int) -> np.dtype[Any]:
    """Return the layout of the rules of a stream with so many channels."""
    arrays = [(name, kind, (each * channels + more,)) for name, kind, each, more in LAYOUT["rule_arrays"]]
    return np.dtype([("scalars", RULES), *arrays])
