"""Results of a training, made without training, and their report."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.detectors import recording, tiny_detector
from vcedge.calibration.seen_range import fit_seen_range
from vcedge.calibration.split import split_by_time
from vcedge.calibration.trace import Trace, run_engine
from vcedge.detector import Detector
from vcedge.history import DataReport
from vcedge.runtime.engine.registry import load_engine
from vcedge.train.pipeline import Trained
from vcedge.train.report import write_report
from vcedge.train.report.summary_text import summary
from vcedge.train.summary import summarise
from vcedge.train.training import Epoch, TrainingResult

ROWS = 900


def trained_of(detector: Detector, rows: int = ROWS, epochs: int = 20) -> Trained:
    """Return the results of a training, with invented numbers of its epochs."""
    values = recording(3, ROWS, detector.channels, missing=0.01)
    trace = run_engine(load_engine(detector), values, ((0, ROWS),))
    repeats = rows // ROWS
    long = {name: np.concatenate([array] * repeats) for name, array in vars(trace).items() if name != "rows"}
    lines = [Epoch(e, 0.8 - 0.01 * e, 0.9 - 0.005 * e, 0.7 - 0.025 * e, 0.1, e >= 14, 0.5) for e in range(epochs)]
    return Trained(
        detector=detector,
        values=np.tile(values, (repeats, 1)),
        split=split_by_time(((0, rows),), 2),
        result=TrainingResult(best=epochs - 1, epochs=lines, alone=(0.79, 0.88)),
        device_trace=Trace(rows=np.arange(rows), **long),
        seen=fit_seen_range(values, ((0, ROWS),)),
        false_alarms_per_day=detector.calibration.false_alarms_per_day,
    )


def with_shrink(detector: Detector, shrink: list[float]) -> Detector:
    assert detector.head is not None
    return replace(detector, head=replace(detector.head, shrink=np.array(shrink, np.float32)))


def report_of(trained: Trained, folder: Path, lines: DataReport | None = None, **changes: Any) -> str:
    data = lines or DataReport(has_time=False, rows=ROWS, used=ROWS, period_s=1.0)
    metrics = {**summarise(trained, data, 12.5), **changes}
    write_report(folder / "report.html", trained, metrics, data)
    return (folder / "report.html").read_text(encoding="utf-8")


def words_of(trained: Trained, **changes: Any) -> str:
    metrics = summarise(trained, DataReport(has_time=False, rows=ROWS, used=ROWS, period_s=1.0), 12.5)
    return " ".join(paragraph.text for paragraph in summary(trained, {**metrics, **changes}))


def usual_training() -> Trained:
    """Return the results that most tests use: a network that helps on two of three channels."""
    provenance = {"config": {"model": {"target": 0.25}}, "versions": {"vcedge": "0.1"}, "seed": 7}
    return trained_of(replace(with_shrink(tiny_detector(), [0.5, 0.0, 0.7]), provenance=provenance))


class Structure(HTMLParser):
    """Collects open elements, ids and references of a page."""

    VOID = frozenset({"meta", "path", "use"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id" and value:
                self.ids.append(value)
            elif key in {"aria-labelledby", "href", "xlink:href", "src"} and value:
                self.references += [word.lstrip("#") for word in value.split()]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def structure_of(page: str) -> Structure:
    structure = Structure()
    structure.feed(page)
    structure.close()
    return structure
