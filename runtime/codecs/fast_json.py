"""JSON by orjson if it is installed (`pip install 'vcedge[fast]'`), else by Python's own module.

Text that orjson refuses goes to `json_text.parse_strictly`, which decodes it or gives the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Reader = Callable[[bytes], Any]
Writer = Callable[[Any], bytes]


def write_plain(value: Any) -> bytes:
    """Write compact JSON in UTF-8 with Python's own module, with all digits of a float."""
    return _ENCODER.encode(value).encode()


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False)

write: Writer = write_plain
"""Writes compact JSON in UTF-8, with all digits of a float: what is read back is the same number."""
read: Reader | None = None
"""Reads JSON. Raises ValueError if it cannot; None without orjson."""

try:
    import orjson
except ImportError:
    pass
else:
    write, read = orjson.dumps, orjson.loads
