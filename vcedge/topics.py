"""Names of MQTT topics: which asset an input topic speaks of, and where results go."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

ASSET = "{asset}"
CHANNEL = "{channel}"
MAX_NAME = 100


def is_pattern(asset: str) -> bool:
    """Whether the name of an asset, such as "pump-*", stands for several."""
    return any(character in asset for character in "*?[")


def odd_name(name: str) -> str:
    """Why an asset may not have this name, which becomes a level of topics and part of files' names; empty: it may."""
    if len(name) > MAX_NAME:
        return f"a name of {len(name)} characters, expected at most {MAX_NAME}"
    if not name.isprintable() or set(name) & set("/+#") or name.strip() != name or name in ("", ".", ".."):
        return "a name with characters that no topic should have"
    return ""


class InputTopic:
    """A topic with `{asset}` as one whole level, and perhaps `{channel}`; `+` and a last `#` are MQTT's wildcards.

    Raises ValueError for any other pattern.
    """

    def __init__(self, pattern: str) -> None:
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

    def read(self, topic: str) -> tuple[str, str | None] | None:
        """Asset and channel that a topic speaks of, the latter None where the pattern has none; None: another topic."""
        match = self._regex.fullmatch(topic)
        return None if match is None else (match["asset"], match["channel"] if self.has_channel else None)

    def asset_of(self, topic: str) -> str | None:
        """The asset that a topic speaks of, or None where the topic is not of this pattern."""
        found = self.read(topic)
        return None if found is None else found[0]

    @cached_property
    def has_channel(self) -> bool:
        """Whether there is one topic for each sensor."""
        return CHANNEL in self.pattern.split("/")

    def of(self, asset: str, channel: str = "+") -> str:
        """The topic of one asset, and of one of its channels or with a wildcard of all, where it names one."""
        levels = {ASSET: asset, CHANNEL: channel}
        return "/".join(levels.get(level, level) for level in self.pattern.split("/"))

    def subscriptions(self, assets: Iterable[str]) -> tuple[str, ...]:
        """What to subscribe to for these names: one topic each, or one with a wildcard where one is a pattern.

        Without any name: all assets.
        """
        names = list(assets)
        if not names or any(is_pattern(name) for name in names):
            return (self.of("+"),)
        return tuple(self.of(name) for name in names)

    @property
    def publishable(self) -> bool:
        """Whether one can write to it: it has no wildcards."""
        return not {"+", "#"} & set(self.pattern.split("/"))


def _expression(level: str) -> str:
    """One level as a regular expression."""
    if level in (ASSET, CHANNEL):
        return f"(?P<{level[1:-1]}>[^/]+)"
    return "[^/]*" if level == "+" else re.escape(level)


@dataclass(frozen=True)
class OutputTopics:
    """Where the service of one node writes."""

    prefix: str
    node: str

    @cached_property
    def status(self) -> str:
        """`online` or `offline`, retained."""
        return f"{self.prefix}/{self.node}/status"

    @cached_property
    def stats(self) -> str:
        """Counters of the service."""
        return f"{self.prefix}/{self.node}/stats"

    @cached_property
    def deadletter(self) -> str:
        """What could not be read."""
        return f"{self.prefix}/{self.node}/deadletter"

    def of(self, asset: str, kind: str) -> str:
        """A topic of one asset: `score`, `anomaly`, `event`, `health`, or a setting's `state`."""
        return f"{self.prefix}/{self.node}/{asset}/{kind}"

    @cached_property
    def sets(self) -> str:
        """What to subscribe to for the settings of every asset."""
        return self.of("+", "+/set")

    def setting_of(self, topic: str) -> tuple[str, str] | None:
        """The asset and the setting that a topic such as `{prefix}/{node}/pump-1/threshold/set` speaks of."""
        start, levels = self.of("", "")[:-1], topic.split("/")
        asset, setting = levels[-3:-1] if len(levels) > 3 else ("", "")
        return (asset, setting) if topic == f"{start}{asset}/{setting}/set" and asset else None
