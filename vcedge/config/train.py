"""Defines and loads the training configuration of `vcedge train` and `vcedge compare`.

Every key but `asset` and `data.train` has a good default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from vcedge.config.strict import Strict, load_yaml
from vcedge.errors import ConfigError

ASSET_PATTERN = r"^[^/+#\s]+$"
"""An asset's name is a level of MQTT topics."""


class ChannelConfig(Strict):
    """Describes one channel that the model watches. Values outside `low`..`high` count as missing."""

    name: str = Field(min_length=1)
    unit: str = ""
    low: float | None = None
    high: float | None = None
    rate: float | Literal["auto"] | None = None
    """Fastest change a second; a faster value counts as missing unless the next one confirms it. `auto`: ten times the
    fastest change in the recordings."""

    role: Literal["sensor", "command"] | None = None
    """A command is set by an operator or a program: it is context of the forecasts, and has no errors of its own.
    Absent: measured; at most two values, both whole numbers, make a command."""

    @field_validator("rate")
    @classmethod
    def _is_a_rate(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, float) and value <= 0:
            raise ValueError("expected a number above zero, or auto")
        return value


class TimeConfig(Strict):
    """Says how to read times. Without a column, named here or found automatically, rows are equally spaced."""

    column: str | None = None
    format: str | None = None
    """strptime format of times that are neither ISO 8601 nor epoch numbers, such as "%d/%m/%y %H"."""
    period_s: float | None = Field(default=None, gt=0)
    max_gap_s: float | None = Field(default=None, gt=0)


class TableConfig(Strict):
    """Describes the dialect of files that cannot be recognised from their first lines."""

    delimiter: str | None = None
    decimal: Literal[".", ","] | None = None
    header: bool | None = None
    skip_rows: int = Field(default=0, ge=0)
    """Lines above the table."""
    transpose: bool = False
    array: str | None = None
    """Name of the array inside an .npz file."""


class ReadingConfig(Strict):
    """Says how to read files. A model stores the settings of its training files."""

    time: TimeConfig = TimeConfig()
    table: TableConfig = TableConfig()

    def with_period(self, period_s: float) -> ReadingConfig:
        """Return the settings with this period, which spaces the rows of a file without a time."""
        return self.model_copy(update={"time": self.time.model_copy(update={"period_s": period_s})})


class DataConfig(Strict):
    """Says which recordings to fit on, and which of their columns and rows."""

    train: list[str] = Field(min_length=1)
    """File names or globs, relative to the configuration file; normal operation only."""
    test: list[str] = Field(default=[])
    """Test recordings of `vcedge compare`, as `train`; empty: the last quarter of the training recording."""
    label: str | None = None
    """Column that marks anomalous rows. It is never a channel."""
    labels: list[str] = Field(default=[])
    """labels.csv files with people's judgements, as `train`: rows of faults and maintenance are left out."""
    guide: str | None = None
    """Column of the training recordings, 0 to 1, that marks the rows for which the gate learns to compute much. It is
    never a channel, and no device needs it."""
    time: TimeConfig = TimeConfig()
    channels: list[ChannelConfig] | None = None
    """Absent: every numeric column that is not excluded."""
    exclude: list[str] = Field(default=[])
    table: TableConfig = TableConfig()
    limit_rows: int | None = Field(default=None, gt=0)
    """Number of first rows of the whole input to use."""
    memory_rows: int = Field(default=20_000_000, gt=0)
    """Longer histories are kept in a temporary file instead of memory."""

    @property
    def roles(self) -> dict[str, Literal["sensor", "command"]]:
        """Roles that are given, by the names of their channels."""
        return {channel.name: channel.role for channel in self.channels or [] if channel.role is not None}

    @property
    def reading(self) -> ReadingConfig:
        """The sections `time` and `table`."""
        return ReadingConfig(time=self.time, table=self.table)


class ModelConfig(Strict):
    """Configures the network. `target` is the mean share of hidden dimensions that normal operation may update."""

    cell: Literal["vcgru", "vcrnn", "gru", "rnn", "none"] = "vcgru"
    """Kind of cell; none: the linear forecaster alone, without a network."""
    hidden_size: int = Field(default=64, ge=4, le=4096)
    levels: int | list[float] = 8
    target: float = Field(default=0.25, gt=0, le=1)

    @property
    def gated(self) -> bool:
        """True if the cell has a gate."""
        return self.cell in ("vcgru", "vcrnn")


class FitConfig(Strict):
    """Says how long to train. A budget of update steps limits the epochs too."""

    epochs: int = Field(default=30, ge=1)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    checkpoint_s: float = Field(default=20.0, ge=0)
    """Longest work in seconds that a killed training loses; 0: a checkpoint after every update."""


class HighwayConfig(Strict):
    """Configures the linear baseline: ridge VAR of `order` past samples. Absent: chosen on held-out rows."""

    order: int | None = Field(default=None, ge=1, le=64)
    ridge: float | None = Field(default=None, gt=0)


class ScoreConfig(Strict):
    """Says how errors become alarms."""

    false_alarms_per_day: float = Field(default=1.0, gt=0)
    span: Literal["auto"] | Annotated[float, Field(ge=1)] = "auto"
    """Rows that the middle readings smooth over; the other readings scale with it. `auto` uses 20, and longer scales
    that training finds itself: the cycle of the machine, and the memory of lasting evidence."""
    min_duration_s: float = Field(default=0.0, ge=0)
    """Shortest event: less time above the threshold raises none."""
    hold_s: float = Field(default=0.0, ge=0)
    """Quiet time that ends an event: a flickering fault is one event."""


class ReportConfig(Strict):
    """Switches costly parts of the report on or off."""

    sensitivity: bool = True
    """Measure which faults are found, and how soon: at most about one minute."""


class TrainConfig(Strict):
    """Holds the complete file."""

    asset: str = Field(min_length=1, pattern=ASSET_PATTERN)
    data: DataConfig
    model: ModelConfig = ModelConfig()
    train: FitConfig = FitConfig()
    highway: HighwayConfig = HighwayConfig()
    score: ScoreConfig = ScoreConfig()
    report: ReportConfig = ReportConfig()
    base_dir: Path = Field(default=Path(), exclude=True)
    """Folder of the file, which `data.train` is relative to; filled in by the loader."""


def load_train_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Load and check the file, with `base_dir` set to its folder; `overrides` as in `load_yaml`.

    Raises:
        ConfigError: as `load_yaml`; or there is a guide but no gate, the levels do not divide the hidden size, or the
            smallest level is above the target.
        InputNotFound, UsageError: as `load_yaml`.
    """
    from vcedge.detector import boundaries_of  # imports numpy, which the rest of this module does not need

    config = load_yaml(path, TrainConfig, overrides)
    if config.data.guide is not None and not config.model.gated:
        raise ConfigError(
            f"{path}: key 'data.guide' is {config.data.guide!r}, but model.cell {config.model.cell} has no gate: "
            "expected vcgru or vcrnn"
        )
    if config.model.gated:
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
