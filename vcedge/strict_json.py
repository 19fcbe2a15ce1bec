"""Parses JSON from untrusted files: an object without repeated keys, NaN or deep nesting."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from vcedge.config.problems import shown
from vcedge.errors import ModelFileError, first_line

MAX_DEPTH = 32


def parse_json(text: str, name: str, what: str) -> dict[str, Any]:
    """Return a JSON object without repeated keys, NaN or deep nesting; messages begin with `name` and `what`.

    Raises ModelFileError.
    """

    def refuse(reason: str) -> NoReturn:
        raise ModelFileError(f"{name}: {what} {reason}")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        twice = first_repeated(key for key, _ in items)
        if twice is not None:
            refuse(f"has the key {shown(twice)} twice")
        return dict(items)

    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_constant=lambda word: refuse(f"holds {word}, expected finite numbers")
        )
    except ValueError as error:  # also for a number with thousands of digits
        raise ModelFileError(f"{name}: {what} is not JSON: {first_line(error)}") from None
    except RecursionError:
        refuse("is nested too deeply")
    if not isinstance(value, dict):
        refuse(f"is {shown(value)}, expected an object")
    if _depth_exceeds(value, MAX_DEPTH):
        refuse(f"is nested more than {MAX_DEPTH} deep")
    return value


def first_repeated(names: Iterable[str]) -> str | None:
    """Return the first name that repeats an earlier one, None if all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _depth_exceeds(value: object, limit: int) -> bool:
    """Return whether containers are nested deeper than `limit`, level by level without recursion."""
    level: list[object] = [value]
    for _ in range(limit + 1):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, list):
                below += item
        if not below:
            return False
        level = below
    return True
