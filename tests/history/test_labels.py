"""Labels files: what is read, what is refused and why, and what is left out of a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import START_NS, recording
from vcedge.calibration.rows import judged_rows, usable_rows
from vcedge.errors import DataError, InputNotFound
from vcedge.history import DataReport, Recording
from vcedge.history.labels import read_label_files, with_labels
from vcedge.labels import COLUMNS, HEADER, JUDGEMENTS, Label
from vcedge.schema import NS_PER_S, schema_of
from vcedge.wording import iso_time

ROWS = 100
texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30).map(str.strip)
times = st.integers(0, 2**61)


@st.composite
def labels(draw: st.DrawFn) -> Label:
    start_ns = draw(times)
    end_ns = draw(st.integers(start_ns, 2**61))
    event = draw(st.sampled_from(["", "anomaly-1", "stuck-2", 'odd, "quoted"']))
    judged = draw(st.sampled_from(JUDGEMENTS))
    return Label(
        draw(st.sampled_from(["", "pump"])), event, draw(texts), start_ns, end_ns, judged, draw(texts), draw(texts),
        draw(st.none() | times),
    )  # fmt: skip


def plain(rows: int = ROWS) -> Recording:
    """Return a recording of one row a second, in two sequences."""
    time_ns = START_NS + np.arange(rows, dtype=np.int64) * NS_PER_S
    schema = schema_of(("A", "B"), 1.0, 10.0)
    half = ((0, rows // 2), (rows // 2, rows))
    return Recording(schema, time_ns, recording(1, rows, 2), half, DataReport(), (("a.csv", "0"),))


def at(row: int) -> str:
    return iso_time(START_NS + row * NS_PER_S)


def labelled(folder: Path, *lines: str, asset: str = "pump", header: str = "start,end,judged") -> Recording:
    (folder / "labels.csv").write_text("\n".join([header, *lines]) + "\n")
    return with_labels(plain(), ["labels.csv"], folder, asset)


@settings(max_examples=60)
@given(st.lists(labels(), max_size=12))
def test_written_labels_are_read_back_and_the_last_of_an_event_counts(
    tmp_path_factory: pytest.TempPathFactory, written: list[Label]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    path.write_text(
        "".join(f"{line}\n" for line in [HEADER, *(label.line() for label in written)]), "utf-8", newline=""
    )
    found = read_label_files([path])
    last = {(label.asset, label.event): label for label in written if label.event}
    assert sorted(map(repr, found)) == sorted(map(repr, [*last.values(), *(one for one in written if not one.event)]))


@settings(max_examples=150)
@given(st.text(max_size=200) | st.text('",;\n\rstartendjudged,fault2026-11-27T00:00:00Z\x00\u2028', max_size=200))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    for content in (text, f"start,end,judged\n{text}"):
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
        reason = f"{path}: "
        try:
            read_label_files([path])
        except DataError as error:
            reason = str(error)
        assert reason.startswith(f"{path}: ")
        assert "\n" not in reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty, expected the columns start, end, judged"),
        ("start,end\n", "line 1: has no column 'judged'"),
        ("start,end,judgd\n", "line 1: unknown column 'judgd'; did you mean 'judged'?"),
        ("start,end,judged,end\n", "line 1: has the column 'end' twice"),
        ("start,end,judged\n2026-01-01,2026-01-02\n", "line 2: has 2 cells, expected 3"),
        (
            "start,end,judged\n\n2026-01-01,soon,fault\n",
            "line 3: end is 'soon', expected an ISO 8601 time such as 2026",
        ),
        ("start,end,judged\n2026-01-02,2026-01-01,fault\n", "line 2: end 2026-01-01 is before start 2026-01-02"),
        (
            "start,end,judged\n2026-01-01,2026-01-02,bad\n",
            "line 2: judged is 'bad', expected one of false_alarm, fault",
        ),
        ("start,end,judged,at\n2026-01-01,2026-01-02,fault,x\n", "line 2: at is 'x', expected an ISO 8601 time"),
        ('start,end,judged\n"2026', "line 2: is not CSV"),
        (b"start,end,judged\n\n\xff", "line 3: is not UTF-8"),
    ],
)
def test_a_malformed_file_is_refused(content: str | bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_label_files([path])
    assert str(caught.value).startswith(f"{path}: {reason}")


@pytest.mark.parametrize(
    "text",
    ["start;end;judged\r\n2026-01-01;2026-01-02;fault\r\n", "\ufeffEnd, Judged ,Start\n2026-01-02,fault,2026-01-01"],
)
def test_a_file_of_a_spreadsheet_is_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode())
    (label,) = read_label_files([path])
    assert (iso_time(label.start_ns, 0), iso_time(label.end_ns, 0)) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    assert (label.judged, label.asset, label.event, label.at_ns) == ("fault", "", "", None)


def test_faults_and_maintenance_cut_the_sequences(tmp_path: Path) -> None:
    found = labelled(
        tmp_path, f"{at(10)},{at(14)},fault", f"{at(45)},{at(54)},maintenance", f"{at(60)},{at(61)},unsure"
    )
    assert found.sequences == ((0, 10), (15, 45), (55, 100))
    assert found.must_not_alarm == ()
    assert found.report.labelled_rows == 15
    assert found.files[-1][0] == "labels.csv"
    assert len(found.values) == ROWS


def test_false_alarms_stay_unless_they_are_faults_too(tmp_path: Path) -> None:
    found = labelled(
        tmp_path, f"{at(20)},{at(29)},false_alarm", f"{at(25)},{at(26)},fault", f"{at(70)},{at(70)},false_alarm"
    )
    assert found.sequences == ((0, 25), (27, 50), (50, 100))
    assert found.must_not_alarm == ((20, 25), (27, 30), (70, 71))
    assert found.report.false_alarm_rows == 9


def test_labels_of_another_asset_count_for_that_alone(tmp_path: Path) -> None:
    lines = f"other,{at(10)},{at(14)},fault", f",{at(20)},{at(24)},fault", f"pump,{at(30)},{at(34)},fault"
    found = labelled(tmp_path, *lines, header="asset,start,end,judged")
    assert found.sequences == ((0, 20), (25, 30), (35, 50), (50, 100))


def test_the_last_judgement_of_an_event_counts(tmp_path: Path) -> None:
    lines = f"anomaly-1,{at(10)},{at(14)},fault", f"anomaly-1,{at(10)},{at(19)},false_alarm"
    found = labelled(tmp_path, *lines, header="event,start,end,judged")
    assert found.sequences == plain().sequences
    assert found.must_not_alarm == ((10, 20),)


def test_labels_that_meet_no_row_are_one_warning(tmp_path: Path) -> None:
    found = labelled(tmp_path, f"{at(-20)},{at(-10)},fault", f"{at(500)},{at(501)},fault", f"{at(1)},{at(2)},unsure")
    assert found.report.warnings == [
        "labels: 2 of 3 labels cover no row of the recording: fault without an event, fault without an event"
    ]
    others = labelled(tmp_path, f"other,{at(1)},{at(2)},fault", header="asset,start,end,judged")
    assert others.report.warnings == ["labels: none of 1 label is about pump, but about other"]


def test_labels_that_leave_no_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cover every row of the recording"):
        labelled(tmp_path, f"{at(-1)},{at(ROWS)},fault")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="missing"):
        with_labels(plain(), ["missing.csv"], tmp_path, "pump")


def test_false_alarms_are_found_among_the_usable_rows(tmp_path: Path) -> None:
    found = labelled(
        tmp_path, f"{at(20)},{at(29)},false_alarm", f"{at(10)},{at(14)},fault", f"{at(80)},{at(81)},false_alarm"
    )
    values = found.values.copy()
    values[22:24] = values[80:82] = np.nan  # rows without any value are not usable
    found = replace(found, values=values)
    usable, _, places = usable_rows(found)
    ranges = judged_rows(found, places)
    assert [places[a:b].tolist() for a, b in ranges] == [[20, 21, *range(24, 30)]]
    assert len(usable) == ROWS - 5 - 4


def test_columns_of_the_header_are_those_of_a_line() -> None:
    assert HEADER.split(",") == list(COLUMNS)
    assert Label("", "", "", 0, 1, "fault").line().count(",") == len(COLUMNS) - 1
