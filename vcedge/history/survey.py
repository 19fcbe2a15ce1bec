"""Selects the channels to keep of a history that was read, measures its period, and finds its gaps."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import TimeConfig
from vcedge.errors import DataError
from vcedge.history.report import DataReport
from vcedge.history.times import Times
from vcedge.schema import F64, NS_PER_S, SensorSchema
from vcedge.wording import duration

GAP_PERIODS = 10
GAP_QUANTILE = 0.95
GAP_QUANTILES = 3
OUTLIER = 100.0
"""A value that lies outside the usual range by more than this many of its widths ruins the standard deviation."""
_SAMPLE_ROWS = 10_000
_LABEL = re.compile(r"label.*|anomaly.*|is_anomaly|attack.*|att_flag|event|fault|changepoint|outlier", re.IGNORECASE)
_CHUNK_ROWS = 1_000_000


def survey_values(report: DataReport, names: tuple[str, ...], values: F64, *, named: bool) -> NDArray[np.int64]:
    """Return the channels of values (N, C) to keep; record the others in `report.left_out`, and warnings.

    A channel that stood still is kept, because its first change is news; but not one that is called like a label.

    Raises:
        DataError: a named channel is empty, or no channel is left.
    """
    kept = []
    for j, name in enumerate(names):
        channel = report.channels[name]
        empty = channel.missing == report.counted
        if empty and named:
            texts = f" (commonest text: {channel.texts.most_common(1)[0][0]!r})" if channel.texts else ""
            raise DataError(f"{report.files[0].name}: channel {name!r} has no usable value in any row{texts}")
        called_label = not named and _LABEL.fullmatch(name) is not None
        if (empty and not named) or (channel.constant and called_label):
            report.left_out[name] = "empty" if empty else "constant, and called like a label"
            del report.channels[name]
            continue
        kept.append(j)
        if channel.missing > 0.5 * report.counted:
            report.warnings.append(f"channel {name!r} is missing in {channel.missing / report.counted:.0%} of the rows")
        usual = _usual_range(values, j)
        far = max(channel.low, channel.high, key=lambda value: abs(value - sum(usual) / 2))
        if abs(far - sum(usual) / 2) > OUTLIER * (usual[1] - usual[0]) > 0:
            report.warnings.append(
                f"channel {name!r} holds {far:.6g}, though 98% of its values are {usual[0]:.6g} to {usual[1]:.6g}: "
                "one such value hides faults; state low and high in data.channels"
            )
        if called_label and (channel.low, channel.high) == (0.0, 1.0) and _only_zero_and_one(values, j):
            report.warnings.append(f"channel {name!r} looks like a label: add it to data.exclude if it is one")
    if not kept:
        raise DataError(
            f"{report.files[0].name}: every column of numbers is empty, or a constant that is called like a label"
        )
    return np.array(kept, np.int64)


def _only_zero_and_one(values: F64, j: int) -> bool:
    """Return whether a channel of values (N, C) holds nothing else; in pieces, as it may not fit into memory."""
    pieces = (values[first : first + _CHUNK_ROWS, j] for first in range(0, len(values), _CHUNK_ROWS))
    return all(bool((np.isnan(piece) | (piece == 0) | (piece == 1)).all()) for piece in pieces)


def _usual_range(values: F64, j: int) -> tuple[float, float]:
    """Return the 1% and 99% quantiles of a channel of values (N, C), on evenly spaced rows."""
    sample = values[:: max(1, len(values) // _SAMPLE_ROWS), j]
    present = sample[np.isfinite(sample)]
    low, high = np.quantile(present, [0.01, 0.99]) if len(present) else (0.0, 0.0)
    return float(low), float(high)


def survey_intervals(
    report: DataReport, times: Times, draft: SensorSchema, time: TimeConfig
) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """Return period and longest gap in ns, and the runs [start, stop) without a gap, of sorted times (N,).

    Period and gap are those of the draft if configured, and measured otherwise. A gap is longer than 10 periods and
    than 3 times the 95% quantile of the intervals, so that irregular sampling is not cut to pieces.
    """
    intervals = np.diff(times)
    period, gap = draft.period_ns, draft.max_gap_ns
    if report.has_time and len(intervals):
        median = max(round(float(np.median(intervals))), 1)
        low, high = np.quantile(intervals, [1 - GAP_QUANTILE, GAP_QUANTILE], method="lower")
        period = period if time.period_s else median
        if not time.max_gap_s:
            gap = max(GAP_PERIODS * period, round(GAP_QUANTILES * float(high)))
        report.interval_q05_s, report.interval_q95_s = float(low) / NS_PER_S, float(high) / NS_PER_S
        report.irregular = float((np.abs(intervals - median) > 0.1 * median).mean())
        if abs(median - period) > 0.1 * period:
            report.warnings.append(
                f"the median interval is {duration(median / NS_PER_S)}, expected {duration(period / NS_PER_S)} "
                "(data.time.period_s)"
            )
    cuts = np.flatnonzero(intervals > gap) + 1
    edges = [0, *cuts.tolist(), len(times)]
    sequences = tuple(pairwise(edges))
    report.period_s, report.max_gap_s = period / NS_PER_S, gap / NS_PER_S
    report.sequences = len(sequences)
    if report.has_time:
        report.gaps = len(cuts)
        report.longest_gap_s = float(intervals[cuts - 1].max()) / NS_PER_S if len(cuts) else 0.0
        _warn_about_times(report, len(times))
    return period, gap, sequences


def _warn_about_times(report: DataReport, rows: int) -> None:
    if report.sequences > max(rows / 20, 10):
        report.warnings.append(
            f"gaps cut the history into pieces of {rows / report.sequences:.3g} rows: is data.time.max_gap_s too short?"
        )
    if report.duplicate_times > 0.1 * rows:
        report.warnings.append("many rows share their time: is its column too coarse, or are machines mixed?")
    spans = sorted(
        (f.first_ns, f.last_ns, f.name) for f in report.files if f.first_ns is not None and f.last_ns is not None
    )
    mixed = [(name, other) for (_, stop, name), (start, _, other) in pairwise(spans) if start <= stop]
    if mixed:
        name, other = mixed[0]
        more = f" (and {len(mixed) - 1} more pairs)" if len(mixed) > 1 else ""
        report.warnings.append(f"{name} and {other} overlap in time{more}: their rows are mixed, in order of time")
