"""Checks the scorer's part of a model file's manifest, as docs/model-format.md specifies it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from vcedge.config.problems import shown
from vcedge.manifest_parts import INT32, Count, HighwayPart, Part, Scales
from vcedge.scorer import READINGS, Line

WEIGHTS_ERROR = 1e-6
"""Largest distance of the sum of the weights of the readings from 1."""
MOST_CENTROIDS, MOST_BLOCKS = 32, 24


class HorizonPart(HighwayPart):
    """Checks the scorer's second forecaster."""

    ahead: int = Field(ge=1, le=INT32)


class ReconstructionPart(Part):
    """Checks which rows are reconstructed, and from how many components."""

    lags: list[Count] = Field(min_length=1)
    components: int = Field(ge=1, le=INT32)

    @model_validator(mode="after")
    def _lags_increase(self) -> ReconstructionPart:
        if self.lags[0] != 0 or any(b <= a for a, b in pairwise(self.lags)):
            raise ValueError(f"lags {shown(self.lags)}, expected increasing numbers that begin with 0")
        return self


class LinePart(Part):
    """Checks a line from a logarithm to nats."""

    offset: float
    gain: float

    @property
    def line(self) -> Line:
        """Line as a detector holds it."""
        return Line(self.offset, self.gain)


class DistancePart(Part):
    """Checks the distance to rows seen in training."""

    centroids: int = Field(ge=1, le=MOST_CENTROIDS)
    line: LinePart
    weight: float = Field(ge=0, le=1)


class CyclePart(Part):
    """Checks the blocks of a cycle."""

    block: int = Field(ge=1, le=INT32)
    blocks: int = Field(ge=1, le=MOST_BLOCKS)
    line: LinePart


class ScorerPart(Part):
    """Checks the scorer."""

    span: float = Field(ge=1)
    usual: Annotated[Scales, Field(min_length=READINGS, max_length=READINGS)]
    weights: list[Annotated[float, Field(ge=0)]] = Field(min_length=READINGS, max_length=READINGS)
    line: LinePart
    horizon: HorizonPart
    reconstruction: ReconstructionPart
    distance: DistancePart | None
    cycle: CyclePart | None

    @model_validator(mode="after")
    def _weights_sum_to_one(self) -> ScorerPart:
        total = sum(self.weights)
        if abs(total - 1.0) > WEIGHTS_ERROR:
            raise ValueError(f"weights that sum to {total:g}, expected 1")
        return self
