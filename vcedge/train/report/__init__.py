"""Writes the report of a training: one self-contained HTML file for readers who know the machine.

Only `write_report` is public. It imports matplotlib and jinja2 when it is called.
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

    The same training gives the same bytes, because the text holds no measured durations.

    Args:
        path: The file to write.
        trained: The detector and its training.
        metrics: The numbers from `vcedge.train.summary.summarise`.
        recording_report: The report of reading the recording.

    Raises:
        OSError: The file cannot be written.
    """
    from vcedge.train.report.page import render

    text = render(trained, metrics, recording_report)
    # A file name that is not UTF-8 holds lone surrogates, which UTF-8 cannot encode.
    write_atomic(path, text.encode("utf-8", "backslashreplace"))
