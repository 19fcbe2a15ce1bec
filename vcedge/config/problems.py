"""Explains pydantic's errors to a user in one or two lines: file, key, value, and what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

Location = tuple[str | int, ...]
"""Keys and list positions from the root of a file to a value."""

SHOWN_CHARACTERS = 60
SHOWN_ERRORS = 2
SECRET = ("password", "secret", "token")
_USER_IN_URL = re.compile(r"//[^/\s]*@")
WORDS = {
    "model_type": "expected keys and values",
    "dict_type": "expected keys and values",
    "list_type": "expected a list",
    "string_type": "expected a text (put it in quotes)",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "finite_number": "expected a finite number",
}


def explain(
    error: ValidationError, kind: type[BaseModel], raw: Mapping[str, Any], source: Callable[[Location], str]
) -> str:
    """Return at most two lines about an error; `source` names the file or option that set a location."""
    found: dict[Location, list[str]] = {}
    lines: dict[Location, str] = {}
    for item in error.errors(include_url=False):
        missing = item["type"] == "missing"
        location = locate(raw, item["loc"], absent=missing)
        if item["type"] == "extra_forbidden":
            lines[location] = unknown_key(kind, raw, item["loc"], source(location))
        elif missing:
            lines[location] = f"{source(location[:-1])}: key '{dotted(location)}' is missing"
        else:
            words = found.setdefault(location, [])
            expected = _expected(item["type"], item["msg"])
            if expected not in words:
                words.append(expected)
    deepest = [*found, *lines]
    for location, words in found.items():
        # A value with several allowed types fails once for each: an error inside it is more specific.
        if not any(other[: len(location)] == location and other != location for other in deepest):
            expected = " or ".join([words[0], *(word.removeprefix("expected ") for word in words[1:])])
            lines[location] = f"{source(location)}: {_subject(location, value_at(raw, location))}{expected}"
    shown_lines = list(lines.values())[:SHOWN_ERRORS]
    more = len(lines) - len(shown_lines)
    return "\n".join(shown_lines) + (f" (and {more} more)" if more else "")


def unknown_key(kind: type[BaseModel], raw: Mapping[str, Any], loc: Location, source: str) -> str:
    """Return the line for an unknown key, with the nearest known one."""
    location = locate(raw, loc)
    key, section = str(location[-1]), location[:-1]
    keys = sorted({name for model in _models_at(kind, loc[:-1]) for name in _fields(model)})
    elsewhere = {str(place[-1]): dotted(place) for place in reversed(_all_keys(kind))}
    here = {name: dotted((*section, name)) for name in keys}
    # A key of another section is suggested only if it is very similar, and this section has none like it.
    near = [
        match[0]
        for names, cutoff in ((here, 0.7), (elsewhere, 0.8), (here, 0.5))
        if (match := _nearest(key, names, cutoff))
    ]
    hint = f"did you mean '{near[0]}'?" if near else f"known keys here: {', '.join(keys)}"
    return f"{source}: unknown key '{dotted(location)}'; {hint}"


def one_of(name: str, names: Sequence[str]) -> str:
    """Return a hint for an unknown name: the nearest known one, or all."""
    near = get_close_matches(name, names, 1, 0.5)
    return f"did you mean '{near[0]}'?" if near else f"expected one of: {', '.join(names)}"


def _nearest(key: str, names: Mapping[str, str], cutoff: float) -> list[str]:
    return [names[match] for match in get_close_matches(key, names, 1, cutoff)]


def locate(raw: object, loc: Location, *, absent: bool = False) -> Location:
    """Return the part of a pydantic location that exists in the data: it also names members of unions.

    With `absent` the last part, a missing key, is kept.
    """
    location: Location = ()
    node: Any = raw
    for part in loc[:-1] if absent else loc:
        known = range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else ()
        if part in known:
            node = node[part]
            location += (part,)
    return (*location, loc[-1]) if absent else location


def value_at(raw: Any, location: Location) -> object:
    """Return the value at an existing location."""
    for part in location:
        raw = raw[part]
    return raw


def dotted(location: Location) -> str:
    """Return `("data", "channels", 2, "name")` as `data.channels[2].name`."""
    text = ""
    for part in location:
        name = part if isinstance(part, str) and part.isprintable() and len(part) <= SHOWN_CHARACTERS else shown(part)
        text += f"[{part}]" if isinstance(part, int) else f".{name}" if text else name
    return text


def shown(value: object) -> str:
    """Return a value of a file in a few characters, without a user in a URL."""
    if isinstance(value, dict | list) and len(value) > 3:
        return f"a {'list' if isinstance(value, list) else 'section'} of {len(value)} items"
    text = _USER_IN_URL.sub("//(not shown)@", repr(value))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def leaf_types(annotation: object) -> set[object]:
    """Return all plain types in an annotation: {int, float} for `int | list[float]`; `Any` counts as object."""
    inner = get_args(annotation)
    if inner:
        return set().union(*(leaf_types(part) for part in inner))
    return {object if annotation is Any else annotation}


def _subject(location: Location, value: object) -> str:
    """Return key and value as the subject of a line, without the value of a section or a secret: errors are logged."""
    if not location:
        return ""
    key = f"key '{dotted(location)}'"
    if isinstance(value, dict):
        return f"{key}: "
    secret = any(word in str(location[-1]).lower() for word in SECRET)
    return f"{key} is {'(not shown)' if secret else shown(value)}, "


def _expected(kind: str, message: str) -> str:
    if kind in WORDS:
        return WORDS[kind]
    message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if message.startswith("expected "):
        return message
    return message.replace("Input should be", "expected", 1).replace("should", "must", 1)


def _fields(model: type[BaseModel]) -> list[str]:
    """Return the keys that a file may have; excluded fields are filled in by loaders."""
    return [field.alias or name for name, field in model.model_fields.items() if not field.exclude]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    return [part for part in leaf_types(annotation) if isinstance(part, type) and issubclass(part, BaseModel)]


def _models_at(kind: type[BaseModel], loc: Location) -> list[type[BaseModel]]:
    """Return the models that describe a location; list positions, names in mappings and union members are skipped."""
    models = [kind]
    for part in loc:
        inner = [
            found
            for model in models
            for name, field in model.model_fields.items()
            if part in (name, field.alias)
            for found in _models_in(field.annotation)
        ]
        models = inner or models
    return models


def _all_keys(kind: type[BaseModel], prefix: Location = ()) -> list[Location]:
    """Return the locations of all keys below a model, except those in lists and mappings."""
    keys: list[Location] = []
    for name in _fields(kind):
        keys.append((*prefix, name))
        annotation = kind.model_fields[name].annotation if name in kind.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            keys += _all_keys(annotation, (*prefix, name))
    return keys
