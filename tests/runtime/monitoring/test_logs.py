"""The service's log: valid JSON, lines that cannot be forged, and a rate limit."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcedge.config.operating import LogConfig
from vcedge.runtime.monitoring.logs import (
    BURST,
    WINDOW_S,
    JsonFormatter,
    RepeatFilter,
    TextFormatter,
    about,
    configure_service_log,
)

log = logging.getLogger("vcedge.test")


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("_restored")
def test_json_lines_have_their_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure_service_log(LogConfig(format="json", level="warning"))
    log.info("not logged")
    log.warning("event of %s\nx", "pump", extra=about(id="0123", asset="pump", event="anomaly-1"))
    try:
        raise ValueError("broken")
    except ValueError:
        log.exception("a bug")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "vcedge.test",
        "message": "event of pump\nx",
        "id": "0123",
        "asset": "pump",
        "event": "anomaly-1",
    }
    assert "ValueError: broken" in second["exception"]


def record(message: str, *values: object, level: int = logging.INFO, **context: str) -> logging.LogRecord:
    made = logging.LogRecord("vcedge.test", level, "file", 1, message, values, None)
    made.about = context
    return made


@settings(max_examples=50)
@given(st.text(max_size=30), st.dictionaries(st.sampled_from(["id", "asset", "event", "other"]), st.text(max_size=9)))
def test_record_is_one_line_for_any_name(name: str, context: dict[str, str]) -> None:
    text = TextFormatter().format(record("%s", name, **context))
    assert text.isprintable()
    assert text.startswith("vcedge: INFO: ")
    assert json.loads(JsonFormatter().format(record("%s", name, **context)))["message"] == name


def test_text_lines_name_the_ids() -> None:
    assert TextFormatter().format(record("x", id="12", asset="a", event="e")) == "vcedge: INFO: x (id 12, event e)"


def test_flood_is_limited_and_counted_per_asset() -> None:
    now = [0.0]
    only = RepeatFilter(lambda: now[0])
    flood = [only.filter(record("dead letter %d", n, asset="a")) for n in range(100)]
    assert flood == [True] * BURST + [False] * (100 - BURST)
    assert only.filter(record("dead letter %d", 1, asset="b"))
    assert only.filter(record("something else", asset="a"))
    assert all(only.filter(record("detail", level=logging.DEBUG)) for _ in range(50))
    now[0] = WINDOW_S
    again = record("dead letter %d", 100, asset="a")
    assert only.filter(again)
    assert TextFormatter().format(again) == f"vcedge: INFO: dead letter 100 ({100 - BURST} more like it left out)"
    assert json.loads(JsonFormatter().format(again))["left_out"] == 100 - BURST


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 50)), max_size=60))
def test_every_line_is_logged_or_counted(lines: list[tuple[int, float]]) -> None:
    now, logged, left_out = [0.0], 0, 0
    only = RepeatFilter(lambda: now[0])
    for _, pause_s in lines:
        now[0] += pause_s
        line = record("x")
        if only.filter(line):
            logged += 1
            left_out += getattr(line, "left_out", 0)
    now[0] += WINDOW_S
    last = record("x")
    assert only.filter(last)
    assert logged + left_out + getattr(last, "left_out", 0) == len(lines)
