"""The report: self-contained, escaped, reproducible, and explicit about a network that adds nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.detectors import tiny_detector, with_roles
from tests.support.process import modules_after
from tests.support.reports import ROWS, report_of, structure_of, trained_of, usual_training, with_shrink, words_of
from vcedge.calibration.order import OrderChoice
from vcedge.history import DataReport
from vcedge.resemblance import FEATURES, Resemblance
from vcedge.schema import Channel, Role, SensorSchema
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity
from vcedge.sensitivity.resemblance import Recognised, Recognition
from vcedge.train.pipeline import Trained
from vcedge.train.report.alarm_charts import spread_chart, statistic_chart
from vcedge.train.report.choice_text import score_section
from vcedge.train.report.sensitivity_charts import brief
from vcedge.train.report.series import liveliest, stretches, time_unit
from vcedge.train.summary import scorer_summary, summarise
from vcedge.train.training import TrainingResult
from vcedge.train.verdict import facts_of
from vcedge.wording import number, percent

pytestmark = pytest.mark.slow

NASTY = "<script>alert(1)</script> & \"'$x$"


@pytest.fixture(scope="module")
def usual() -> Trained:
    return usual_training()


@pytest.fixture(scope="module")
def page(usual: Trained, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_of(usual, tmp_path_factory.mktemp("report"))


def test_report_is_self_contained(page: str) -> None:
    assert not re.search(r"https?://|//[a-z]|url\((?!#)|@import|<script|<link|<img", page)
    assert "default-src 'none'" in page


def test_report_is_well_formed_html_with_unique_ids(page: str) -> None:
    structure = structure_of(page)
    assert structure.open == []
    assert len(structure.ids) == len(set(structure.ids))
    assert set(structure.references) <= set(structure.ids)
    assert structure.names.count("svg") == 7
    assert structure.names.count("figcaption") == structure.names.count("desc") == 7


def test_report_begins_with_the_verdict(page: str, usual: Trained) -> None:
    verdict = summarise(usual, DataReport(), 1.0)["verdict"]
    assert verdict["result"] in ("PASS", "WARN", "FAIL")
    begin = page[page.index("</header>") : page.index('class="tiles"')]
    assert f'<h2 id="verdict">{verdict["result"]}</h2>' in begin
    assert begin.count("<li>") == len(verdict["reasons"])
    assert any("network" in reason for reason in verdict["reasons"])


def test_charts_use_colours_of_the_style_sheet(page: str) -> None:
    charts = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert set(re.findall(r"(?:fill|stroke): ([^;\"]+)", charts)) <= {
        "none",
        "currentColor",
        "var(--measured)",
        "var(--limit)",
        "var(--context)",
    }
    assert "DejaVu" not in charts


def test_names_are_escaped(tmp_path: Path) -> None:
    detector = tiny_detector(asset=NASTY)
    channels = tuple(Channel(f"{NASTY}{c}", NASTY) for c in range(3))
    schema = SensorSchema(channels, detector.schema.period_ns, detector.schema.max_gap_ns)
    data = DataReport(has_time=False, rows=ROWS, used=ROWS, period_s=1.0, warnings=[NASTY, "caf\udce9.csv"])
    page = report_of(trained_of(replace(detector, schema=schema)), tmp_path, data)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;&#39;$x$") >= 6
    assert "caf\\udce9.csv" in page
    assert structure_of(page).open == []


def test_same_training_gives_the_same_bytes(usual: Trained, page: str, tmp_path: Path) -> None:
    slower = replace(usual, result=replace(usual.result, epochs=[replace(e, seconds=9.0) for e in usual.result.epochs]))
    assert report_of(slower, tmp_path, seconds=99.0) == page


def test_report_names_channels_without_gain(page: str) -> None:
    assert "improves the forecast of 2 of 3 channels" in page
    assert "On Channel 1 the network adds nothing" in page
    assert page.count('<span class="idle">adds nothing</span>') == 1


def test_report_says_if_the_network_adds_nothing(tmp_path: Path) -> None:
    page = report_of(trained_of(with_shrink(tiny_detector(), [0.0, 0.0, 0.0])), tmp_path)
    assert "The network adds nothing: on no channel" in page
    assert page.count('<span class="idle">adds nothing</span>') == 3
    assert "improves the forecast" not in page


@pytest.mark.parametrize(("share", "words"), [(0.2, "within the target of at most 25%"), (0.3, "which is above the")])
def test_report_says_whether_the_target_is_kept(usual: Trained, share: float, words: str) -> None:
    assert words in words_of(usual, updated_share={"tail": share})


def test_report_explains_the_threshold(usual: Trained) -> None:
    limits = {
        "threshold": 1234.5,
        "false_alarms_per_day": 0.5,
        "rows": 180,
        "alarm_share_tail": 0.0,
    }
    words = words_of(replace(usual, false_alarms_per_day=0.5), calibration=limits)
    assert "exceeds 1,234" in words
    assert "about 0.5 false alarms a day" in words
    assert "measured on 180 rows (3 min), each scored by models that were fitted on the others" in words
    assert "fitted without the held-out rows finds none of them above its threshold" in words
    assert "cannot show" not in words
    assert "One event is one alarm" in words
    assert "finds 2.0% of them above its threshold" in words_of(usual, calibration={**limits, "alarm_share_tail": 0.02})
    words = words_of(replace(usual, false_alarms_per_day=0.1), calibration=limits)
    assert "The wanted rate is 0.1 false alarms a day, but this recording cannot show so few" in words


def test_report_without_a_gate_has_no_gate_charts(tmp_path: Path) -> None:
    page = report_of(trained_of(tiny_detector(cell="gru")), tmp_path)
    assert "This cell has no gate" in page
    assert page.count("<svg") == 3


def test_report_says_if_there_is_no_network(tmp_path: Path) -> None:
    page = report_of(trained_of(tiny_detector(cell=None), epochs=0), tmp_path)
    assert "This detector has no network" in page
    assert page.count("<svg") == 2


def test_report_says_if_training_was_interrupted(usual: Trained) -> None:
    early = replace(usual, result=TrainingResult(best=-1, interrupted=True))
    assert "stopped by the user after 0 epochs. No epoch ended" in words_of(early)


def test_report_of_a_long_recording_is_small(tmp_path: Path) -> None:
    report_of(trained_of(tiny_detector(channels=20), rows=111 * ROWS, epochs=200), tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 500_000


def test_statistics_far_from_the_threshold_can_be_drawn(usual: Trained) -> None:
    for raw, threshold in ((0.0, 1e-9), (3.0, 3.0), (1e6, 2e9), (1.0, 1.5)):
        limits = replace(usual.detector.calibration, threshold=threshold)
        flat = replace(usual.device_trace, raw=np.full(ROWS, raw))
        trained = replace(usual, detector=replace(usual.detector, calibration=limits), device_trace=flat)
        for chart in (spread_chart(trained), statistic_chart(trained)):
            assert structure_of(chart.svg).open == []
            assert ">NaN<" not in chart.svg


def test_report_package_imports_matplotlib_and_jinja2_late() -> None:
    assert not {"matplotlib", "jinja2"} & modules_after("vcedge.train.report", "vcedge.runtime.stream.stream")
    assert {"matplotlib", "jinja2"} <= modules_after("vcedge.train.report.page")


def test_stretches_cover_every_row() -> None:
    values = np.arange(1003.0)
    cut = stretches(values, 10)
    assert len(cut.mean) == 10
    assert (cut.edges[0], cut.edges[-1]) == (0, 1003)
    assert np.isclose((cut.mean * np.diff(cut.edges)).sum(), values.sum())
    assert (cut.low[0], cut.high[-1]) == (0, 1002)
    assert stretches(np.ones(3), 10).mean.tolist() == [1, 1, 1]


def test_stretch_with_most_updates_is_found() -> None:
    values = np.zeros(1000)
    values[600:640:2] = 5.0
    found = liveliest(values, 100)
    assert found.stop - found.start == 100
    assert found.start <= 600
    assert found.stop >= 640
    assert liveliest(values[:50], 100) == slice(0, 50)


def test_time_unit_suits_the_number_of_rows() -> None:
    assert [time_unit(n, 10**9)[0] for n in (90, 7200, 10_000, 200_000)] == ["seconds", "hours", "hours", "days"]
    assert [percent(x) for x in (0.0, 0.0004, 0.0123, 0.256, 1.0)] == ["0%", "under 0.1%", "1.2%", "26%", "100%"]
    assert [number(x) for x in (0.012345, 12.345, 12_345.6)] == ["0.01235", "12.35", "12,346"]


@pytest.fixture(scope="module")
def findings() -> Sensitivity:
    """Return two channels: one with many detectable faults, and one that is constant."""
    lively = [
        DetectionLimit(
            "Pressure",
            "bar",
            kind,
            size,
            0.3 if size != 1 else 1.0,
            30.0 if size != 1 else 1.0,
            0.05,
            60.0 * n,
            600.0,
            20.0,
            1.0,
        )
        for n, (kind, size) in enumerate(
            [("offset", 0.3), ("drift", 9.0), ("stuck", 1.0), ("spike", 30.0), ("noise", 3.0), ("oscillation", 2.0)]
        )
    ]
    lost = [replace(lively[0], channel=NASTY, size=None, delay_s=None), replace(lively[1], channel=NASTY)]
    unseen = DetectionLimit("Pressure", "bar", "delay", None, 1.0, 40.0, 0.05, None, 600.0, None, 1.0)
    return Sensitivity((*lively, unseen, *lost), 5, 600.0, 2400.0)


def test_report_shows_detectable_faults(usual: Trained, findings: Sensitivity, tmp_path: Path) -> None:
    trained = replace(usual, sensitivity=findings)
    page = report_of(trained, tmp_path)
    structure = structure_of(page)
    assert structure.open == []
    assert len(structure.ids) == len(set(structure.ids))
    assert set(structure.references) <= set(structure.ids)
    assert structure.names.count("svg") == 8
    assert "<script" not in page
    assert "A drift of 2.7 bar an hour in Pressure is found after 1 min." in page
    assert "Delay: not found on any channel." in page
    assert "Of 9 pairs of channel and kind, 7 are found within 10 min (drift and stuck: 40 min)." in words_of(trained)
    assert page.count('class="idle">n/a<') == 3 + 8
    test_charts_use_colours_of_the_style_sheet(page)
    assert summarise(trained, DataReport(), 1.0)["sensitivity"]["findings"][0]["size"] == pytest.approx(0.015)


def test_report_shows_names_of_events(usual: Trained, findings: Sensitivity, tmp_path: Path) -> None:
    count = len(FEATURES)
    names = ("offset or gain", "offset or gain", "spike")
    model = Resemblance(("offset", "gain", "spike"), names, np.zeros(count), np.eye(count), np.zeros((3, count)), 9.0)
    kinds = (Recognised("offset", 20, 15, 0, 1), Recognised("spike", 10, 8, 8, 0), Recognised("delay", 3, 0, 0, 1))
    trained = replace(usual, sensitivity=findings, recognition=Recognition(model, kinds))
    page = report_of(trained, tmp_path)
    assert structure_of(page).open == []
    table = page[page.index("Names of their events") :]
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td>([^<]*)</td>', table)
    assert rows == [("offset", "offset or lost gain"), ("spikes", "spikes"), ("delay", "too few events")]
    assert '<td class="num">75%</td>' in page
    metrics = summarise(trained, DataReport(), 1.0)["recognition"]
    assert metrics["kinds"][0] == {
        "kind": "offset", "events": 20, "named": 15, "alone": 0, "unclear": 1, "called": "offset or gain"
    }  # fmt: skip


def test_report_without_sensitivity_has_no_such_section(page: str) -> None:
    assert "Detectable faults" not in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (99.0, "99s"), (99.6, "2m"), (5000.0, "83m"), (9e4, "25h"), (9e6, "104d")]
)
def test_delays_on_the_map_have_few_digits(findings: Sensitivity, seconds: float, text: str) -> None:
    assert brief(replace(findings.findings[0], delay_s=seconds)) == text
    assert brief(replace(findings.findings[0], delay_s=None)) == "–"


def test_report_explains_the_statistic_and_the_order(usual: Trained, tmp_path: Path) -> None:
    roles: tuple[Role, ...] = ("sensor", "command", "constant")
    detector = with_roles(usual.detector, roles)
    trained = replace(usual, detector=detector, order=OrderChoice(2, 10.0, ((5, 0.31), (2, 0.25))))
    page = report_of(trained, tmp_path)
    assert structure_of(page).open == []
    assert "Channel 1: commands, which only help to forecast; a new value of one counts as novelty." in page
    assert "Channel 2: constants; a new value of one counts as novelty." in page
    assert "uses the last 2 rows, with ridge 10" in page
    assert "<b>0.2500, chosen</b>" in page
    metrics = json.loads(json.dumps(summarise(trained, DataReport(), 1.0)))
    assert metrics["scorer"]["roles"] == {"Channel 0": "sensor", "Channel 1": "command", "Channel 2": "constant"}
    assert metrics["highway"] == {
        "order": 2, "ridge": 10.0, "tried": [{"order": 5, "loss": 0.31}, {"order": 2, "loss": 0.25}]
    }  # fmt: skip


def test_the_score_is_explained_by_cycle_and_operating_states_if_there_are_any(usual: Trained) -> None:
    found = score_section(usual.detector)
    assert "The machine repeats a cycle of 20 s; its mean and spread are watched." in found["text"]
    assert "distance to the nearest of 9 operating states seen in training" in {row[1] for row in found["rows"]}
    summary = scorer_summary(usual.detector)
    assert (summary["span"], summary["cycle_rows"], summary["states"]) == (20.0, 20, 9)
    scorer = replace(usual.detector.scorer, cycle=None, distance=None)
    bare = score_section(replace(usual.detector, scorer=scorer))
    assert "No cycle was found that repeats often enough" in bare["text"]
    assert {"distance", "cycle"}.isdisjoint(name for name, _, _ in bare["rows"])


def test_metrics_and_verdict_state_the_limits_of_the_finished_detector(usual: Trained) -> None:
    finished = usual.finished.calibration
    assert finished.threshold != usual.detector.calibration.threshold
    metrics = summarise(usual, DataReport(), 1.0)
    assert metrics["calibration"]["threshold"] == finished.threshold
    assert metrics["calibration"]["false_alarms_per_day"] == finished.false_alarms_per_day
    assert metrics["calibration"]["rows"] == finished.rows
    assert facts_of(usual, metrics).promised_per_day == finished.false_alarms_per_day


def test_report_without_a_choice_of_order_has_no_section_on_it(usual: Trained, tmp_path: Path) -> None:
    assert "The linear forecaster</h3>" not in report_of(usual, tmp_path)
