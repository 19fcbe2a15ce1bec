"""`vcedge compare`: equal rows, calibration and alarm logic for all methods, with and without labels, and the page."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tests.support.detectors import tiny_detector
from vcedge.cli.main import run
from vcedge.config.train import DataConfig, load_train_config
from vcedge.errors import DataError
from vcedge.evaluation.bars import parse_bars
from vcedge.history import Recording, load_history
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import NS_PER_S, Sample
from vcedge.train.compare.cases import Case, prepare, with_faults
from vcedge.train.compare.comparison import Comparison, compare, decide
from vcedge.train.compare.cost import energy_of_ticks, time_ticks
from vcedge.train.compare.fitting import equal_macs_size
from vcedge.train.compare.methods import MAIN, OFF, NetworkMethod
from vcedge.train.compare.summary import NUMBERS, PAGE, write_comparison

pytestmark = pytest.mark.slow

ROWS, FAULTY = 1600, slice(1400, 1460)
SMALL = ["train.epochs=1", "model.hidden_size=8", "score.false_alarms_per_day=50"]


def write_machine(path: Path, seed: int = 0, *, faulty: bool = False, words: tuple[str, str] = ("0", "1")) -> Path:
    """Write three related channels, one row a second, with a fault in FAULTY if wanted."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(ROWS) / 20)[:, None] * [1.0, 0.5, -1.0]
    values = 10 + wave + 0.05 * rng.standard_normal((ROWS, 3))
    if faulty:
        values[FAULTY, 1] += 3
    wrong = np.zeros(ROWS, bool)
    wrong[FAULTY] = faulty
    start = np.datetime64("2026-01-01T00:00:00", "s")
    lines = ["time,Alpha,Beta,Gamma,state"]
    lines += [
        f"{start + t}Z,{','.join(map(repr, row))},{words[int(wrong[t])]}" for t, row in enumerate(values.tolist())
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_config(folder: Path, **data: object) -> Path:
    path = folder / "train.yaml"
    path.write_text(json.dumps({"asset": "pump", "data": data}))
    return path


def compared(config: Path) -> Comparison:
    settings = load_train_config(config, SMALL)
    recording = load_history(settings.data, settings.base_dir)
    return compare(settings, prepare(settings.data, settings.base_dir, recording))


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("labelled")
    write_machine(folder / "healthy.csv")
    write_machine(folder / "faulty.csv", 1, faulty=True, words=("Normal", "Attack"))
    return compared(write_config(folder, train=["healthy.csv"], test=["faulty.csv"], label="state"))


@pytest.fixture(scope="module")
def injected(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("injected")
    write_machine(folder / "healthy.csv")
    return compared(write_config(folder, train=["healthy.csv"], exclude=["state"]))


class Page(HTMLParser):
    """Collects tags and text of a page; asserts that every opened element is closed."""

    VOID = ("meta", "br", "path", "use", "rect", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def page_of(comparison: Comparison, folder: Path) -> tuple[str, Page]:
    write_comparison(folder, comparison, parse_bars(["vus_pr=0.1"]))
    text = (folder / PAGE).read_text()
    return text, Page(text)


def test_every_method_is_measured_and_an_obvious_fault_is_found(labelled: Comparison) -> None:
    names = [one.method.name for one in labelled.results]
    assert names[:3] == [MAIN, OFF, "GRU, same size"]
    for part in ("same cost", "RNN", "persistence", "max |z|", "ridge-VAR", "PCA", "window-PCA", "forest", "random"):
        assert any(part in name for name in names), part
    assert labelled.main.mean["vus_pr"] > 0.8
    assert labelled.main.mean["event_recall"] == 1
    assert labelled.main.mean["vus_pr"] > labelled.of("random").mean["vus_pr"] + 0.3
    assert labelled.of("all ones").mean["far"] > 0.9
    (found,) = labelled.outcomes
    assert found.rows == (FAULTY.start, FAULTY.stop)
    assert found.top[0][0] == "Beta"
    assert found.real


def test_rows_thresholds_and_rule_are_the_same_for_all(labelled: Comparison) -> None:
    rows = {len(decisions.raw) for one in labelled.results for decisions in one.decisions}
    assert rows == {ROWS}
    settled = [one.decisions[0].eligible for one in labelled.results]
    assert all((one == settled[0]).all() for one in settled)
    assert {one.method.rule.min_rows for one in labelled.results} == {2}
    off = labelled.of(OFF).method
    assert isinstance(off, NetworkMethod)
    assert off.threshold != labelled.main.method.threshold or off.detector.cell is None


def test_scores_equal_those_of_the_stream(labelled: Comparison) -> None:
    main = labelled.main.method
    assert isinstance(main, NetworkMethod)
    case = labelled.cases[0]
    stream = Stream(load_engine(main.detector))
    scores = [stream.push(Sample(t, row)) for t, row in zip(case.time_ns.tolist(), case.values, strict=True)]
    assert [score.raw for score in scores] == labelled.main.scores[0].raw.tolist()
    share = [score.updated / score.hidden for score in scores]
    assert share == labelled.main.scores[0].share.tolist()
    decisions = labelled.main.decisions[0]
    alarms = [score.alarm and eligible for score, eligible in zip(scores, decisions.eligible.tolist(), strict=True)]
    assert alarms == decisions.alarm.tolist()
    assert len(decisions.alarms) == sum(
        event.type == "new" and event.kind == "anomaly" for score in scores for event in score.events
    )


def test_without_labels_faults_are_injected(injected: Comparison) -> None:
    assert not injected.labelled
    clean, *copies = injected.cases
    assert not clean.labels.any()
    assert copies
    assert all(copy.faults and copy.labels.any() for copy in copies)
    marked = sum(fault.length for copy in copies for fault in copy.faults)
    assert sum(int(copy.labels.sum()) for copy in copies) == marked
    assert injected.main.mean["vus_pr"] > injected.of("random").mean["vus_pr"]
    assert injected.main.mean["normal_days"] * 86_400 <= len(clean.values)
    assert {found.truth.partition(" of ")[0] for found in injected.outcomes if found.real} >= {"offset", "drift"}


@pytest.mark.parametrize("which", ["labelled", "injected"])
def test_page_is_self_contained(which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    comparison: Comparison = request.getfixturevalue(which)
    text, page = page_of(comparison, tmp_path)
    assert page.open == []
    assert all(link.startswith("#") for link in page.links)
    assert "<script" not in text
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    words = " ".join(" ".join(page.words).split())
    for name in (one.method.name for one in comparison.results):
        assert name in words
    assert "nan" not in re.findall(r"[a-z]+", words.lower())
    closer = len(re.findall("a closer look", words))
    assert closer == (which == "labelled")
    assert text.count("<svg") == 2 * min(len(comparison.cases), 3) + closer + 1


def test_json_holds_the_numbers_of_the_page(labelled: Comparison, tmp_path: Path) -> None:
    _, page = page_of(labelled, tmp_path)
    numbers = json.loads((tmp_path / NUMBERS).read_text())
    assert numbers["truth"] == "labels"
    assert numbers["verdict"]["answer"] == "not yet"  # one event can be found or missed by chance
    assert "1 event" in numbers["verdict"]["reasons"][0]
    assert "Is VCGRU worth it here? Not yet." in page.words
    assert set(numbers["verdict"]["reasons"]) <= set(page.words)
    assert [method["name"] for method in numbers["methods"]] == [one.method.name for one in labelled.results]
    first = numbers["methods"][0]
    assert f"{first['mean']['vus_pr']:.3f}" in page.words
    assert first["us"] > 0
    assert first["bytes"] > 1000
    assert set(numbers["updated_by_regime"][MAIN]) == {"quiet", "middle", "lively"}
    assert numbers["bars"] == [{"measure": "vus_pr", "expected": 0.1, "met": True}]


def test_text_from_files_is_escaped(labelled: Comparison, tmp_path: Path) -> None:
    evil = replace(labelled.cases[0], name="<b>&.csv")
    text, _ = page_of(replace(labelled, cases=(evil,)), tmp_path)
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;.csv" in text


def test_command_exits_with_1_below_the_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_machine(tmp_path / "healthy.csv", faulty=True)
    config = write_config(tmp_path, train=["healthy.csv"], label="state")
    wanted = [word for one in SMALL for word in ("--set", one)]
    code = run(["compare", str(config), "--out", str(tmp_path / "poc"), "--json", "--bar", "vus_pr=1.1", *wanted])
    stdout, stderr = capsys.readouterr()
    assert code == 1
    assert "expected at least 1.1" in stderr
    numbers = json.loads(stdout)
    assert numbers == json.loads((tmp_path / "poc" / NUMBERS).read_text())
    assert numbers["recordings"][0]["anomalous_rows"] == FAULTY.stop - FAULTY.start
    assert (tmp_path / "poc" / PAGE).is_file()
    assert run(["compare", str(config), "--bar", "vus=1"]) == 2
    odd = ["--set", "model.cell=gru", "--set", "model.hidden_size=30"]
    assert run(["compare", str(config), *odd]) == 78
    assert "model.levels" in capsys.readouterr().err


def recording(folder: Path, **data: object) -> tuple[DataConfig, Recording]:
    config = DataConfig(train=["a.csv"], **data)  # type: ignore[arg-type]
    return config, load_history(config, folder)


def test_held_out_rows_keep_their_labels(tmp_path: Path) -> None:
    write_machine(tmp_path / "a.csv", faulty=True)
    config, history = recording(tmp_path, label="state")
    assert history.schema.names == ("Alpha", "Beta", "Gamma")
    test = prepare(config, tmp_path, history)
    (case,) = test.cases
    assert (len(case.values), test.labelled) == (ROWS // 4, True)
    assert np.flatnonzero(case.labels).tolist() == list(range(200, 260))
    assert test.training.sequences == ((0, 1200),)
    assert case.ranges == ((0, 400),)


def test_labelled_rows_are_not_trained_on(tmp_path: Path) -> None:
    write_machine(tmp_path / "a.csv", faulty=True)
    config, history = recording(tmp_path, label="state")
    test = prepare(config, tmp_path, history, held_out=0.1)
    assert test.training.sequences == ((0, 1400),)
    later = prepare(config, tmp_path, history, held_out=0.0625)
    assert later.training.sequences == ((0, 1400), (1460, 1500))


def test_too_few_held_out_rows_are_refused(tmp_path: Path) -> None:
    write_machine(tmp_path / "a.csv")
    config, history = recording(tmp_path, label="state")
    with pytest.raises(DataError, match="the last 5% are the test, expected at least 100 rows there"):
        prepare(config, tmp_path, history, held_out=0.05)


def test_test_file_is_split_at_gaps_without_rows_out_of_order(tmp_path: Path) -> None:
    write_machine(tmp_path / "a.csv")
    lines = write_machine(tmp_path / "b.csv", faulty=True).read_text().splitlines()
    moved = [*lines[:300], *lines[400:500], lines[450], *lines[500:]]
    (tmp_path / "b.csv").write_text("\n".join(moved) + "\n")
    config, history = recording(tmp_path, label="state", test=["b.csv"])
    (case,) = prepare(config, tmp_path, history).cases
    assert len(case.values) == ROWS - 100
    assert case.ranges == ((0, 299), (299, ROWS - 100))
    assert case.labels.sum() == 60


def test_equal_macs_size_matches_the_measured_cost() -> None:
    detector = tiny_detector(hidden=64)
    dense = replace(detector, cell=None, head=None).macs(0)
    assert equal_macs_size(detector, detector.macs(64)) == 64
    assert equal_macs_size(detector, dense) == 4
    sizes = [equal_macs_size(detector, macs) for macs in (500, 2000, 8000)]
    assert sizes == sorted(sizes)
    assert all(4 <= size <= 64 for size in sizes)


def test_no_alarm_during_warm_up_or_across_a_gap() -> None:
    detector = tiny_detector()
    method = NetworkMethod("loud", replace(detector, calibration=replace(detector.calibration, threshold=1e-12)))
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, detector.channels))
    case = Case("a", values, np.arange(60) * NS_PER_S, ((0, 30), (30, 60)), np.zeros(60, bool))
    decisions = decide(method, method.score(values, case.ranges), case, 10, NS_PER_S)
    assert decisions.alarm.tolist() == ([False] * 10 + [True] * 20) * 2
    assert list(decisions.alarms) == [(11, 30), (41, 60)]  # an event opens at the second row


def test_injected_faults_are_apart_and_after_the_warm_up(injected: Comparison) -> None:
    off = injected.of(OFF).method
    assert isinstance(off, NetworkMethod)
    copies = with_faults(injected.cases[0], off.detector, seed=5)
    lead = off.detector.calibration.warmup_rows
    for copy in copies:
        spans = [(fault.start, fault.stop) for fault in copy.faults]
        assert spans == sorted(spans)
        assert spans[0][0] >= lead
        assert all(b[0] - a[1] >= lead for a, b in pairwise(spans))


def test_energy_is_measured_if_there_is_a_counter(tmp_path: Path) -> None:
    calls = {"a": 0, "b": 0}

    def tick(name: str) -> None:
        calls[name] += 1

    times = time_ticks({"a": lambda: tick("a"), "b": lambda: tick("b")})
    assert all(0 < us < 1e4 for us in times.values())
    assert calls["a"] == calls["b"]
    assert energy_of_ticks({"a": lambda: tick("a")}, tmp_path / "energy_uj") is None
    (tmp_path / "energy_uj").write_text("5\n")
    (tmp_path / "max_energy_range_uj").write_text("100\n")
    spent = energy_of_ticks({"a": lambda: tick("a")}, tmp_path / "energy_uj")
    assert spent == {"a": 0.0}
    assert not any(math.isnan(value) for value in spent.values())
