"""The detection benchmark: order of jobs, resumption, tables, and a run on small data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection.bars import BEST_BASELINE, bar_results
from benchmarks.detection.fitting import MAIN, OFF, TWIN, fit_method
from benchmarks.detection.jobs import Job, jobs, methods_of, run_job
from benchmarks.detection.loso import GRID, Setting
from benchmarks.detection.loso_table import loso_table
from benchmarks.detection.markdown import table
from benchmarks.detection.page import sections, write_page
from benchmarks.detection.results import ResultRow, Results, code_version, read_rows
from benchmarks.detection.rig import SET, rig_table
from benchmarks.detection.robustness import CLEAN, CORRUPTIONS
from benchmarks.detection.robustness_table import robustness_table
from benchmarks.detection.scoring import measures_of
from benchmarks.detection.sets import Series, groups
from benchmarks.detection.summary import Summary, newest_version
from benchmarks.markers import END, begin
from vcedge.errors import DataError

MARK = {"version": "v", "commit": "c", "date": "2026-11-24"}
GOLDEN = Path(__file__).parent / "golden.jsonl"


def series_of(seed: int = 0, name: str = "TEP/one") -> Series:
    """Return two coupled channels; one drifts away in the test part."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.standard_normal(700)) * 0.05
    rows = np.column_stack([slow, 2 * slow]) + 0.1 * rng.standard_normal((700, 2))
    labels = np.zeros(300, bool)
    labels[150:250] = True
    test = rows[400:].copy()
    test[labels, 1] += 3.0
    return Series("TEP", name, rows[:400], test, labels, 1.0)


def test_jobs_start_with_the_first_seed_and_end_with_slow_sets() -> None:
    order = jobs(["SMD", "TEP", "GECCO"], 3)
    assert [job.set for job in order[:3]] == ["TEP", "GECCO", "SMD"]
    assert [(job.set, job.seed) for job in order[3:5]] == [("TEP", 1), ("TEP", 2)]
    assert len(set(order)) == 9


def test_further_seeds_run_only_seeded_methods() -> None:
    assert methods_of([MAIN, OFF, TWIN, "random", "window-PCA"], 1) == [MAIN, TWIN, "random"]


@pytest.fixture(scope="module")
def run_twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ResultRow], list[ResultRow]]:
    path = tmp_path_factory.mktemp("detection") / "results.jsonl"
    series, methods = [series_of(), series_of(name="TEP/two")], [MAIN, OFF, "ridge-VAR, EWMA 20", "random", "all ones"]
    added: list[list[ResultRow]] = []
    for _ in range(2):
        results = Results(path, MARK)
        added.append([])
        for row in run_job(Job("TEP", 0), methods, series, results, None):
            results.add(row)
            added[-1].append({**row, **MARK})
    return path, added[0], added[1]


def test_second_run_measures_nothing(run_twice: tuple[Path, list[ResultRow], list[ResultRow]]) -> None:
    path, first, second = run_twice
    assert len(first) == 10
    assert second == []
    assert list(read_rows(path)) == first


def test_run_measures_plausible_values(run_twice: tuple[Path, list[ResultRow], list[ResultRow]]) -> None:
    _, rows, _ = run_twice
    by_method = {row["method"]: row for row in rows}
    assert by_method[OFF]["vus_pr"] > 0.8 > by_method["random"]["vus_pr"]
    assert by_method[OFF]["updated_normal"] is None  # no network
    assert 0 < by_method[MAIN]["updated_normal"] <= 1
    assert by_method["all ones"]["promise.mar"] == 0.0
    assert by_method[OFF]["quantile.far"] <= by_method["all ones"]["promise.far"]
    assert by_method["ridge-VAR, EWMA 20"].keys() < by_method[OFF].keys()  # the others have no adapting threshold


def test_series_with_equal_training_part_are_trained_once() -> None:
    assert [len(group) for group in groups([series_of(0), series_of(0), series_of(1)])] == [2, 1]


def test_every_corruption_can_be_scored() -> None:
    series = series_of()
    fit = fit_method(OFF, series, 0)
    found = {name: measures_of(fit, corrupt(series), series.period_ns, 20) for name, corrupt in CORRUPTIONS.items()}
    assert all(measures["vus_pr"] is not None for measures in found.values())
    assert found["every second row"]["rows"] == 150
    assert found["a gap of 5% of the rows"]["rows"] == 285
    assert found["50% of the values missing"]["vus_pr"] < found[CLEAN]["vus_pr"]


def test_threshold_adapted_offline_equals_that_of_the_stream() -> None:
    series = series_of()
    fit = fit_method(OFF, series, 0)
    assert fit.detector is not None
    found = measures_of(replace(fit, often=fit.detector.calibration), series.case, series.period_ns)
    stream = {name.partition(".")[2]: value for name, value in found.items() if name.startswith("adapting.")}
    again = {name.partition(".")[2]: value for name, value in found.items() if name.startswith("thousand adapting.")}
    assert stream == again
    assert stream["false_alarms"] is not None


def test_truncated_last_line_is_skipped_and_invalid_line_is_named(tmp_path: Path) -> None:
    good = json.dumps({"set": "s", "series": "a", "method": "m", "seed": 0, "version": "v"})
    path = tmp_path / "results.jsonl"
    path.write_text(f'{good}\n{{"set": "s", "ser')
    assert len(list(read_rows(path))) == 1
    path.write_text(f"{{\n{good}\n")
    with pytest.raises(DataError, match="line 1"):
        list(read_rows(path))


def test_tables_of_golden_results(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text(GOLDEN.read_text())
    text = "\n\n".join(sections(tmp_path))
    assert text == GOLDEN.with_suffix(".md").read_text().rstrip("\n")


def test_page_keeps_text_around_its_markers(tmp_path: Path) -> None:
    page, readme = tmp_path / "page.md", tmp_path / "readme.md"
    for path in (page, readme):
        path.write_text(f"before\n{begin('detection')}\nlast time\n{END}\nafter\n")
    (tmp_path / "results.jsonl").write_text(GOLDEN.read_text())
    write_page(tmp_path, page, readme)
    first = page.read_text()
    write_page(tmp_path, page, readme)
    assert page.read_text() == first
    assert first.startswith("before\n")
    assert first.endswith("\nafter\n")
    assert "last time" not in first + readme.read_text()
    assert "| VCGRU | .938 | .998 ± .002 |" in readme.read_text()


def rows_of(name: str, method: str, values: dict[int, float], **more: float) -> list[ResultRow]:
    key = {"set": name, "series": f"{name}/1", "method": method, **MARK}
    return [{**key, "seed": seed, "vus_pr": value, **more} for seed, value in values.items()]


def test_gain_must_exceed_the_spread_of_the_seeds() -> None:
    noisy = [rows_of(name, MAIN, {0: 0.9, 1: 0.8, 2: 0.92}) for name in ("TEP", "SKAB")]
    sure = [rows_of(name, MAIN, {0: 0.9, 1: 0.91, 2: 0.92}) for name in ("TEP", "SKAB")]
    off = [rows_of(name, OFF, {0: 0.86}) for name in ("TEP", "SKAB")]
    for network, reached in ((noisy, False), (sure, True)):
        summary = Summary([row for rows in (*network, *off) for row in rows])
        verdict = next(v for v in bar_results(summary, {}) if "network off" in v.bar)
        assert verdict.reached is reached


def test_dense_twin_bar_requires_the_saving() -> None:
    for updated, reached in ((0.2, True), (0.3, False)):
        rows = rows_of("TEP", MAIN, {0: 0.9}, updated_normal=updated) + rows_of("TEP", TWIN, {0: 0.904})
        verdict = next(v for v in bar_results(Summary(rows), {}) if v.bar.startswith("TEP") and "twin" in v.bar)
        assert verdict.reached is reached


def test_bars_without_results_are_undecided() -> None:
    assert {verdict.reached for verdict in bar_results(Summary([]))} == {None}


def test_bar_of_a_partly_measured_set_is_undecided() -> None:
    verdict = next(v for v in bar_results(Summary(rows_of("TEP", MAIN, {0: 1.0}))) if v.bar.startswith("TEP: VUS-PR"))
    assert verdict.reached is None


def test_seed_without_every_series_is_left_out() -> None:
    rows = rows_of("TEP", MAIN, {0: 0.9, 1: 0.8})
    rows.append({**rows[0], "series": "TEP/2"})
    assert Summary(rows).value("TEP", MAIN, "vus_pr").seeds == (0,)


def test_newest_version_drops_rows_of_older_versions() -> None:
    old, new = rows_of("TEP", MAIN, {0: 0.9})[0], rows_of("TEP", BEST_BASELINE, {0: 0.8})[0]
    assert newest_version([old, {**new, "version": "w"}]) == [{**new, "version": "w"}]


def test_version_changes_with_the_code_only(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = code_version(tmp_path, ["*.py"])
    (tmp_path / "notes.md").write_text("no code")
    assert code_version(tmp_path, ["*.py"]) == first
    (tmp_path / "a.py").write_text("2")
    assert code_version(tmp_path, ["*.py"]) != first


def test_leave_one_set_out_chooses_on_the_other_sets() -> None:
    good, default = Setting(slow=5.0), Setting()
    assert {good, default} <= set(GRID)
    scores = {("A", default): 0.5, ("B", default): 0.5, ("C", default): 0.9}
    scores |= {("A", good): 0.7, ("B", good): 0.7, ("C", good): 0.6}
    scores |= {("A", Setting(power=0.0)): 1.0}  # not yet measured on the others
    rows = [row for (name, cell), score in scores.items() for row in rows_of(name, cell.name, {0: score})]
    _, text = loso_table(rows)
    left_out_c = next(line for line in text.split("\n") if line.startswith("| C"))
    assert good.name in left_out_c
    assert left_out_c.endswith("| 0.6000 | 0.9000 | 0.9000 | 0.3000 |")


def test_robustness_is_the_change_from_clean_data() -> None:
    more = {"adapting.false_alarms": 3.0, "adapting.far": 0.1}
    rows = rows_of("TEP", f"{MAIN} | {CLEAN}", {0: 0.9}, **more)
    rows += rows_of("TEP", f"{MAIN} | noise", {0: 0.85}, **{**more, "adapting.false_alarms": 5.0})
    _, text = robustness_table(rows)
    assert text.endswith(f"| noise | {MAIN} | -0.050 | +2 | +0.000 |")


def test_rig_table_reports_whether_memory_helps() -> None:
    network = rows_of(SET, MAIN, {0: 0.3, 1: 0.4, 2: 0.35})
    for off, word in ((0.2, "reached"), (0.34, "missed")):
        words, text = rig_table(network + rows_of(SET, OFF, {0: off}))
        assert word in words
        assert text.split("\n")[2].startswith(f"| {MAIN} | .350 ± .050 |")


def test_vertical_bar_in_a_table_cell_is_escaped() -> None:
    assert table(["a"], [["max |z|"]]).endswith("| max \\|z\\| |")
