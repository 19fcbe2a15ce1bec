"""Decisions on real series: simple detectors, the network-off detector, and the quick table. Needs VCEDGE_DATA."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.decisions import measure_simple
from benchmarks.detection.fitting import MAIN, OFF, REMOVED, linear_detector
from benchmarks.detection.jobs import RESULTS, Job, Store, run
from benchmarks.detection.linear import run_linear
from benchmarks.detection.loso import DEFAULT, Setting
from benchmarks.detection.product import measure_detector, promised, refused
from benchmarks.detection.results import read_rows
from benchmarks.detection.robustness import CORRUPTIONS
from benchmarks.detection.robustness_table import CLEAN
from benchmarks.detection.sets import SETS, SPECS, Series, SeriesSource
from benchmarks.detection.simple import ALL_ONES, CYCLE, RIDGE, SIMPLE, applies, score_simple

pytestmark = pytest.mark.skipif("VCEDGE_DATA" not in os.environ, reason="VCEDGE_DATA is not set")


@pytest.fixture(scope="module")
def source() -> SeriesSource:
    return SeriesSource(data_folder(), load_reference(data_folder()), 1)


@pytest.fixture(scope="module")
def reference(source: SeriesSource) -> ModuleType:
    return source.reference


@pytest.fixture(scope="module")
def plant(source: SeriesSource) -> Series:
    return source.load("TEP")[0]


def test_every_set_has_a_loader_and_its_known_number_of_series(reference: ModuleType) -> None:
    assert set(SETS) <= set(reference.LOADERS)
    assert sum(spec.series for spec in SPECS.values()) == 156


def test_series_hold_rows_of_both_kinds(source: SeriesSource) -> None:
    for name in ("TEP", "HYDSYS", "MSL"):
        (series,) = source.load(name)
        assert 0 < series.labels.sum() < len(series.labels) == len(series.test)


@pytest.mark.parametrize("method", [method for method in SIMPLE if method != CYCLE])
def test_simple_detector_finds_a_plain_fault(method: str, plant: Series, reference: ModuleType) -> None:
    line = measure_simple(score_simple(method, plant, reference), plant, reference)
    assert line["vus_pr"] > 0.8
    assert line["found"] == 1.0


def test_mean_over_the_cycle_beats_a_one_step_forecast_on_a_cycle(source: SeriesSource) -> None:
    (series,) = source.load("HYDSYS")
    cycle, ridge = (
        measure_simple(score_simple(method, series, source.reference), series, source.reference)
        for method in (CYCLE, RIDGE)
    )
    assert cycle["vus_pr"] > ridge["vus_pr"] + 0.1
    assert applies(CYCLE, "HYDSYS")
    assert not applies(CYCLE, "TEP")


def test_all_ones_alarm_on_every_row(plant: Series, reference: ModuleType) -> None:
    line = measure_simple(score_simple(ALL_ONES, plant, reference), plant, reference)
    assert (line["far"], line["mar"], line["found"]) == (1.0, 0.0, 1.0)


def test_hindsight_is_at_least_as_good_as_the_decision(plant: Series, reference: ModuleType) -> None:
    detector = linear_detector(plant)
    line = measure_detector(detector, plant.case, reference)
    assert line["hindsight.f1"] > 0.9
    assert line["hindsight.f1"] >= line["f1"] - 0.02  # an event may be open at a row below the threshold
    assert line["with_range.alarm_rows"] >= line["alarm_rows"] > 0
    assert line["row.f1"] > 0.5
    assert line["promised_10k"] == promised(detector) >= 1e4 * 180 / 86_400 - 1e-9  # more where rows are few


def test_series_ranked_well_without_an_alarm_is_silent(plant: Series, reference: ModuleType) -> None:
    found = score_simple(RIDGE, plant, reference)
    quiet = replace(found, threshold=float(found.scores.max()))
    assert measure_simple(found, plant, reference)["silent"] == 0.0
    assert measure_simple(quiet, plant, reference)["silent"] == 1.0


def test_refused_series_counts_as_chance_without_an_alarm(plant: Series, reference: ModuleType) -> None:
    line, chance = refused(plant), measure_simple(score_simple(ALL_ONES, plant, reference), plant, reference)
    assert line["vus_pr"] == chance["vus_pr"]
    assert (line["f1"], line["found"], line["refused"]) == (0.0, 0.0, 1.0)


def test_every_corruption_can_be_streamed(plant: Series, reference: ModuleType) -> None:
    detector = linear_detector(plant)
    found = {name: measure_detector(detector, corrupt(plant), reference, 20) for name, corrupt in CORRUPTIONS.items()}
    assert all(line["vus_pr"] > 0.5 for line in found.values())
    assert found["every second row"]["rows"] == found[CLEAN]["rows"] / 2
    assert found["a gap of 5% of the rows"]["rows"] == 912


def test_setting_of_the_decision_rule_changes_the_decision(plant: Series, reference: ModuleType) -> None:
    detector = linear_detector(plant)
    assert DEFAULT.applied(detector).calibration.threshold == pytest.approx(detector.calibration.threshold)
    slow = measure_detector(Setting(2.0, 3).applied(detector), plant.case, reference)
    assert slow["delay_rows"] > measure_detector(detector, plant.case, reference)["delay_rows"]


def test_network_is_measured_in_place_and_removed_from_one_training(source: SeriesSource, tmp_path: Path) -> None:
    wanted = [Job("TEP", MAIN, 0), Job("TEP", OFF, 0)]
    assert run(wanted, Store(tmp_path, source.reference), source) == 3
    assert run(wanted, Store(tmp_path, source.reference), source) == 0
    rows = {row["method"]: row for row in read_rows(tmp_path / RESULTS)}
    assert 0 < rows[MAIN]["updated_normal"] <= 1
    assert rows[REMOVED]["updated_normal"] is rows[OFF]["updated_normal"] is None
    assert rows[REMOVED]["vus_pr"] > 0.8


def test_second_quick_run_prints_the_same_from_its_results(
    source: SeriesSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_linear(["TEP"], Store(tmp_path, source.reference), source, 1)
    first = capsys.readouterr().out
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    run_linear(["TEP"], Store(tmp_path, source.reference), source, 1)
    assert capsys.readouterr().out == first
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == sizes
    assert first.startswith("TEP      VUS-PR")
    assert "of 1 sets" in first
