"""Loads a history for training: sorted, without repeated times, cut at gaps, larger than memory if need be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import DataConfig
from vcedge.errors import ConfigError, DataError
from vcedge.history.columns import check_time, misspelt, pick_channels
from vcedge.history.files import find_files, fingerprint
from vcedge.history.open import InputFiles, OpenedFile
from vcedge.history.rates import with_rates
from vcedge.history.recording import NO_TIME, Recording
from vcedge.history.report import DataReport
from vcedge.history.row_buffer import RowBuffer, select
from vcedge.history.rows import RowReader
from vcedge.history.survey import GAP_PERIODS, survey_intervals, survey_values
from vcedge.history.times import Times
from vcedge.schema import F64, NS_PER_S, Channel, SensorSchema, beyond_limits
from vcedge.wording import clipped, utc_time

_DEFAULT_PERIOD_S = 1.0
Indices = NDArray[np.int64]


def load_history(data: DataConfig, base_dir: Path) -> Recording:
    """Read all files of `data.train`, relative to `base_dir`, as one recording.

    The period is the configured one or the median interval. A gap is longer than the configured one, or than both 10
    periods and 3 times the 95% quantile of the intervals. Channels that the configuration does not name are left out if
    they are empty, or constant and called like a label.

    Raises:
        InputNotFound: a pattern matches no file, or a file cannot be opened.
        DataError: a file holds no table, lacks a column, or has times before 1970; no row or no channel is left.
        ConfigError: the channels, limits, or time settings contradict each other.
    """
    check_time(data.time)
    paths = find_files(data.train, base_dir)
    files = InputFiles(paths, data.reading)
    channels, left_out, warnings = _channels_of(files.first, data)
    period_s = data.time.period_s or _DEFAULT_PERIOD_S
    period_ns, gap_ns = _ns(period_s), _ns(data.time.max_gap_s or GAP_PERIODS * period_s)
    draft = SensorSchema(channels, period_ns, gap_ns)
    extra = () if data.guide is None else (data.guide,)
    reader = RowReader(files, draft, extra, observe=False, limit_rows=data.limit_rows)
    times, values, guide = _read_all(reader, draft, data)
    report = reader.report
    report.arranged = True
    report.left_out |= left_out
    report.warnings += warnings
    if not len(times):
        raise DataError(f"{paths[0]}: none of {report.rows:,} rows has a readable time; set data.time.format")
    order, repeated = _usable_order(times)
    report.duplicate_times = repeated
    kept = survey_values(report, draft.names, values, named=data.channels is not None)
    guide = guide if guide is None or order is None else guide[order]
    times, values = _arranged(times, values, order, kept, data.memory_rows)
    channels = tuple(channels[j] for j in kept.tolist())
    period_ns, gap_ns, sequences = survey_intervals(report, times, draft, data.time)
    channels = with_rates(channels, data.channels or [], times, values, sequences)
    report.used = len(times)
    return Recording(
        schema=SensorSchema(channels, period_ns, gap_ns),
        time_ns=times,
        values=values,
        sequences=sequences,
        report=report,
        files=tuple((_name_of(path, base_dir), fingerprint(path)) for path in paths),
        guide=guide,
    )


def _channels_of(file: OpenedFile, data: DataConfig) -> tuple[tuple[Channel, ...], dict[str, str], list[str]]:
    """Return the channels to read, the columns left out with their reasons, and warnings."""
    if data.channels is not None:
        named = tuple(Channel(c.name, c.unit, c.low, c.high) for c in data.channels)
        _check_channels(named)
        _check_guide(named, data.guide)
        return named, {}, []
    hidden = [*data.exclude, *(column for column in (data.label, data.guide) if column is not None)]
    names, left_out = pick_channels(file.table, file.time, hidden)
    if not names:
        reasons = ", ".join(f"{name} ({why})" for name, why in list(left_out.items())[:10]) or "only the time"
        raise DataError(f"{file.table.path}: has no column of numbers to watch: {clipped(reasons)}")
    return tuple(map(Channel, names)), left_out, misspelt(data.exclude, file.table)


def _check_channels(channels: Sequence[Channel]) -> None:
    names = [channel.name for channel in channels]
    for channel in channels:
        if names.count(channel.name) > 1:
            raise ConfigError(f"data.channels: {channel.name!r} is named twice, expected once")
        if channel.low is not None and channel.high is not None and channel.low >= channel.high:
            raise ConfigError(f"data.channels: {channel.name}: low {channel.low} is not below high {channel.high}")
    if not names:
        raise ConfigError("data.channels: is empty; leave the key out to watch every column of numbers")


def _check_guide(channels: Sequence[Channel], guide: str | None) -> None:
    if any(channel.name == guide for channel in channels):
        raise ConfigError(f"data.guide: {guide!r} is a channel too, expected a column that the model does not watch")


def _read_all(reader: RowReader, schema: SensorSchema, data: DataConfig) -> tuple[Times, F64, F64 | None]:
    """Return times (N,), values (N, C) and guide (N,) of all rows with a time, in file order, limits applied."""
    times: list[Times] = [np.empty(0, np.int64)]
    guide: list[F64] = [np.empty(0)]
    with RowBuffer(len(schema.channels), data.memory_rows) as buffer:
        for block in reader:
            readable = block.time_ns != NO_TIME
            _check_epoch(block.time_ns[readable], reader.report.files[-1].name, data.time.format)
            complete = bool(readable.all())
            values = block.values if complete else block.values[readable]
            times.append(block.time_ns if complete else block.time_ns[readable])
            if data.guide is not None:
                guide.append(_checked_guide(block.extra[data.guide], data.guide, reader.report)[readable])
            buffer.append(_within_limits(values, schema, reader.report))
        return np.concatenate(times), buffer.finish(), None if data.guide is None else np.concatenate(guide)


def _checked_guide(guide: F64, name: str, report: DataReport) -> F64:
    """Return the column unchanged. Raises DataError for a value outside 0 to 1; a missing one is allowed."""
    wrong = guide[(guide < 0) | (guide > 1)]
    if len(wrong):
        raise DataError(f"{report.files[-1].name}: column {name!r} holds {wrong[0]:g}: a guide is between 0 and 1")
    return guide


def _check_epoch(times: Times, name: str, time_format: str | None) -> None:
    """Raise DataError for times before 1970: a stream takes them for clock errors and does not score them."""
    early = times[times < 0]
    if len(early):
        read_as = "without data.time.format" if time_format is None else f"with data.time.format {time_format!r}"
        raise DataError(
            f"{name}: time {utc_time(int(early[0]))}, read {read_as}: expected times from 1970 on, with day and year"
        )


def _within_limits(values: F64, schema: SensorSchema, report: DataReport) -> F64:
    bad = beyond_limits(values, *schema.limits())
    if bad.any():
        for j in np.flatnonzero(bad.any(axis=0)).tolist():
            report.channels[schema.names[j]].beyond_limits += int(bad[:, j].sum())
        values = np.where(bad, np.nan, values)
    report.observe(schema.names, values)
    return values


def _usable_order(times: Times) -> tuple[Indices | None, int]:
    """Return the rows to keep in their order, None for all as they are, and how many rows repeat a time."""
    if bool((np.diff(times) > 0).all()):
        return None, 0
    order = np.argsort(times, kind="stable")  # stable: of rows with one time, the first one read is kept
    first = np.diff(times[order], prepend=times[order[0]] - 1) > 0
    return order[first], int((~first).sum())


def _arranged(times: Times, values: F64, order: Indices | None, kept: Indices, memory_rows: int) -> tuple[Times, F64]:
    if order is None and len(kept) == values.shape[1]:
        return times, values
    rows = np.arange(len(times)) if order is None else order
    return times[rows], select(values, rows, kept, memory_rows)


def _name_of(path: Path, base_dir: Path) -> str:
    """Return the path relative to the folder, or its name alone: a model must not disclose where files are stored."""
    absolute, folder = Path(os.path.abspath(path)), Path(os.path.abspath(base_dir))
    return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else path.name


def _ns(seconds: float) -> int:
    return max(round(seconds * NS_PER_S), 1)
