"""Names in scores (channels, reasons of wakes) and the codes that stand for them in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector, scheduler_inputs
from vcedge.runtime.engine.state import WAKE_MEMORY, WAKE_NONE, WAKE_SURPRISE
from vcedge.runtime.stream.events import Top, TopCodes
from vcedge.runtime.stream.state import NO_TOP, TOP_CHANNELS
from vcedge.schema import F64

WAKE_WORDS = {WAKE_NONE: "", WAKE_SURPRISE: "surprise", WAKE_MEMORY: "memory"}
SHARES = 128
"""The code of a channel and its share is SHARES times the channel plus the share in hundredths."""


class ScoreNames:
    """Converts between the names in the scores of one detector and their codes."""

    def __init__(self, detector: Detector) -> None:
        self.channels = detector.schema.names
        self.hidden = detector.hidden
        self._channel = {name: index for index, name in enumerate(self.channels)}
        self._inputs = scheduler_inputs(detector.schema, flags=detector.features.flags)
        self._wakes = {word: code for code, word in enumerate(self._inputs)} | {w: c for c, w in WAKE_WORDS.items()}

    def wake(self, code: int) -> str:
        """Return why the gate woke, from a value of `State.wake`."""
        return WAKE_WORDS[code] if code < 0 else self._inputs[code]

    def wake_code(self, word: str) -> int:
        """Return the value of `State.wake`: the inverse of `wake`."""
        return self._wakes[word]

    def top(self, codes: Sequence[int]) -> Top:
        """Return channels and shares of codes (TOP_CHANNELS,)."""
        return tuple([(self.channels[code // SHARES], code % SHARES / 100) for code in codes if code >= 0])

    def tops(self, codes: NDArray[np.int32]) -> list[Top]:
        """Return channels and shares of codes (N, TOP_CHANNELS) for each row: `top`, but many times faster."""
        if codes.size and codes.min() < 0:
            return list(map(self.top, codes.tolist()))
        names = [self.channels[channel] for channel in (codes // SHARES).ravel().tolist()]
        pairs = zip(names, (codes % SHARES / 100).ravel().tolist(), strict=True)
        return list(zip(*[pairs] * codes.shape[1], strict=True))

    def top_codes(self, top: Top) -> TopCodes:
        """Return the codes of leading channels: the inverse of `top`."""
        codes = [SHARES * self._channel[name] + round(100 * share) for name, share in top]
        return (*codes, *NO_TOP[len(codes) :])


def leading_channels(contributions: F64, raw: float) -> TopCodes:
    """Return the codes of up to three channels with the largest shares of the statistic, as published."""
    if raw <= 0.0:
        return NO_TOP
    values = contributions.tolist()
    order = (-contributions).argsort(kind="stable").tolist()[:TOP_CHANNELS]
    shares = [(i, round(100 * round(values[i] / raw, 2))) for i in order]
    codes = [SHARES * i + share for i, share in shares if share > 0]
    return (*codes, *NO_TOP[len(codes) :])
