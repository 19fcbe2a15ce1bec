"""Remembers refused updates, so that each is reported once, even if the broker delivers it again after a restart."""

from __future__ import annotations

import json
from typing import NamedTuple

from vcedge.runtime.storage.model_store import ModelStore

NOTE = "refused"
"""Name of the note beside the models."""
REMEMBERED = 64
"""Refused updates that are recognised when they are delivered again."""


class Refusal(NamedTuple):
    """Says why an update was refused."""

    reason: str
    lasting: bool
    """Whether the reason lies in the update itself, so that a restart cannot change it."""


class Refusals:
    """Remembers the refused updates of one asset, by their digests."""

    def __init__(self, store: ModelStore, context: str) -> None:
        """Read the note. In another `context`, with another key or for other channels, the same update may be good."""
        self._store, self._context = store, context
        self._known = self._read()
        """The oldest refusal comes first."""

    def reason(self, digest: str) -> str | None:
        """Return why an update was refused; None if it was not."""
        known = self._known.get(digest)
        return None if known is None else known.reason

    def add(self, digest: str, reason: str, *, lasting: bool) -> None:
        """Remember a refusal; write a lasting one to the note. Raises OSError if the note cannot be written."""
        self._known[digest] = Refusal(reason, lasting)
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        if lasting:
            reasons = {digest: refusal.reason for digest, refusal in self._known.items() if refusal.lasting}
            self._store.write_note(NOTE, json.dumps({"by": self._context, "updates": reasons}))

    def _read(self) -> dict[str, Refusal]:
        try:
            content = json.loads(self._store.read_note(NOTE) or "{}")
            if content.get("by") != self._context:
                return {}
            return {str(digest): Refusal(str(reason), lasting=True) for digest, reason in content["updates"].items()}
        except (OSError, ValueError, AttributeError, KeyError):
            return {}  # damaged: known refusals are reported once more
