"""How a model's own settings read files: what was true of its training files is the default for others."""

from __future__ import annotations

from collections.abc import Sequence

from vcedge.config.train import ChannelConfig, DataConfig, TableConfig, TimeConfig
from vcedge.detector import Detector
from vcedge.schema import NS_PER_S


def time_and_table(detector: Detector) -> tuple[TimeConfig, TableConfig]:
    """Time and table settings of the detector's training files, with its own period for files without time."""
    time = TimeConfig.model_validate(detector.reading.get("time", {}))
    table = TableConfig.model_validate(detector.reading.get("table", {}))
    return time.model_copy(update={"period_s": detector.schema.period_ns / NS_PER_S}), table


def data_config(detector: Detector, inputs: Sequence[str], rows: int | None = None) -> DataConfig:
    """A data section that reads `inputs` as the detector expects its channels."""
    time, table = time_and_table(detector)
    gap = detector.schema.max_gap_ns / NS_PER_S
    channels = [ChannelConfig(name=c.name, unit=c.unit, low=c.low, high=c.high) for c in detector.schema.channels]
    return DataConfig(
        train=list(inputs),
        time=time.model_copy(update={"max_gap_s": gap}),
        table=table,
        channels=channels,
        limit_rows=rows,
    )
