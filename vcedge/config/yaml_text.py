"""Parses YAML: one file, or one value from the command line or the environment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from vcedge.config.problems import shown
from vcedge.errors import ConfigError, InputNotFound, VcedgeError, first_line

MAX_BYTES = 1_000_000
NO_YAML = ("%", "@", "`")
"""First characters that YAML forbids in a plain value."""


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the keys of one YAML file, unchecked. Raises InputNotFound or ConfigError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {MAX_BYTES:,} bytes: no configuration")
    parsed = _parse(data, str(path), ConfigError)
    if parsed is None:
        raise ConfigError(f"{path}: is empty, expected keys and values in YAML")
    if not isinstance(parsed, dict):
        raise ConfigError(f"{path}: holds {shown(parsed)}, expected keys and values in YAML")
    return parsed


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses duplicate keys and reads 1e-3 as a number, as YAML 1.2 does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = key.start_mark.line + 1
                if key.value in seen:
                    text = f"key '{key.value}' is given twice, in lines {seen[key.value]} and {line}"
                    raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
                seen[key.value] = line
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_value(text: str, source: str, error_type: type[VcedgeError]) -> Any:
    """Parse one value from outside the files; %H:%M and the like, which YAML forbids without quotes, are texts."""
    return text if text.startswith(NO_YAML) else _parse(text, source, error_type)


def _parse(text: bytes | str, name: str, error_type: type[VcedgeError]) -> Any:
    """Parse one YAML document. Errors are of `error_type`, with the line if it is known."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a subclass of SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" line {error.problem_mark.line + 1}:"
        raise error_type(f"{name}:{line} {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        raise error_type(f"{name}: not YAML: {first_line(error)}") from None
    except RecursionError:
        raise error_type(f"{name}: nested too deeply") from None
