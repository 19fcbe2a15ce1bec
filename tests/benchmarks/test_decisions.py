"""Decisions on real series: simple detectors, the network-off detector, and the quick table. Needs VCEDGE_DATA."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.decisions import measure_detector, measure_simple, promised
from benchmarks.detection.fitting import linear_detector
from benchmarks.detection.linear import refused, run_linear
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
    detector, _ = linear_detector(plant)
    line = measure_detector(detector, plant, reference)
    assert line["hindsight.f1"] > 0.9
    assert line["hindsight.f1"] >= line["f1"] - 0.02  # an event may be open at a row below the threshold
    assert line["promised_10k"] == promised(detector) == pytest.approx(1e4 * 180 / 86_400)


def test_series_ranked_well_without_an_alarm_is_silent(plant: Series, reference: ModuleType) -> None:
    found = score_simple(RIDGE, plant, reference)
    quiet = replace(found, threshold=float(found.scores.max()))
    assert measure_simple(found, plant, reference)["silent"] == 0.0
    assert measure_simple(quiet, plant, reference)["silent"] == 1.0


def test_refused_series_counts_as_chance_without_an_alarm(plant: Series) -> None:
    line = refused(plant)
    assert line["vus_pr"] == pytest.approx(float(np.mean(plant.labels)))
    assert (line["f1"], line["found"]) == (0.0, 0.0)


def test_second_quick_run_prints_the_same_from_its_results(
    source: SeriesSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_linear(["TEP"], tmp_path, source, 1)
    first = capsys.readouterr().out
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    run_linear(["TEP"], tmp_path, source, 1)
    assert capsys.readouterr().out == first
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == sizes
    assert first.startswith("TEP      VUS-PR")
    assert "of 1 sets" in first
