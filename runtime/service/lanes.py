"""Which messages wait in one line: those of an asset. Their order is kept, and other assets do not wait for them."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable
from functools import lru_cache
from zlib import crc32

from vcedge.topics import InputTopic, OutputTopics

SHARED = 256
"""Lanes of all assets that the configuration does not name: strangers could name any number of them."""
MAX_TOPICS = 4096
"""Topics whose lane is remembered."""


def lanes(topic: InputTopic, outputs: OutputTopics, names: Container[str]) -> Callable[[str], Hashable]:
    """The lane of each topic. One asset's samples and settings are in one; each of `names` has one of its own."""

    @lru_cache(MAX_TOPICS)
    def lane_of(text: str) -> Hashable:
        found = topic.read(text) or outputs.setting_of(text)
        if found is None:
            return None
        asset = found[0]
        return asset if asset in names else crc32(asset.encode("utf-8", "surrogatepass")) % SHARED

    return lane_of
