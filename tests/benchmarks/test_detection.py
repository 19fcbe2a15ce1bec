"""The detection benchmark: order of jobs, what is stored, aims and tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection.aims import VUS_PR, AimResult, aim_results
from benchmarks.detection.fitting import MAIN, OFF, TWIN
from benchmarks.detection.jobs import METHODS, RESULTS, SIMPLE_RESULTS, jobs
from benchmarks.detection.loso import DEFAULT, Setting
from benchmarks.detection.loso_table import loso_table
from benchmarks.detection.markdown import table
from benchmarks.detection.page import sections, write_page
from benchmarks.detection.results import ResultRow, code_version, read_rows
from benchmarks.detection.rig import SET, rig_table
from benchmarks.detection.robustness_table import CLEAN, HOLES, robustness_table
from benchmarks.detection.sets import SETS, Series, groups
from benchmarks.detection.simple import CYCLE, RIDGE
from benchmarks.detection.summary import Summary, newest_version
from benchmarks.markers import END, begin
from vcedge.errors import DataError

MARK = {"version": "v", "commit": "c", "date": "2026-11-24"}
GOLDEN = Path(__file__).parent / "golden.jsonl"
EVERY_SET = dict.fromkeys(SETS, 1)


def series_of(seed: int) -> Series:
    rows = np.random.default_rng(seed).standard_normal((40, 2))
    return Series("TEP", "TEP/one", rows[:30], rows[30:], np.ones(10, bool), 1.0)


def put_golden(folder: Path) -> None:
    (folder / RESULTS).write_text(GOLDEN.read_text())
    (folder / SIMPLE_RESULTS).write_text(GOLDEN.with_stem("golden-simple").read_text())


def test_jobs_start_with_the_first_seed_and_with_what_needs_no_network() -> None:
    order = jobs(["SMD", "TEP"], [MAIN, OFF, RIDGE], 2)
    assert [(job.set, job.method, job.seed) for job in order] == [
        ("TEP", OFF, 0),
        ("TEP", RIDGE, 0),
        ("SMD", OFF, 0),
        ("SMD", RIDGE, 0),
        ("TEP", MAIN, 0),
        ("SMD", MAIN, 0),
        ("TEP", MAIN, 1),
        ("SMD", MAIN, 1),
    ]


def test_mean_over_the_cycle_is_measured_where_there_is_one() -> None:
    assert [job.set for job in jobs(SETS, METHODS, 1) if job.method == CYCLE] == ["HYDSYS"]


def test_series_with_equal_training_part_are_trained_once() -> None:
    assert [len(group) for group in groups([series_of(0), series_of(0), series_of(1)])] == [2, 1]


def test_truncated_last_line_is_skipped_and_invalid_line_is_named(tmp_path: Path) -> None:
    good = json.dumps({"set": "s", "series": "a", "method": "m", "seed": 0, "version": "v"})
    path = tmp_path / "results.jsonl"
    path.write_text(f'{good}\n{{"set": "s", "ser')
    assert len(list(read_rows(path))) == 1
    path.write_text(f"{{\n{good}\n")
    with pytest.raises(DataError, match="line 1"):
        list(read_rows(path))


def test_tables_of_golden_results(tmp_path: Path) -> None:
    put_golden(tmp_path)
    text = "\n\n".join(sections(tmp_path))
    assert text == GOLDEN.with_suffix(".md").read_text().rstrip("\n")


def test_page_keeps_text_around_its_markers(tmp_path: Path) -> None:
    page, readme = tmp_path / "page.md", tmp_path / "readme.md"
    for path in (page, readme):
        path.write_text(f"before\n{begin('detection')}\nlast time\n{END}\nafter\n")
    put_golden(tmp_path)
    write_page(tmp_path, page, readme)
    first = page.read_text()
    write_page(tmp_path, page, readme)
    assert page.read_text() == first
    assert first.startswith("before\n")
    assert first.endswith("\nafter\n")
    assert "last time" not in first + readme.read_text()
    assert "\n| VCGRU | 1.000 ± .000 | .655 ± .000 |\n" in readme.read_text()


def rows_of(name: str, method: str, values: dict[int, float], **more: float) -> list[ResultRow]:
    key = {"set": name, "series": f"{name}/1", "method": method, **MARK}
    return [{**key, "seed": seed, "vus_pr": value, **more} for seed, value in values.items()]


GOOD = {
    "f1": 0.5,
    "far": 0.03,
    "found": 0.9,
    "silent": 0.0,
    "updated_normal": 0.2,
    "false_events_10k": 30.0,
    "promised_10k": 10.0,
}


def measured(vus_pr: float = 0.98, **changes: float) -> list[ResultRow]:
    """Return lines of the product on every set, with a ridge-VAR that has .9, F1 .5 and FAR .02 everywhere."""
    rows = [row for name in SETS for row in rows_of(name, MAIN, {0: vus_pr, 1: vus_pr}, **{**GOOD, **changes})]
    for name in SETS:
        rows += rows_of(name, RIDGE, {0: 0.9}, f1=0.5, far=0.02)
        rows += rows_of(name, TWIN, {0: 0.98, 1: 0.98}, f1=0.5)
        rows += rows_of(name, OFF, {0: 0.97})
    return rows


def aims(rows: list[ResultRow]) -> dict[str, AimResult]:
    return {result.aim: result for result in aim_results(Summary(rows), EVERY_SET)}


def test_all_aims_are_reached_by_a_good_detector() -> None:
    found = aims(measured())
    assert len(found) > len(VUS_PR)
    assert {result.reached for result in found.values()} == {True}


@pytest.mark.parametrize(
    ("change", "aim"),
    [
        ({"vus_pr": 0.89}, "VUS-PR above the ridge-VAR's on all sets"),
        ({"f1": 0.49}, "F1 at least the ridge-VAR's on 10 of 11 sets"),
        ({"f1": 0.49}, "F1 at least the best simple detector's on 7 of 11 sets"),
        ({"far": 0.041}, "rows in false alarm at most the ridge-VAR's + 0.02 on all sets"),
        ({"found": 0.79}, "mean share of events found at least 0.8"),
        ({"silent": 1.0}, "no series with VUS-PR above .8 without an alarm"),
        ({"false_events_10k": 31.0}, "events opened falsely at most 3 times as many as promised on all sets"),
        ({"vus_pr": 0.97}, "VUS-PR above network off by more than the spread of the seeds on 2 of 11 sets"),
        (
            {"updated_normal": 0.3},
            "VUS-PR at most 0.005 below the dense twin's, at no more than 0.25 updated on normal rows on all sets",
        ),
    ],
)
def test_missed_aim_is_named(change: dict[str, float], aim: str) -> None:
    assert aims(measured(**change))[aim].reached is False


def test_aim_on_ten_of_eleven_sets_allows_one_miss_and_names_it() -> None:
    rows = [{**row, "f1": 0.4} if (row["set"], row["method"]) == ("AHU", MAIN) else row for row in measured()]
    result = aims(rows)["F1 at least the ridge-VAR's on 10 of 11 sets"]
    assert (result.reached, result.found) == (True, "on 10 of 11; not AHU")


def test_simple_detector_that_is_better_is_named_with_its_value() -> None:
    rows = [*measured(), *rows_of("SMD", "KNN", {0: 0.8}, f1=0.55), *rows_of("SMD", "persistence", {0: 0.8}, f1=0.51)]
    result = aims(rows)["F1 at least the best simple detector's on 7 of 11 sets"]
    assert (result.reached, result.found) == (True, "on 10 of 11; not SMD (KNN .550)")


def test_gain_of_the_network_must_exceed_the_spread_of_the_seeds() -> None:
    noisy = [{**row, "vus_pr": 0.9 + 0.1 * row["seed"]} if row["method"] == MAIN else row for row in measured()]
    aim = "VUS-PR above network off by more than the spread of the seeds on 2 of 11 sets"
    assert aims(noisy)[aim].reached is False


def test_aims_without_results_are_undecided() -> None:
    assert {result.reached for result in aim_results(Summary([]))} == {None}


def test_aim_of_a_partly_measured_set_is_undecided() -> None:
    result = next(one for one in aim_results(Summary(measured())) if one.aim.startswith("TEP: VUS-PR"))
    assert result.reached is None


def test_seed_without_every_series_is_left_out() -> None:
    rows = rows_of("TEP", MAIN, {0: 0.9, 1: 0.8})
    rows.append({**rows[0], "series": "TEP/2"})
    assert Summary(rows).value("TEP", MAIN, "vus_pr").seeds == (0,)


def test_newest_version_drops_rows_of_older_versions() -> None:
    old, new = rows_of("TEP", MAIN, {0: 0.9})[0], rows_of("TEP", RIDGE, {0: 0.8})[0]
    assert newest_version([old, {**new, "version": "w"}]) == [{**new, "version": "w"}]


def test_version_changes_with_the_code_only(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = code_version(tmp_path, ["*.py"])
    (tmp_path / "notes.md").write_text("no code")
    assert code_version(tmp_path, ["*.py"]) == first
    (tmp_path / "a.py").write_text("2")
    assert code_version(tmp_path, ["*.py"]) != first


def test_leave_one_set_out_chooses_on_the_other_sets() -> None:
    high = Setting(2.0, 3)
    scores = {("SKAB", DEFAULT): 0.5, ("GECCO", DEFAULT): 0.5, ("TEP", DEFAULT): 0.9}
    scores |= {("SKAB", high): 0.7, ("GECCO", high): 0.7, ("TEP", high): 0.6}
    scores |= {("SKAB", Setting(0.1, 1)): 1.0}  # not yet measured on the others
    more = {"far": 0.0, "found": 1.0, "false_10k": 1.0}
    rows = [row for (name, one), f1 in scores.items() for row in rows_of(name, one.name, {0: 0.0}, f1=f1, **more)]
    simple = [row for name in ("SKAB", "GECCO", "TEP") for row in rows_of(name, RIDGE, {0: 0.0}, f1=0.8, **more)]
    words, text = loso_table(rows, simple)
    assert "Of 2 settings" in words
    left_out = next(line for line in text.split("\n") if line.startswith("| TEP"))
    assert left_out == f"| TEP | {high.name} | 0.6 (0.9) | 0 (0) | 1 (1) | 1 (1) |"


def test_robustness_is_the_change_from_clean_data_and_says_whether_its_aim_is_reached() -> None:
    more = {"f1": 0.5, "far": 0.1, "false_10k": 3.0, "open_at_end": 0.0}
    for value, word in ((0.885, "reached"), (0.85, "missed")):
        rows = rows_of("TEP", f"{MAIN} | {CLEAN}", {0: 0.9}, **more)
        rows += rows_of("TEP", f"{MAIN} | {HOLES}", {0: value}, **{**more, "false_10k": 5.0})
        _, aim, vus_pr, *_, false, _ = robustness_table(rows)
        assert word in aim
        assert vus_pr.endswith(f"| {HOLES} | {MAIN} | {value - 0.9:+.3f} |")
        assert false.endswith(f"| {HOLES} | {MAIN} | +2.0 |")


def test_rig_table_reports_whether_memory_helps() -> None:
    network = rows_of(SET, MAIN, {0: 0.3, 1: 0.4, 2: 0.35})
    for off, word in ((0.2, "reached"), (0.34, "missed")):
        words, text = rig_table(network + rows_of(SET, OFF, {0: off}))
        assert word in words
        assert text.split("\n")[2].startswith(f"| {MAIN} | .350 ± .050 |")


def test_vertical_bar_in_a_table_cell_is_escaped() -> None:
    assert table(["a"], [["max |z|"]]).endswith("| max \\|z\\| |")
