"""The network is measured on rows that it was not fitted to, and calibration fits a detector to another machine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, recording_of, tiny_detector, with_roles
from vcedge.calibration.calibrate import measure_network
from vcedge.calibration.recalibrate import recalibrate, refit
from vcedge.calibration.split import Split, split_by_time
from vcedge.calibration.trace import run_engine
from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.runtime.engine.numpy_engine import NumpyEngine
from vcedge.schema import F64

SEQUENCES = ((0, 1500), (1500, 3000))


def measured(detector: Detector, values: F64, split: Split | None = None) -> Detector:
    return measure_network(detector, values, split or split_by_time(((0, len(values)),), 2), (0,) * detector.channels)


def test_limits_of_the_network_depend_on_held_out_rows_only() -> None:
    values = recording(3, 3000, 3)
    split = split_by_time(((0, 3000),), 2)
    changed = values.copy()
    changed[: split.fit[-1][1]] *= 1.5
    found = [measured(tiny_detector(), rows, split) for rows in (values, changed)]
    assert found[0].calibration.surprise_limit == found[1].calibration.surprise_limit
    assert found[0].calibration.threshold == tiny_detector().calibration.threshold  # it is fitted before


def test_useless_network_is_shrunk_to_zero_and_useful_one_kept() -> None:
    values = recording(4, 4000, 3)
    useless = measured(tiny_detector(), values)  # its weights are random
    assert useless.head is not None
    assert (useless.head.shrink == 0).all()
    # Where the highway's forecast is off by a constant, a head that outputs that constant is useful.
    base = tiny_detector()
    assert base.head is not None
    offset = replace(base.highway, bias=base.highway.bias - 2 * base.highway.spread)
    head = replace(base.head, weights=np.zeros_like(base.head.weights), bias=np.full(3, 2.0, np.float32))
    useful = measured(replace(base, highway=offset, head=head), values)
    assert useful.head is not None
    assert (useful.head.shrink > 0.8).all()
    assert (useful.head.error_scale < 0.8).all()


def test_untrained_networks_are_kept_on_few_channels() -> None:
    values = recording(6, 1500, 12)
    helped = 0
    for seed in range(5):
        head = measured(tiny_detector(seed=seed, channels=12), values).head
        assert head is not None
        helped += int((head.shrink > 0).sum())
    assert helped <= 2  # of 60


def test_commands_and_constants_have_no_correction_no_error_and_are_never_stuck() -> None:
    values = recording(4, 3000, 4)
    values[:, 1] = np.arange(3000) // 100 % 2
    values[:, 2] = 8.0
    base = with_roles(tiny_detector(channels=4), ("sensor", "command", "sensor", "sensor"))
    detector = recalibrate(base, recording_of(values), 1.0)
    assert [channel.role for channel in detector.schema.channels] == ["sensor", "command", "constant", "sensor"]
    assert detector.head is not None
    assert detector.cell is not None
    assert (detector.head.shrink[[1, 2]] == 0).all()
    assert (detector.head.error_scale[[1, 2]] == 1).all()
    assert (detector.cell.input[..., 2] == 0).all()  # the network never saw the constant move
    assert (detector.cell.gate_input[[2, 4 + 2, 8 + 2, 12 + 2]] == 0).all()
    assert (detector.cell.input[..., 1] != 0).any()
    assert [rows > 0 for rows in detector.calibration.stuck_rows] == [True, False, False, True]


def test_pieces_shorter_than_the_warm_up_are_refused() -> None:
    values = recording(7, 2000, 3)
    pieces = tuple((start, start + 8) for start in range(0, 2000, 8))
    with pytest.raises(DataError, match="warm-up"):
        measured(tiny_detector(), values, split_by_time(pieces, 2))


@pytest.mark.parametrize("rows", [6, 8, 9])
def test_pieces_shorter_than_the_forecasters_need_are_refused(rows: int) -> None:
    source = recording_of(recording(7, 1998, 3))
    pieces = tuple((start, start + rows) for start in range(0, len(source.values), rows))
    gaps = np.arange(len(source.values)) // rows * 3600 * 10**9
    with pytest.raises(DataError, match="nowhere more than 9 without a gap"):
        recalibrate(tiny_detector(), replace(source, time_ns=source.time_ns + gaps, sequences=pieces), 1.0)


def test_channels_without_values_are_named() -> None:
    values = recording(8, 500, 3)
    values[:450, 1] = np.nan
    with pytest.raises(DataError, match="'Channel 1' has 0 values in the first 80%"):
        recalibrate(tiny_detector(), recording_of(values), 1.0)


def test_recalibration_fits_another_machine_and_keeps_the_network() -> None:
    values = recording(5, 3000, 3)
    other = 1000.0 + 7.0 * values  # the same behaviour with another offset and gain
    base = tiny_detector()
    here = recalibrate(base, recording_of(values), 1.0)
    there = recalibrate(base, recording_of(other), 1.0, asset="other")
    assert there.provenance["calibration"]["files"] == [{"name": "a.csv", "sha256": "00" * 32}]
    assert there.asset == "other"
    assert there.features.center == pytest.approx(1000 + 7 * here.features.center)
    assert there.calibration.threshold == pytest.approx(here.calibration.threshold, rel=1e-2)
    assert base.cell is not None
    assert there.cell is not None
    assert np.array_equal(there.cell.recurrent, base.cell.recurrent)
    assert there.calibration.wanted_per_day == 1.0
    raw = [run_engine(NumpyEngine(d), v, ((0, 500),)).raw for d, v in ((here, values), (there, other))]
    assert raw[1] == pytest.approx(raw[0], rel=0.05, abs=0.05)


def test_given_roles_survive_recalibration() -> None:
    values = recording(5, 1500, 3)
    values[:, 1] = np.round(values[:, 1])
    values[:, 2] = np.arange(1500) // 100 % 2
    base = tiny_detector()
    schema = base.schema
    channels = tuple(
        replace(c, role=role) for c, role in zip(schema.channels, ("sensor", "command", "sensor"), strict=True)
    )
    again = recalibrate(replace(base, schema=replace(schema, channels=channels)), recording_of(values), 1.0)
    assert [channel.role for channel in again.schema.channels] == ["sensor", "command", "sensor"]


def test_refit_uses_every_row_and_keeps_what_the_tail_measured() -> None:
    values, split = recording(5, 3000, 3), split_by_time(SEQUENCES, 9)
    first = recalibrate(tiny_detector(), recording_of(values, gap_at=1500), 10.0)
    before = measured(first, values, split)
    again = refit(before, values, split, 10.0)
    assert again.calibration.rows == 3000
    assert (again.cell, again.head) == (before.cell, before.head)
    assert again.calibration.surprise_limit == before.calibration.surprise_limit
    assert again.calibration.stuck_rows == before.calibration.stuck_rows
    assert again.seen.low == pytest.approx(values.min(axis=0))
    same = refit(again, values, split, 10.0)
    assert np.array_equal(same.highway.weights, again.highway.weights)
    assert same.calibration == again.calibration


def test_refit_does_not_raise_scores_of_later_rows() -> None:
    values = recording(5, 9000, 3)
    known, later = values[:3000], values[3000:]
    few = recalibrate(tiny_detector(), recording_of(known[:1500]), 10.0)
    more = recalibrate(tiny_detector(), recording_of(known), 10.0)
    raw = [run_engine(NumpyEngine(d), later, ((0, len(later)),)).raw for d in (few, more)]
    assert np.median(raw[1]) < np.median(raw[0]) + 0.3
    assert np.quantile(raw[1], 0.99) < np.quantile(raw[0], 0.99) + 1.0


def test_refit_learns_a_shift_in_the_last_rows() -> None:
    """Without the refit the highway would know only the rows before the held-out ones."""
    values = recording(5, 3000, 3)
    moved = values.copy()
    moved[2500:] += 3.0 * tiny_detector().features.scale
    before, after = (recalibrate(tiny_detector(), recording_of(rows), 1.0) for rows in (values, moved))
    assert (after.features.center - before.features.center > 0.2 * before.features.scale).all()
