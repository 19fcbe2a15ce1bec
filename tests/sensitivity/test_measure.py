"""The sensitivity report: the smallest size of each fault that is found, and the cost of the search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.detectors import recording, tiny_detector
from vcedge.calibration.split import split_by_time
from vcedge.calibration.trace import TracedRows, run_engine
from vcedge.detector import Detector
from vcedge.runtime.engine.registry import load_engine
from vcedge.schema import F64
from vcedge.sensitivity import measure
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity
from vcedge.sensitivity.measure import SIZES, measure_sensitivity

ROWS = 1500
BENCH = {"channels": 3, "threshold": 2.5}


def steady(seed: int = 1) -> F64:
    """Return a recording without its bursts, so that the whole tail is normal."""
    values = recording(seed, ROWS, 3)
    return np.asarray(np.clip(values, np.quantile(values, 0.02, axis=0), np.quantile(values, 0.98, axis=0)))


def measured(detector: Detector, values: F64, **more: int) -> Sensitivity:
    split = split_by_time(((0, len(values)),), 2)
    trace = run_engine(load_engine(detector), values, split.validation + split.tail, split.starts)
    sensitivity = measure_sensitivity(detector, TracedRows(values, split, trace), **more)  # type: ignore[arg-type]
    assert sensitivity is not None
    return sensitivity


def of_kind(sensitivity: Sensitivity, kind: str) -> list[DetectionLimit]:
    return [finding for finding in sensitivity.findings if finding.kind == kind]


@pytest.fixture(scope="module")
def usual() -> Sensitivity:
    return measured(tiny_detector(cell=None, threshold=2.5), steady())


def test_every_kind_is_tried_and_plain_faults_are_found(usual: Sensitivity) -> None:
    assert len(usual.findings) == 3 * 10
    for kind in ("spike", "noise"):
        for finding in of_kind(usual, kind):
            assert finding.size is not None
            assert 0.3 < finding.size <= finding.largest
            assert finding.delay_s is not None
            assert 0 <= finding.delay_s < finding.watched_s


def test_found_size_is_the_smallest_tried_that_is_detected(usual: Sensitivity, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, int, float, bool]] = []
    honest = measure.median_delay

    def recorded(trials: measure.Trials, kind: measure.FaultKind, channel: int, size: float, rows: int) -> float | None:
        after = honest(trials, kind, channel, size, rows)
        tried.append((kind, channel, size, after is not None))
        return after

    monkeypatch.setattr(measure, "median_delay", recorded)
    assert measured(tiny_detector(cell=None, threshold=2.5), steady()) == usual
    for finding in usual.findings:
        here = [t for t in tried if t[0] == finding.kind and f"Channel {t[1]}" == finding.channel]
        assert len(here) <= measure.TRIES
        found, missed = [t[2] for t in here if t[3]], [t[2] for t in here if not t[3]]
        assert finding.size == (min(found) if found else None)
        assert max(missed, default=0.0) < min(found, default=np.inf)


def test_higher_threshold_finds_fewer_and_larger_faults(usual: Sensitivity) -> None:
    deafer = measured(tiny_detector(cell=None, threshold=8.0), steady())
    for before, after in zip(usual.findings, deafer.findings, strict=True):
        assert (after.size or np.inf) >= (before.size or np.inf) or before.kind in ("drift", "delay", "oscillation")
    assert sum(finding.found for finding in deafer.findings) < sum(finding.found for finding in usual.findings)


def test_infinite_threshold_finds_only_stuck_channels() -> None:
    sensitivity = measured(tiny_detector(cell=None, threshold=1e9), steady())
    for finding in sensitivity.findings:
        limited = finding.channel != "Channel 1"  # whose stuck limit is "never"
        assert finding.found == (limited and finding.kind in ("stuck", "gain")), finding
        if finding.kind == "stuck" and limited:
            assert finding.delay_s == pytest.approx(49)


def test_number_of_steps_is_bounded() -> None:
    detector = tiny_detector(cell=None, threshold=1e9)
    steps = 0

    class Counted:
        name = "counted"

        def __init__(self) -> None:
            self.inner = load_engine(detector)
            self.detector, self.new_state, self.step_many = detector, self.inner.new_state, self.inner.step_many

        def step(self, *args: object) -> object:
            nonlocal steps
            steps += 1
            return self.inner.step(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "load_engine", lambda _: Counted())
        measured(detector, steady())
    assert steps < 1.1 * measure.STEPS_PER_ROW * ROWS


def test_channel_limits_bound_the_tried_sizes() -> None:
    detector = tiny_detector(cell=None, threshold=1e9)
    low = replace(detector.schema.channels[0], low=-1.0, high=5.0)
    schema = replace(detector.schema, channels=(low, *detector.schema.channels[1:]))
    offsets = of_kind(measured(replace(detector, schema=schema), steady()), "offset")
    assert offsets[0].largest * offsets[0].noise <= 4.0 + 1e-6
    assert offsets[1].largest == pytest.approx(max(30, 10 / (offsets[1].noise / 1.5)))


def test_tail_without_a_normal_stretch_has_no_sensitivity() -> None:
    values = steady()
    detector = tiny_detector(cell=None, threshold=-30.0)  # below the least value of the statistic
    split = split_by_time(((0, len(values)),), 2)
    trace = run_engine(load_engine(detector), values, split.tail, split.starts)
    assert measure_sensitivity(detector, TracedRows(values, split, trace)) is None


def test_constant_channel_has_no_faults_of_movement() -> None:
    values = steady()
    values[:, 2] = 100.0
    kinds = {f.kind for f in measured(tiny_detector(cell=None), values).findings if f.channel == "Channel 2"}
    assert kinds == {"offset", "drift", "spike", "noise", "oscillation"}


def test_sensitivity_with_missing_values_and_a_network() -> None:
    values = steady()
    values[np.random.default_rng(0).random(values.shape) < 0.05] = np.nan
    sensitivity = measured(tiny_detector(threshold=2.5), values, most_steps=6000)
    assert any(finding.found for finding in sensitivity.findings)
    assert sensitivity.to_json()["findings"][0]["words"]
    assert SIZES > 2 ** (measure.TRIES - 1)


def test_measurement_can_be_stopped() -> None:
    values = steady()
    detector = tiny_detector(cell=None, threshold=2.5)
    split = split_by_time(((0, len(values)),), 2)
    trace = run_engine(load_engine(detector), values, split.tail, split.starts)
    shares: list[float] = []
    rows = TracedRows(values, split, trace)
    assert measure_sensitivity(detector, rows, shares.append, lambda: len(shares) == 1) is None
    assert shares == [pytest.approx(1 / 3)]
