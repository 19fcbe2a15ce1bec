"""The rows of one message through a stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import F64, Sample


def push_rows(
    stream: Stream, times: tuple[int, ...], values: F64, policy: ComputePolicy
) -> tuple[Sequence[Score], list[bool]]:
    """The scores of rows (N, C), and whether an event is open after each."""
    if len(times) == 1:
        return [stream.push(Sample(times[0], values[0]), policy)], [stream.in_event]
    block = stream.push_block(np.array(times, np.int64), values, policy)
    return block, block.in_event.astype(bool).tolist()
