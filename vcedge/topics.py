"""Parses the asset in input topics, and names the topics of results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

ASSET = "{asset}"
CHANNEL = "{channel}"
MAX_NAME = 100


def is_pattern(asset: str) -> bool:
    """Return whether the name of an asset, such as "pump-*", is a pattern for several."""
    return any(character in asset for character in "*?[")


def name_problem(name: str) -> str:
    """Return why an asset cannot have this name, a topic level and part of file names; empty if it can."""
    if len(name) > MAX_NAME:
        return f"a name of {len(name)} characters, expected at most {MAX_NAME}"
    if not name.isprintable() or set(name) & set("/+#") or name.strip() != name or name in ("", ".", ".."):
        return (
            "a name that cannot be a topic level: expected printable characters without /, + or #, no space at an end"
        )
    return ""


class InputTopic:
    """Matches topics with `{asset}` as one level, and perhaps `{channel}`; `+` and a last `#` are MQTT's wildcards."""

    def __init__(self, pattern: str) -> None:
        """Compile a pattern. Raises ValueError for any other form."""
        levels = pattern.split("/")
        if levels.count(ASSET) != 1:
            raise ValueError("expected {asset} once, as one whole level of the topic, as in plant/{asset}")
        if levels.count(CHANNEL) > 1:
            raise ValueError("expected {channel} once, as one whole level of the topic")
        if levels[0].startswith("$"):
            raise ValueError("expected no shared subscription: one asset's samples must arrive here in order")
        rest = "(?:/.*)?" if levels[-1] == "#" else ""
        body = levels[:-1] if rest else levels
        for level in body:
            if level not in (ASSET, CHANNEL, "+") and set(level) & set("+#{}\x00"):
                raise ValueError(f"expected no '{level}' as a level of the topic")
        self.pattern = pattern
        self._regex = re.compile("/".join(_expression(level) for level in body) + rest, re.DOTALL)

    def parse(self, topic: str) -> tuple[str, str | None] | None:
        """Return asset and channel of a topic (None without `{channel}`); None if the topic does not match."""
        match = self._regex.fullmatch(topic)
        return None if match is None else (match["asset"], match["channel"] if self.has_channel else None)

    def asset_of(self, topic: str) -> str | None:
        """Return the asset of a topic, None if the topic does not match."""
        found = self.parse(topic)
        return None if found is None else found[0]

    @cached_property
    def has_channel(self) -> bool:
        """True if each sensor has its own topic."""
        return CHANNEL in self.pattern.split("/")

    def of(self, asset: str, channel: str = "+") -> str:
        """Return the topic of an asset; with `{channel}` of one of its channels, or of all by a wildcard."""
        levels = {ASSET: asset, CHANNEL: channel}
        return "/".join(levels.get(level, level) for level in self.pattern.split("/"))

    def subscriptions(self, assets: Iterable[str]) -> tuple[str, ...]:
        """Return the topics to subscribe to for these assets: one each, or one for all if a name is a pattern.

        Without names it is one topic for all assets.
        """
        names = list(assets)
        if not names or any(is_pattern(name) for name in names):
            return (self.of("+"),)
        return tuple(self.of(name) for name in names)

    @property
    def publishable(self) -> bool:
        """True if messages can be published to it: it has no wildcards."""
        return not {"+", "#"} & set(self.pattern.split("/"))


def _expression(level: str) -> str:
    """Return one level as a regular expression."""
    if level in (ASSET, CHANNEL):
        return f"(?P<{level[1:-1]}>[^/]+)"
    return "[^/]*" if level == "+" else re.escape(level)


@dataclass(frozen=True)
class OutputTopics:
    """Names the topics that the service of one node publishes to."""

    prefix: str
    node: str

    @cached_property
    def status(self) -> str:
        """Topic of `online` or `offline`, retained."""
        return f"{self.prefix}/{self.node}/status"

    @cached_property
    def stats(self) -> str:
        """Topic of the service's counters."""
        return f"{self.prefix}/{self.node}/stats"

    @cached_property
    def deadletter(self) -> str:
        """Topic of messages that could not be read."""
        return f"{self.prefix}/{self.node}/deadletter"

    def of(self, asset: str, kind: str) -> str:
        """Return a topic of one asset: `score`, `anomaly`, `event`, `health`, or a setting's `state`."""
        return f"{self.prefix}/{self.node}/{asset}/{kind}"

    @cached_property
    def sets(self) -> str:
        """Topic to subscribe to for the settings of every asset."""
        return self.of("+", "+/set")

    def setting_of(self, topic: str) -> tuple[str, str] | None:
        """Return asset and setting of a topic such as `{prefix}/{node}/pump-1/threshold/set`, or None."""
        start, levels = self.of("", "")[:-1], topic.split("/")
        asset, setting = levels[-3:-1] if len(levels) > 3 else ("", "")
        return (asset, setting) if topic == f"{start}{asset}/{setting}/set" and asset else None
