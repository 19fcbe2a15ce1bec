"""Defines judgements of events, and the lines of labels.csv that hold them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Literal, get_args

from vcedge.wording import iso_time

Judged = Literal["false_alarm", "fault", "maintenance", "unsure"]
JUDGEMENTS: tuple[Judged, ...] = get_args(Judged)
COLUMNS = ("asset", "event", "kind", "start", "end", "judged", "by", "note", "at")
"""The columns that the service writes; a file by hand needs `start`, `end` and `judged` alone."""
HEADER = ",".join(COLUMNS)


@dataclass(frozen=True)
class Label:
    """Holds what a person says about a stretch of time. Times are nanoseconds since 1970; both ends belong to it."""

    asset: str
    """Empty: it is about every asset."""
    event: str
    """Empty: no event of the service."""
    kind: str
    start_ns: int
    end_ns: int
    judged: Judged
    by: str = ""
    note: str = ""
    at_ns: int | None = None
    """Time of the judgement."""

    def line(self) -> str:
        """Return the label as one line of labels.csv, without a line feed."""
        times = iso_time(self.start_ns), iso_time(self.end_ns)
        at = "" if self.at_ns is None else iso_time(self.at_ns)
        text = io.StringIO()
        cells = (self.asset, self.event, self.kind, *times, self.judged, self.by, self.note, at)
        csv.writer(text, lineterminator="").writerow(cells)
        return text.getvalue()
