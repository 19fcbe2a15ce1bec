"""JSON by orjson where it is installed (`pip install 'vcedge[fast]'`), else by Python's own module.

orjson is asked first and never has the last word: what it does not read goes to the strict reader, which also finds the
words for what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Reader = Callable[[bytes], Any]
Writer = Callable[[Any], bytes]


def _plain(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)

write: Writer = _plain
"""Compact JSON in UTF-8. Floats are written with all their digits: what is read back is the same number."""
read: Reader | None = None
"""Raises ValueError for what it cannot read; None without orjson."""

try:
    import orjson
except ImportError:
    pass
else:
    write, read = orjson.dumps, orjson.loads
