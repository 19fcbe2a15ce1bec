"""Reads labels.csv, and leaves out of a recording what people judged as a fault or as maintenance."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcedge.config.problems import shown
from vcedge.errors import DataError, InputNotFound
from vcedge.history.files import find_files, fingerprint
from vcedge.history.recording import NO_TIME, Recording
from vcedge.history.times import TextTimes
from vcedge.labels import COLUMNS, HEADER, JUDGEMENTS, Label
from vcedge.wording import count, listed

REQUIRED = ("start", "end", "judged")
LEFT_OUT = ("fault", "maintenance")
EXAMPLE = "2026-11-27T14:05:00Z"
_ISO = TextTimes(None)
Mask = NDArray[np.bool_]
Ranges = tuple[tuple[int, int], ...]


def read_label_files(paths: Sequence[Path]) -> list[Label]:
    """Return the labels of some files. The last line about an event counts; lines without an event all count.

    Raises:
        InputNotFound: a file cannot be read.
        DataError: a line is malformed; the message names file, line, value and expectation.
    """
    labels: dict[object, Label] = {}
    for path in paths:
        for place, label in _read(path):
            key = (label.asset, label.event) if label.event else place
            labels.pop(key, None)
            labels[key] = label
    return list(labels.values())


def with_labels(recording: Recording, patterns: Sequence[str], base_dir: Path, asset: str) -> Recording:
    """Return the recording without the faults and maintenance of labels files, for an asset.

    A sequence is cut where rows are left out. Rows of false alarms stay, and `must_not_alarm` names them. A label
    without an asset counts for every asset.

    Args:
        recording: Rows in order of time.
        patterns: File names or globs, relative to `base_dir`.
        base_dir: Folder of the configuration.
        asset: The asset whose recording it is.

    Raises:
        InputNotFound, DataError: as `read_label_files`; or no row is left.
    """
    paths = find_files(patterns, base_dir)
    labels = read_label_files(paths)
    own = [label for label in labels if label.asset in ("", asset)]
    rows = [_rows_of(label, recording) for label in own]
    left_out = _mask(recording, own, rows, LEFT_OUT)
    false_alarm = _mask(recording, own, rows, ("false_alarm",)) & ~left_out
    report = replace(recording.report, warnings=[*recording.report.warnings, *_warnings(labels, own, rows, asset)])
    sequences = tuple(
        (a + start, b + start) for start, stop in recording.sequences for a, b in _runs(~left_out[start:stop])
    )
    if not sequences:
        raise DataError(
            f"{paths[0]}: its faults and maintenance cover every row of the recording, expected normal rows"
        )
    report.labelled_rows, report.false_alarm_rows = int(left_out.sum()), int(false_alarm.sum())
    report.sequences = len(sequences)
    files = tuple((path.name, fingerprint(path)) for path in paths)
    return replace(
        recording,
        sequences=sequences,
        report=report,
        files=recording.files + files,
        must_not_alarm=_runs(false_alarm),
    )


def _rows_of(label: Label, recording: Recording) -> tuple[int, int]:
    """Return the rows [start, stop) within a label; both of its ends belong to it."""
    start = np.searchsorted(recording.time_ns, label.start_ns, "left")
    return int(start), int(np.searchsorted(recording.time_ns, label.end_ns, "right"))


def _mask(
    recording: Recording, labels: Sequence[Label], rows: Sequence[tuple[int, int]], judged: Sequence[str]
) -> Mask:
    """Return which rows (N,) are within a label of these judgements."""
    mask = np.zeros(len(recording.time_ns), np.bool_)
    for label, (start, stop) in zip(labels, rows, strict=True):
        if label.judged in judged:
            mask[start:stop] = True
    return mask


def _runs(mask: Mask) -> Ranges:
    """Return the ranges [start, stop) of true rows (N,)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return tuple(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _warnings(
    labels: Sequence[Label], own: Sequence[Label], rows: Sequence[tuple[int, int]], asset: str
) -> Iterator[str]:
    """Yield a line if labels meet no row of the recording."""
    missed = [label for label, (start, stop) in zip(own, rows, strict=True) if start == stop]
    if labels and not own:
        others = listed(sorted({label.asset for label in labels}), 3)
        yield f"labels: none of {count(len(labels), 'label')} is about {asset}, but about {others}"
    elif missed:
        names = [label.event or f"{label.judged} without an event" for label in missed]
        yield f"labels: {len(missed)} of {count(len(own), 'label')} cover no row of the recording: {listed(names, 3)}"


def _read(path: Path) -> Iterator[tuple[tuple[Path, int], Label]]:
    """Yield the labels of one file, each with its place."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: line {line}: is not UTF-8, expected a labels file, {_expected()}") from None
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror or error}") from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    columns: list[str] | None = None
    try:
        for cells in reader:
            place = path, reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(cells, place)
            else:
                yield place, _label(columns, cells, place)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: is not CSV: {error}") from None
    if columns is None:
        raise DataError(f"{path}: is empty, expected {_expected()}")


def _columns(cells: Sequence[str], place: tuple[Path, int]) -> list[str]:
    """Return the names of the columns. Raises DataError for an unknown, repeated or missing one."""
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join(COLUMNS)}"
            raise _wrong(place, f"unknown column {shown(name)}; {hint}")
        if names.count(name) > 1:
            raise _wrong(place, f"has the column {name!r} twice")
    for name in REQUIRED:
        if name not in names:
            raise _wrong(place, f"has no column {name!r}, expected {_expected()}")
    return names


def _label(columns: Sequence[str], cells: Sequence[str], place: tuple[Path, int]) -> Label:
    """Return the label of a line. Raises DataError."""
    if len(cells) != len(columns):
        raise _wrong(place, f"has {count(len(cells), 'cell')}, expected {len(columns)}")
    values = dict.fromkeys(COLUMNS, "") | {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    judged = next((each for each in JUDGEMENTS if each == values["judged"]), None)
    if judged is None:
        raise _wrong(place, f"judged is {shown(values['judged'])}, expected one of {', '.join(JUDGEMENTS)}")
    start_ns, end_ns = (_time(key, values[key], place) for key in ("start", "end"))
    if end_ns < start_ns:
        raise _wrong(place, f"end {values['end']} is before start {values['start']}")
    at_ns = _time("at", values["at"], place) if values["at"] else None
    texts = {key: values[key] for key in ("asset", "event", "kind", "by", "note")}
    return Label(**texts, start_ns=start_ns, end_ns=end_ns, judged=judged, at_ns=at_ns)


def _time(name: str, text: str, place: tuple[Path, int]) -> int:
    time_ns = _ISO.read_one(text)
    if time_ns == NO_TIME:
        raise _wrong(place, f"{name} is {shown(text)}, expected an ISO 8601 time such as {EXAMPLE}")
    return time_ns


def _wrong(place: tuple[Path, int], reason: str) -> DataError:
    return DataError(f"{place[0]}: line {place[1]}: {reason}")


def _expected() -> str:
    return f"the columns {', '.join(REQUIRED)}, and perhaps others of {HEADER}"
