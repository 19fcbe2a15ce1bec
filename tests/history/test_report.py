"""The report on a history, as text and as JSON."""

from __future__ import annotations

import json

import numpy as np

from vcedge.history import DataReport
from vcedge.history.report import ChannelReport, FileReport


def full_report() -> DataReport:
    names = [f"tag{i}" for i in range(30)]
    report = DataReport(
        files=[FileReport("a.csv", 1000, 0, 10**12, unsorted=3)],
        arranged=True,
        rows=1000,
        used=900,
        unreadable_times=50,
        duplicate_times=50,
        short_rows=1,
        long_rows=2,
        channels={name: ChannelReport() for name in names},
        left_out={"x": "constant", "y": "constant", "z": "not numbers"},
        period_s=1.0,
        irregular=0.2,
        gaps=4,
        max_gap_s=10.0,
        longest_gap_s=99.0,
        sequences=5,
        warnings=[f"warning {i}" for i in range(40)],
    )
    report.observe(names, np.where(np.arange(30) % 2, np.nan, np.arange(900.0)[:, None]))
    for i, name in enumerate(names):
        for _ in range(i):
            report.channels[name].add_text("Bad")
        report.channels[name].beyond_limits = i
    return report


def test_text_has_at_most_fifteen_lines() -> None:
    lines = full_report().lines()
    assert len(lines) == 15
    assert lines[0] == "1 file, 1,000 rows, 30 channels, 1970-01-01 00:00:00 to 1970-01-01 00:16:40 UTC"
    assert "3 rows not in order of time: sorted" in lines
    assert "1 row with too few cells: the rest counts as missing" in lines
    assert "cells that are not numbers: tag29 29 ('Bad'), tag28 28 ('Bad'), tag27 27 ('Bad') and 26 more" in lines
    assert "missing: tag1 100%, tag3 100%, tag5 100%, tag7 100% and 11 more" in lines
    assert "left out, constant: x, y" in lines
    assert lines[-1].startswith("and ")
    assert lines[-1].endswith(" more warnings")
    assert max(map(len, lines)) < 120


def test_json_is_complete_and_valid() -> None:
    plain = json.loads(json.dumps(full_report().to_json(), allow_nan=False))
    assert plain["unsorted_rows"] == 3
    assert plain["channels"]["tag1"]["low"] is None
    assert plain["channels"]["tag2"]["high"] == 899.0
    assert plain["left_out"] == {"x": "constant", "y": "constant", "z": "not numbers"}
    assert len(plain["warnings"]) == 40


def test_texts_are_counted_in_bounded_memory() -> None:
    channel = ChannelReport()
    for i in range(10_000):
        channel.add_text("x" * 1000 + str(i) if i % 2 else f"text {i}")
    assert len(channel.texts) <= 51
    assert channel.texts.total() == 10_000
    assert max(map(len, channel.texts)) == 40
