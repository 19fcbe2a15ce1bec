"""Translates ISO 8601 and strptime formats to regular expressions with the groups Y y m d H M S f z."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from vcedge.errors import ConfigError

_ZONE = r"(?P<z>Z|z|UTC|[+-]\d{2}(?::?\d{2})?)"
_ISO = (
    r"(?P<Y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})"
    r"(?:[Tt ]\s*(?P<H>\d{1,2})(?::(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?\s*" + _ZONE + "?)?"
)
_DIRECTIVES = {key: rf"(?P<{key}>\d{{1,2}})" for key in "mdHMS"}
_DIRECTIVES |= {"Y": r"(?P<Y>\d{4})", "y": r"(?P<y>\d{2})", "f": r"(?P<f>\d{1,9})", "z": _ZONE, "%": "%"}


def pattern_of(time_format: str) -> re.Pattern[str] | None:
    """Return a strptime format as a pattern; None if it has names of months, AM/PM or the like.

    Raises ConfigError for a format that strptime does not know.
    """
    _check_format(time_format)
    parts: list[str] = []
    for part in re.findall(r"%.|\s+|[^%\s]+|%", time_format, re.DOTALL):
        if part.startswith("%"):
            if part[1:] not in _DIRECTIVES:
                return None
            parts.append(_DIRECTIVES[part[1:]])
        else:
            parts.append(r"\s+" if part.isspace() else re.escape(part))
    return _compiled("".join(parts))


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\s*{pattern}\s*", re.ASCII)


def _check_format(time_format: str) -> None:
    try:
        datetime.strptime(datetime(2020, 11, 22, 13, 14, 15, tzinfo=timezone.utc).strftime(time_format), time_format)
    except (ValueError, re.error) as error:
        raise ConfigError(
            f'data.time.format: {time_format!r} is not a strptime format such as "%d/%m/%y %H:%M": {error}'
        ) from None


ISO = _compiled(_ISO)
