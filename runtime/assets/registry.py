"""The assets that a service watches: their models loaded before anything starts, one stream for each of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fnmatch import fnmatchcase

from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.recipes import Recipe
from vcedge.topics import is_pattern, odd_name

log = logging.getLogger("vcedge.assets")


class Assets:
    """Finds the stream of an asset; makes that of a pattern when the asset is first heard of."""

    def __init__(self, recipes: dict[str, Recipe], boot: str, max_found: int) -> None:
        """`max_found`: how many assets patterns may bring."""
        self._boot = boot
        self._recipes = recipes
        self._max_found = max_found
        self._patterns = [name for name in recipes if is_pattern(name)]
        self._watched: dict[str, Watched] = {}
        for name in recipes:
            if not is_pattern(name):
                self.renew(name)
        self._named = len(self._watched)

    def __len__(self) -> int:
        return len(self._watched)

    def __iter__(self) -> Iterator[Watched]:
        return iter(list(self._watched.values()))

    @property
    def incomplete_samples(self) -> int:
        """Parts of samples that could not be joined, over all assets."""
        return sum(watched.joiner.dropped for watched in self if watched.joiner is not None)

    def known(self, name: str) -> Watched | None:
        """The asset of that name, if it was heard of; nothing is made for it."""
        return self._watched.get(name)

    def find(self, name: str) -> Watched | None:
        """The asset of that name, which begins here; None where there cannot be one. Of patterns the first counts."""
        watched = self.known(name)
        return watched if watched is not None or self.why_not(name) else self.renew(name)

    def why_not(self, name: str) -> str:
        """Why there can be no asset of that name; empty: there is one, or can be."""
        if name in self._watched:
            return ""
        if odd := odd_name(name):
            return odd
        if self._key_of(name) is None:
            return "the configuration has no such asset"
        if len(self._watched) - self._named >= self._max_found:
            return f"a new asset, where patterns have brought {self._max_found} (max_assets)"
        return ""

    def renew(self, name: str) -> Watched:
        """Watch an asset from the beginning. Raises KeyError where neither a name nor a pattern covers it."""
        watched = self._watched[name] = Watched(name, self._recipes[self._key_of(name) or name], self._boot)
        return watched

    def _key_of(self, name: str) -> str | None:
        """The key of the configuration that covers an asset."""
        if name in self._recipes and not is_pattern(name):
            return name
        return next((pattern for pattern in self._patterns if fnmatchcase(name, pattern)), None)
