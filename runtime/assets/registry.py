"""Finds the asset of a name, and creates the assets that a pattern of the configuration covers."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.recipes import Recipe
from vcedge.topics import is_pattern, name_problem


class AssetRegistry:
    """Holds all assets of a service."""

    def __init__(self, recipes: dict[str, Recipe], boot: str, max_found: int) -> None:
        """Create the named assets; `max_found` bounds how many assets patterns may add."""
        self._boot, self._recipes, self._max_found = boot, recipes, max_found
        self._patterns = [name for name in recipes if is_pattern(name)]
        self._assets: dict[str, Asset] = {}
        for name in recipes:
            if not is_pattern(name):
                self.renew(name)
        self._named = len(self._assets)

    def __len__(self) -> int:
        return len(self._assets)

    def __iter__(self) -> Iterator[Asset]:
        return iter(list(self._assets.values()))

    @property
    def incomplete_samples(self) -> int:
        """Parts of samples that could not be joined, over all assets."""
        return sum(asset.joiner.dropped for asset in self if asset.joiner is not None)

    def get(self, name: str) -> Asset | None:
        """Return the asset of that name; None if there is none yet."""
        return self._assets.get(name)

    def find(self, name: str) -> Asset | None:
        """Return the asset of that name, created if a pattern covers it; None if it is rejected."""
        asset = self.get(name)
        return asset if asset is not None or self.rejection_reason(name) else self.renew(name)

    def rejection_reason(self, name: str) -> str:
        """Return why there can be no asset of that name; empty if there is one, or can be."""
        if name in self._assets:
            return ""
        if odd := name_problem(name):
            return odd
        if self._key_of(name) is None:
            return "the configuration has no such asset"
        if len(self._assets) - self._named >= self._max_found:
            return f"patterns have already matched {self._max_found} assets, expected at most that many (max_assets)"
        return ""

    def renew(self, name: str) -> Asset:
        """Create an asset, or replace it by a fresh one. Raises KeyError if no key of the configuration covers it."""
        asset = self._assets[name] = Asset(name, self._recipes[self._key_of(name) or name], self._boot)
        return asset

    def _key_of(self, name: str) -> str | None:
        """Return the key of the configuration that covers an asset; a name goes before patterns."""
        if name in self._recipes and not is_pattern(name):
            return name
        return next((pattern for pattern in self._patterns if fnmatchcase(name, pattern)), None)
