"""Lists the operators and types of TensorFlow Lite's schema that vcedge writes, by their numbers and versions.

tflite-runtime 2.14 has all operators but CASE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
ALIGN = 16
"""Alignment of constants in bytes, as the schema requires."""


class Code(NamedTuple):
    """Names an operator of the schema and its version."""

    builtin: int
    version: int = 1


ADD, CONCATENATION, LOGISTIC, MUL, RESHAPE, TANH = Code(0), Code(2), Code(14), Code(18), Code(22), Code(28)
GATHER, SUB, MAXIMUM, MINIMUM, SLICE, EQUAL = Code(36, 3), Code(41), Code(55), Code(57), Code(65), Code(71)
IF, SELECT, BUCKETIZE, CASE = Code(118), Code(123), Code(147), Code(209)
FULLY_CONNECTED = Code(9, 9)
"""With int8 weights, version 9 quantizes its input asymmetrically."""
INT8_MAX = 127
KINDS: Mapping[Any, int] = {np.dtype(np.float32): 0, np.dtype(np.int32): 2, np.dtype(np.bool_): 6, np.dtype(np.int8): 9}
"""The schema's number of each tensor type."""


def aligned_buffer(schema: Any, data: bytes) -> Any:
    """Return a buffer whose content is aligned, which the schema's own class does not do."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:  # noqa: N802 - the schema's name
            builder.StartVector(1, len(data), ALIGN)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
            schema.BufferStart(builder)
            schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    return Aligned()
