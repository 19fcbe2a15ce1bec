"""Loads YAML into strict models: one file, files that are merged into it, and overrides of single keys.

Errors are reported before anything starts, in one or two lines that name the file, the key, the value and what was
expected; see `vcedge.config.problems`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from vcedge.config.problems import Location, dotted, explain, leaf_types, locate, shown, unknown_key
from vcedge.config.yaml_text import parse_value, read_mapping
from vcedge.errors import ConfigError, UsageError

ENVIRONMENT_PREFIX = "VCEDGE__"


class Strict(BaseModel):
    """Holds a section of a configuration file: an unknown key is an error, and values are immutable.

    A field with `exclude=True` is filled in by a loader and is not allowed in a file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_boolean_for_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse `epochs: yes`, which Python would accept as 1."""
        if isinstance(value, bool) and info.field_name is not None:
            types = leaf_types(cls.model_fields[info.field_name].annotation)
            if types & {int, float} and not types & {bool, str, object}:
                raise ValueError("expected a number")
        return value


T = TypeVar("T", bound=Strict)


@dataclass(frozen=True)
class _Override:
    """Holds one key that is set outside the files: by `--set` or by an environment variable."""

    source: str
    location: Location
    text: str


def load_yaml(
    path: Path,
    kind: type[T],
    overrides: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
    fragments: Sequence[Path] = (),
) -> T:
    """Load a file as a `kind`, with `fragments` merged over it in order, then `environment`, then `overrides`.

    Mappings are merged key by key, everything else is replaced.

    Args:
        path: the main file.
        kind: the model of the file.
        overrides: keys as `a.b=value` with the value in YAML; list items as `a.0=value`.
        environment: variables, of which those named `VCEDGE__A__B` count; case, `-` and `_` make no difference.
        fragments: files that are merged over the main one.

    Raises:
        ConfigError: a file or variable is malformed, has an unknown key or an impossible value.
        InputNotFound: a file cannot be read.
        UsageError: an override is not `key=value`.
    """
    layers: list[tuple[Path | str, dict[str, Any]]] = [(file, read_mapping(file)) for file in (path, *fragments)]
    raw: dict[str, Any] = {}
    for _, layer in layers:
        raw = _merged(raw, layer)
    applied = [
        _set_variable(raw, name, text)
        for name, text in sorted((environment or {}).items())
        if name.startswith(ENVIRONMENT_PREFIX)
    ]
    applied += [_set_option(raw, option) for option in overrides]

    def source(location: Location) -> str:
        return _source(location, layers, applied)

    for name, field in kind.model_fields.items():
        if field.exclude and name in raw:
            raise ConfigError(unknown_key(kind, raw, (name,), source((name,))))
    try:
        return _validated(kind, raw, applied)
    except ValidationError as error:
        raise ConfigError(explain(error, kind, raw, source)) from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


def overridden(raw: Mapping[str, Any], name: str, kind: type[T], overrides: Sequence[str]) -> T:
    """Return stored settings as a `kind`, with `overrides` as in `load_yaml`; `name` is their place in messages.

    Raises ConfigError and UsageError as `load_yaml`.
    """
    copied = deepcopy(dict(raw))
    applied = [_set_option(copied, option) for option in overrides]
    try:
        return _validated(kind, copied, applied)
    except ValidationError as error:
        raise ConfigError(explain(error, kind, copied, lambda loc: _source(loc, [(name, {})], applied))) from None


def fragments_beside(path: Path) -> list[Path]:
    """Return the files `conf.d/*.yaml` beside a configuration file, in order of their names."""
    return sorted((path.parent / "conf.d").glob("*.yaml"))


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` updated by `over`: mappings key by key, everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, dict):
            merged[key] = _merged(below if isinstance(below, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _set_option(raw: dict[str, Any], option: str) -> _Override:
    key, equals, text = option.partition("=")
    if not equals or not all(key.split(".")):
        raise UsageError(f"--set {option}: expected key=value, such as model.hidden_size=32")
    source = f"--set {option}"
    value = parse_value(text, source, UsageError)
    return _Override(source, _assign(raw, key.split("."), value, source, str), text)


def _set_variable(raw: dict[str, Any], name: str, text: str) -> _Override:
    source = f"environment variable {name}"
    parts = name.removeprefix(ENVIRONMENT_PREFIX).split("__")
    if not all(parts):
        raise ConfigError(f"{source}: expected a name such as VCEDGE__MQTT__BROKER")
    value = parse_value(text, source, ConfigError)
    return _Override(source, _assign(raw, parts, value, source, _variable_spelling), text)


def _variable_spelling(key: str) -> str:
    return key.lower().replace("-", "_")


def _assign(
    raw: dict[str, Any], parts: Sequence[str], value: object, source: str, spelling: Callable[[str], str]
) -> Location:
    """Set one key in place, with sections made as needed; return its location. `spelling` normalises keys."""
    node: Any = raw
    location: Location = ()
    for depth, part in enumerate(parts):
        key: str | int
        if isinstance(node, list):
            if not part.isdecimal() or int(part) >= len(node):
                known = f"{len(node)} items, expected a number below {len(node)}"
                raise ConfigError(f"{source}: key '{dotted(location)}' is a list of {known}, not '{part}'")
            key = int(part)
        elif isinstance(node, dict):
            same = [known for known in node if isinstance(known, str) and spelling(known) == spelling(part)]
            key = same[0] if same else spelling(part)
        else:
            raise ConfigError(f"{source}: key '{dotted(location)}' is {shown(node)}, which has no keys of its own")
        location += (key,)
        if depth == len(parts) - 1:
            node[key] = value
        elif isinstance(node, dict) and node.get(key) is None:
            node[key] = {}
        node = node[key]
    return location


def _validated(kind: type[T], raw: dict[str, Any], applied: Sequence[_Override]) -> T:
    """Return the checked model. An override such as `node=07` means its text if a text is expected."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        texts = [e["loc"] for e in error.errors() if e["type"] in ("string_type", "path_type")]
        wanted = {locate(raw, loc) for loc in texts}
        again = [override for override in applied if override.location in wanted]
        if not again:
            raise
    for override in again:
        _assign(raw, [str(part) for part in override.location], override.text, override.source, str)
    return kind.model_validate(raw)


def _source(
    location: Location, layers: Sequence[tuple[Path | str, dict[str, Any]]], applied: Sequence[_Override]
) -> str:
    """Return the source of the value at a location: the last override or file that has it, else the main file."""
    for override in reversed(applied):
        if location[: len(override.location)] == override.location:
            return override.source
    for file, layer in reversed(layers):
        if location and locate(layer, location) == location:
            return str(file)
    return str(layers[0][0])
