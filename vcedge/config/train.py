"""The training configuration: what `vcedge train` and `vcedge compare` read.

Every key has a good default but `asset` and `data.train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from vcedge.config.strict import Strict, load_yaml
from vcedge.errors import ConfigError

ASSET_PATTERN = r"^[^/+#\s]+$"
"""Names of machines are parts of MQTT topics."""


class ChannelConfig(Strict):
    """One channel that the model watches. Values outside `low`..`high` count as missing."""

    name: str = Field(min_length=1)
    unit: str = ""
    low: float | None = None
    high: float | None = None
    rate: float | Literal["auto"] | None = None
    """The most it can change a second; a faster value counts as missing unless the next one confirms it. `auto`: ten
    times the fastest change of the recordings."""

    @field_validator("rate")
    @classmethod
    def _is_a_rate(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, float) and value <= 0:
            raise ValueError("expected a number above zero, or auto")
        return value


class TimeConfig(Strict):
    """How time is read. Without a column (named here or found by itself) rows are equally spaced."""

    column: str | None = None
    format: str | None = None
    """strptime format for spellings that are neither ISO 8601 nor epoch numbers, such as "%d/%m/%y %H"."""
    period_s: float | None = Field(default=None, gt=0)
    max_gap_s: float | None = Field(default=None, gt=0)


class TableConfig(Strict):
    """How files are read, where guessing from their first lines is not enough."""

    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | None = None
    skip_rows: int = Field(default=0, ge=0)
    """Lines above the table that are not part of it."""
    transpose: bool = False
    array: str | None = None
    """Name of the array inside an .npz file."""


class ReadingConfig(Strict):
    """How files are read. A model stores the settings of its training files."""

    time: TimeConfig = TimeConfig()
    table: TableConfig = TableConfig()

    def with_period(self, period_s: float) -> ReadingConfig:
        """Return the settings with this period, which spaces the rows of a file without a time."""
        return self.model_copy(update={"time": self.time.model_copy(update={"period_s": period_s})})


class DataConfig(Strict):
    """Which recordings to fit on, and what of them."""

    train: list[str] = Field(min_length=1)
    """File names or globs, relative to the configuration file: normal behaviour only."""
    test: list[str] = Field(default=[])
    """Recordings that `vcedge compare` tests on, as `train`; none: the last quarter of the training recording."""
    label: str | None = None
    """Column that says which rows are anomalous. It is never a channel."""
    guide: str | None = None
    """Column of the training recordings, 0 to 1, that tells the gate on which rows to look. It is never a channel, and
    no device needs it: the gate learns to look there by itself."""
    time: TimeConfig = TimeConfig()
    channels: list[ChannelConfig] | None = None
    """Absent: every numeric column that is not excluded."""
    exclude: list[str] = Field(default=[])
    table: TableConfig = TableConfig()
    limit_rows: int | None = Field(default=None, gt=0)
    """Only the first so many rows of the whole input."""
    memory_rows: int = Field(default=20_000_000, gt=0)
    """Longer histories are spooled to a temporary file instead of memory."""

    @property
    def reading(self) -> ReadingConfig:
        """The sections `time` and `table`."""
        return ReadingConfig(time=self.time, table=self.table)


class ModelConfig(Strict):
    """The network. `target` is the mean share of hidden dimensions that normal operation may update."""

    cell: Literal["vcgru", "vcrnn", "gru", "rnn"] = "vcgru"
    hidden_size: int = Field(default=64, ge=4, le=4096)
    levels: int | list[float] = 8
    target: float = Field(default=0.25, gt=0, le=1)


class FitConfig(Strict):
    """How long to train. Epochs are also bounded by a budget of update steps, whatever this says."""

    epochs: int = Field(default=30, ge=1)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    checkpoint_s: float = Field(default=20.0, ge=0)
    """Seconds after which a killed training loses no more work; 0: after every update."""


class HighwayConfig(Strict):
    """The linear forecaster under the network: ridge VAR of `order` past samples. Absent: chosen on held-out rows."""

    order: int | None = Field(default=None, ge=1, le=64)
    ridge: float | None = Field(default=None, gt=0)


class ScoreConfig(Strict):
    """How errors become alarms."""

    false_alarms_per_day: float = Field(default=1.0, gt=0)
    span: float = Field(default=20.0, ge=1)
    """Rows that the middle part of the scorer smooths over; the others follow it."""
    min_duration_s: float = Field(default=0.0, ge=0)
    """What is above the threshold for a shorter time is no event."""
    hold_s: float = Field(default=0.0, ge=0)
    """An event ends when it was quiet for so long: a fault that flickers is one event."""


class ReportConfig(Strict):
    """What the report holds beyond what costs nothing."""

    sensitivity: bool = True
    """Measure which faults are found, and how soon: at most about a minute more."""


class TrainConfig(Strict):
    """The whole file."""

    asset: str = Field(min_length=1, pattern=ASSET_PATTERN)
    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: FitConfig = FitConfig()
    highway: HighwayConfig = HighwayConfig()
    score: ScoreConfig = ScoreConfig()
    report: ReportConfig = ReportConfig()
    base_dir: Path = Field(default=Path(), exclude=True)
    """Folder that `data.train` is relative to: that of the file, filled in by the loader."""


def load_train_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The checked file, with `base_dir` set to its folder; `overrides` as in `load_yaml`.

    Raises what `load_yaml` raises, and ConfigError where there is a guide but no gate, where the levels do not cut the
    hidden size, or where the smallest of them is more than the target.
    """
    from vcedge.detector import DENSE_KINDS, boundaries_of  # brings numpy, which the model of the file does not need

    config = load_yaml(path, TrainConfig, overrides)
    if config.data.guide is not None and config.model.cell in DENSE_KINDS:
        raise ConfigError(
            f"{path}: key 'data.guide' is {config.data.guide!r}, but model.cell {config.model.cell} has no gate: "
            "expected vcgru or vcrnn"
        )
    if config.model.cell not in DENSE_KINDS:
        try:
            smallest = boundaries_of(config.model.levels, config.model.hidden_size)[0]
        except ValueError as error:
            raise ConfigError(f"{path}: key 'model.levels' is {config.model.levels}, but {error}") from None
        floor = smallest / config.model.hidden_size
        if config.model.target < floor:
            raise ConfigError(
                f"{path}: key 'model.target' is {config.model.target:g}, but every row updates the smallest level: "
                f"expected at least {floor:g} ({smallest} of {config.model.hidden_size} dimensions), or more levels"
            )
    return config.model_copy(update={"base_dir": path.parent})
