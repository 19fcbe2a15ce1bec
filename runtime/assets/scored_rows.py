"""Scores the samples of one message, for publication and for shadow, stages and trial."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vcedge.runtime.codecs.reading import Samples
from vcedge.runtime.engine.interface import ComputePolicy
from vcedge.runtime.stream.score import Score
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import Sample


class ScoredRows(NamedTuple):
    """Holds N samples of one asset, and the result of scoring them."""

    samples: Samples
    policy: ComputePolicy
    """The compute policy that they were scored with."""
    scores: Sequence[Score]
    """(N,)"""
    opened: list[bool]
    """(N,), whether an anomaly event is open after each sample."""
    us: float
    """Mean microseconds to score one sample."""


def score_rows(stream: Stream, samples: Samples, policy: ComputePolicy) -> ScoredRows:
    """Score samples, and measure how long one takes."""
    began_ns = time.perf_counter_ns()
    scores, opened = _push(stream, samples, policy)
    us = (time.perf_counter_ns() - began_ns) / 1000 / len(scores)
    return ScoredRows(samples, policy, scores, opened, us)


def _push(stream: Stream, samples: Samples, policy: ComputePolicy) -> tuple[Sequence[Score], list[bool]]:
    if len(samples.times) == 1:  # fast path
        return [stream.push(Sample(samples.times[0], samples.values[0]), policy)], [stream.in_event]
    block = stream.push_block(np.array(samples.times, np.int64), samples.values, policy)
    return block, block.in_event.astype(bool).tolist()
