"""Writes a simulated run as a CSV file, as a historian would export it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vcedge.errors import InputOutputError
from vcedge.schema import NS_PER_S
from vcedge.simulate.sensors import SENSORS
from vcedge.simulate.simulation import Simulation

CHUNK = 65_536  # rows held as text at a time


def write_csv(simulation: Simulation, path: Path | str) -> None:
    """Write `time` (ISO 8601, UTC), the channels (empty where a reading was lost) and `anomaly` (0 or 1).

    Reading the text returns the same doubles.

    Raises:
        InputOutputError: the file cannot be written.
    """
    header = ",".join(("time", *simulation.names, "anomaly"))
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(header + "\n")
            for first in range(0, len(simulation.time_ns), CHUNK):
                file.writelines(_lines(simulation, slice(first, first + CHUNK)))
    except OSError as error:
        raise InputOutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def iso_times(time_ns: NDArray[np.int64], like: NDArray[np.int64] | None = None) -> list[str]:
    """Return times such as 2026-01-05T06:00:00Z, with the decimals that all of `like` (default: `time_ns`) need."""
    all_times = time_ns if like is None else like
    unit: Literal["s", "ms", "us", "ns"] = "ns"
    if not np.any(all_times % NS_PER_S):
        unit = "s"
    elif not np.any(all_times % 1_000_000):
        unit = "ms"
    elif not np.any(all_times % 1_000):
        unit = "us"
    return [f"{text}Z" for text in np.datetime_as_string(time_ns.astype("datetime64[ns]"), unit=unit).tolist()]


def _lines(simulation: Simulation, rows: slice) -> list[str]:
    columns = [iso_times(simulation.time_ns[rows], like=simulation.time_ns)]
    for sensor, values in zip(SENSORS, simulation.values[rows].T, strict=True):
        spelling = f"%.{sensor.decimals}f"
        columns.append(["" if value != value else spelling % value for value in values.tolist()])
    columns.append([str(label) for label in simulation.anomaly[rows].tolist()])
    return [",".join(fields) + "\n" for fields in zip(*columns, strict=True)]
