"""How a model's own settings read files: what was true of its training files is the default for others."""

from __future__ import annotations

from collections.abc import Sequence

from vcedge.config.strict import Strict, overridden
from vcedge.config.train import ChannelConfig, DataConfig, TableConfig, TimeConfig
from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.schema import NS_PER_S

OF_THE_MODEL = ("time.period_s", "time.max_gap_s")
"""Settings that are the model's: its statistics hold for its own period alone."""


class Reading(Strict):
    """What a model stores of the way its training files were read."""

    time: TimeConfig = TimeConfig()
    table: TableConfig = TableConfig()


def reading_of(detector: Detector, overrides: Sequence[str] = ()) -> Reading:
    """The stored settings, with `overrides` such as `time.format=%d/%m/%y` or `table.transpose=false` over them.

    Raises UsageError and ConfigError for what cannot be overridden so.
    """
    for option in overrides:
        key = option.partition("=")[0]
        if key in OF_THE_MODEL:
            raise UsageError(f"--set {option}: '{key}' is the model's own and stays as it was trained")
    return overridden(detector.reading, "the model's key 'reading'", Reading, overrides)


def time_and_table(detector: Detector, overrides: Sequence[str] = ()) -> tuple[TimeConfig, TableConfig]:
    """Time and table settings of the detector's training files, with its own period for files without time.

    Raises as `reading_of`.
    """
    reading = reading_of(detector, overrides)
    return reading.time.model_copy(update={"period_s": detector.schema.period_ns / NS_PER_S}), reading.table


def data_config(
    detector: Detector, inputs: Sequence[str], rows: int | None = None, overrides: Sequence[str] = ()
) -> DataConfig:
    """A data section that reads `inputs` as the detector expects its channels. Raises as `reading_of`."""
    time, table = time_and_table(detector, overrides)
    gap = detector.schema.max_gap_ns / NS_PER_S
    channels = [ChannelConfig(name=c.name, unit=c.unit, low=c.low, high=c.high) for c in detector.schema.channels]
    return DataConfig(
        train=list(inputs),
        time=time.model_copy(update={"max_gap_s": gap}),
        table=table,
        channels=channels,
        limit_rows=rows,
    )
