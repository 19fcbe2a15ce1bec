"""The outcome of handling a message, which decides when it is acknowledged."""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """Says what handling a message changed."""

    REFUSED = 0
    """Nothing: it could not be read, or is not accepted."""
    DUPLICATE = 1
    """Nothing: it is a duplicate. Its first delivery may not be in a snapshot yet."""
    USED = 2
    """State that a restart must keep."""
    URGENT = 3
    """State that a person or program relies on from now on: the next snapshot should follow soon."""
