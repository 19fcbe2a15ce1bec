"""Holds the facts of a training that its verdict depends on."""

from __future__ import annotations

from dataclasses import dataclass

from vcedge.wording import DAY_S

EVENTS_TO_SHOW = 3.0
"""A recording in which this many events are expected shows their rate: if none occurs, the rate is lower with a
probability of 95%."""


@dataclass(frozen=True)
class ChannelFacts:
    """Holds the smallest jump and drift that are found on one channel, in its unit."""

    name: str
    unit: str
    spread: float
    """Largest less smallest value in training."""
    jump: float | None
    """None if no jump up to `largest` is found."""
    jump_s: float
    """Time until the jump is found; if none is, the time that it was watched for."""
    drift: float | None
    """Amount that the slowest drift found has reached when it is found; None if none up to `largest` is found."""
    drift_s: float
    """Time until the drift is found; if none is, the time that it was watched for."""
    largest: float

    @property
    def blind(self) -> bool:
        """True if neither a jump nor a drift is found."""
        return self.jump is None and self.drift is None

    @property
    def coarse(self) -> bool:
        """True if only changes as large as everything that the channel showed in training are found."""
        found = [size for size in (self.jump, self.drift) if size is not None]
        return bool(found) and min(found) >= self.spread


@dataclass(frozen=True)
class NetworkFacts:
    """Holds the gain and the cost of the network."""

    channels: int
    helped: int
    """Channels whose forecast the network improves."""
    best: str
    """Channel that it improves most."""
    removed: float
    """Share of the linear forecaster's squared error that it removes there."""
    updated: float
    """Mean share of the hidden dimensions that a row updates."""
    cost: float
    """Share of a row's multiply-adds that are the network's."""


@dataclass(frozen=True)
class Facts:
    """Holds what is known after a training."""

    rows: int
    """Normal rows on which the statistic was measured."""
    period_s: float
    wanted_per_day: float
    """False alarms that the configuration allows."""
    promised_per_day: float
    """False alarms that the threshold is for: the wanted ones, or as few as the rows can show."""
    expected_per_day: float | None
    """False alarms on these rows, each by a model of the others, for each day; None if there are too few rows."""
    channels: tuple[ChannelFacts, ...] | None
    """The sensors; None if the sensitivity was not measured."""
    missed_kinds: tuple[str, ...] = ()
    """Kinds of faults that are found on no channel."""
    others: tuple[str, ...] = ()
    """Channels that are no sensors: commands, and channels that stood still."""
    new_states: float | None = None
    """Share of the last quarter's rows that are unlike all rows of the others; None if not measured."""
    network: NetworkFacts | None = None
    """None without a network."""
    interrupted: bool = False
    """True if the training was stopped early."""

    @property
    def days(self) -> float:
        """Length of the rows in days."""
        return self.rows * self.period_s / DAY_S

    @property
    def days_needed(self) -> float:
        """Days of recording that show the wanted rate."""
        return EVENTS_TO_SHOW / self.wanted_per_day
