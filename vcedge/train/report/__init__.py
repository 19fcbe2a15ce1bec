"""The report of a training: one HTML file that needs nothing else, for the person who knows the machine.

Only `write_report` is public. What it needs (matplotlib, jinja2) is imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcedge.files import write_atomic

if TYPE_CHECKING:
    from vcedge.history import DataReport
    from vcedge.train.pipeline import Trained


def write_report(path: Path, trained: Trained, metrics: dict[str, Any], recording_report: DataReport) -> None:
    """Write report.html: text, tables and charts in one file, without links, scripts or a date.

    `metrics` are those of `vcedge.train.summary.summarise`. Wall-clock seconds among them are left out, so that the
    same training gives the same bytes. Raises OSError where the file cannot be written.
    """
    from vcedge.train.report.page import render

    text = render(trained, metrics, recording_report)
    # A lone surrogate, from a file name that is not UTF-8, cannot be written as itself.
    write_atomic(path, text.encode("utf-8", "backslashreplace"))
