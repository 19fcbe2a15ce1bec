"""Settings that read files as a model's training files were read."""

from __future__ import annotations

from collections.abc import Sequence

from vcedge.config.strict import overridden
from vcedge.config.train import ChannelConfig, DataConfig, ReadingConfig
from vcedge.detector import Detector
from vcedge.errors import UsageError
from vcedge.schema import NS_PER_S

FIXED_BY_MODEL = ("time.period_s", "time.max_gap_s")
"""Settings that no override may change: the model's statistics hold for its own period alone."""


def stored_reading(detector: Detector, overrides: Sequence[str] = ()) -> ReadingConfig:
    """Return the settings stored in the model, with overrides such as `time.format=%d/%m/%y` applied.

    Raises:
        UsageError: an override is not `key=value`, or its key belongs to the model.
        ConfigError: an override names an unknown key or has an impossible value.
    """
    for option in overrides:
        key = option.partition("=")[0]
        if key in FIXED_BY_MODEL:
            raise UsageError(f"--set {option}: '{key}' belongs to the model and stays as it was trained; leave it out")
    return overridden(detector.reading, "the model's key 'reading'", ReadingConfig, overrides)


def reading_config(detector: Detector, overrides: Sequence[str] = ()) -> ReadingConfig:
    """Return the stored settings with the model's own period, which spaces rows without a time.

    Raises as `stored_reading`.
    """
    return stored_reading(detector, overrides).with_period(detector.schema.period_ns / NS_PER_S)


def data_config(
    detector: Detector, inputs: Sequence[str], rows: int | None = None, overrides: Sequence[str] = ()
) -> DataConfig:
    """Return a data section that reads `inputs` for the detector's channels, at most `rows` rows.

    Raises as `stored_reading`.
    """
    reading = reading_config(detector, overrides)
    gap = detector.schema.max_gap_ns / NS_PER_S
    channels = [ChannelConfig(name=c.name, unit=c.unit, low=c.low, high=c.high) for c in detector.schema.channels]
    return DataConfig(
        train=list(inputs),
        time=reading.time.model_copy(update={"max_gap_s": gap}),
        table=reading.table,
        channels=channels,
        limit_rows=rows,
    )
