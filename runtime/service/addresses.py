"""Parses topics: what a message is, which asset it is for, and the lane in which it waits."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable
from functools import lru_cache
from zlib import crc32

from vcedge.runtime.mqtt.inbox import Address, MessageKind
from vcedge.topics import InputTopic, OutputTopics

SHARED = 256
"""Lanes that the assets of patterns share: the number of lanes must not grow with that of the senders."""
KINDS: dict[str, MessageKind] = {"model": "model", "feedback": "feedback"}
"""Kinds of messages on `set` topics that are no settings."""
MAX_TOPICS = 4096
"""Topics whose address is cached."""


def topic_parser(topic: InputTopic, outputs: OutputTopics, names: Container[str]) -> Callable[[str], Address]:
    """Return a function that parses a topic to its address; it caches the last MAX_TOPICS.

    Samples and settings of one asset are in one lane; each of `names` has a lane of its own.
    """

    def lane_of(asset: str) -> Hashable:
        return asset if asset in names else crc32(asset.encode("utf-8", "surrogatepass")) % SHARED

    @lru_cache(MAX_TOPICS)
    def address_of(text: str) -> Address:
        if (sample := topic.parse(text)) is not None:
            asset, channel = sample
            return Address("sample", asset, channel, lane=lane_of(asset))
        if (found := outputs.setting_of(text)) is not None:
            asset, setting = found
            return Address(KINDS.get(setting, "setting"), asset, setting=setting, lane=lane_of(asset))
        return Address()

    return address_of
