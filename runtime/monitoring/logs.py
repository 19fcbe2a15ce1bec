"""The service's log: lines for people or JSON for programs, with a rate limit for similar lines.

A line about a message carries its `id` (`Incoming.id`), which its dead letter has too; one about an event carries the
event's id; both name the asset. `logger.warning("...", extra=about(...))` adds them.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from vcedge.config.operating import LogConfig
from vcedge.wording import iso_time

CONTEXT = ("id", "asset", "event")
"""Keys that tie lines, messages, dead letters and events together."""
BURST = 5
"""Lines of a kind that are logged within WINDOW_S."""
WINDOW_S = 60.0
MAX_KINDS = 1000
"""Kinds that are remembered at once."""


def about(**context: str) -> dict[str, dict[str, str]]:
    """Return the `extra` of a log call: the subject of the line, by the names in CONTEXT."""
    return {"about": context}


def configure_service_log(config: LogConfig, *, verbose: bool = False) -> None:
    """Set up logging of all modules to stderr; `verbose` lowers the level to debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if config.format == "json" else TextFormatter())
    handler.addFilter(RepeatFilter())
    level = logging.DEBUG if verbose else logging.getLevelName(config.level.upper())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class RepeatFilter(logging.Filter):
    """Passes BURST lines of a kind within WINDOW_S; the first line after that says how many were left out.

    A kind is a message before its arguments are filled in, for one asset, so that a flood of one asset hides nothing
    of another. All debug lines pass.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._kinds: dict[tuple[object, ...], tuple[float, int]] = {}
        """Start of the window and number of lines, by kind."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log the line, and set `record.left_out` to the number of lines before it that were not."""
        if record.levelno < logging.INFO:
            return True
        kind = (record.name, record.levelno, record.msg, _about(record).get("asset"))
        now_s = self._clock_s()
        began_s, lines = self._kinds.pop(kind, (now_s, 0))
        if now_s - began_s >= WINDOW_S:
            record.left_out = max(lines - BURST, 0)
            began_s, lines = now_s, 0
        self._kinds[kind] = (began_s, lines + 1)
        if len(self._kinds) > MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return lines < BURST


class TextFormatter(logging.Formatter):
    """Formats `vcedge: INFO: ...`, for a terminal and for journald, which adds the time."""

    def __init__(self) -> None:
        super().__init__("vcedge: %(levelname)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (an override of logging)
        """Return one line. Control characters are escaped: names in it come from received messages."""
        words = [f"{name} {value}" for name, value in _about(record).items() if name != "asset"]
        if _left_out(record):
            words.append(f"{_left_out(record)} more like it left out")
        line = super().formatMessage(record) + (f" ({', '.join(words)})" if words else "")
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


class JsonFormatter(logging.Formatter):
    """Formats one JSON object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and the keys of CONTEXT."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "time": iso_time(int(record.created * 1e3) * 1_000_000, digits=3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about(record),
        }
        if _left_out(record):
            line["left_out"] = _left_out(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def _about(record: logging.LogRecord) -> dict[str, str]:
    found: dict[str, str] = getattr(record, "about", {})
    return {name: found[name] for name in CONTEXT if name in found}


def _left_out(record: logging.LogRecord) -> int:
    return int(getattr(record, "left_out", 0))
