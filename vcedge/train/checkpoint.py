"""Where a training stands, in one file that is whole or not there: a killed training goes on to the same model.

A safetensors file: weights, optimizer, carried state and the best network so far; in its metadata the rest as JSON.
No pickle. It belongs to one training: another configuration, recording or version of a library has another fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vcedge.files import write_atomic

KEY = "vcedge-checkpoint"
EVERY_S = 20.0
"""At most so many seconds of training are lost: what is written is small, but a flash card wears."""


@dataclass(frozen=True)
class Position:
    """Tensors by name, and what is no tensor as JSON values. Floats come back to the last bit."""

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


@dataclass
class CheckpointFile:
    """The checkpoint of one training, beside the results it is to become."""

    path: Path
    fingerprint: str
    every_s: float = EVERY_S
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self._last >= self.every_s

    def save(self, position: Position) -> None:
        """Take the place of the one before. Raises OSError with that one untouched."""
        content = json.dumps({"fingerprint": self.fingerprint, "record": position.record})
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in position.tensors.items()}
        write_atomic(self.path, save(tensors, {KEY: content}))
        self._last = time.monotonic()

    def load(self, fresh: Position) -> Position | None:
        """The position of an earlier run of the same training, None where there is none.

        `fresh` is a position of this run: a file whose tensors differ from its in name, shape or type, or that cannot
        be read, is none.
        """
        try:
            with safe_open(self.path, "pt") as file:
                content = json.loads((file.metadata() or {})[KEY])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        if content["fingerprint"] != self.fingerprint or _shapes(tensors) != _shapes(fresh.tensors):
            return None
        return Position(tensors, content["record"])

    def remove(self) -> None:
        """Once the results are written."""
        self.path.unlink(missing_ok=True)


def fingerprint_of(origin: Mapping[str, Any], tensors: Iterable[Tensor] = ()) -> str:
    """Of what a training follows from: JSON values such as those of `pipeline.provenance`, and what it learns from."""
    digest = hashlib.sha256(json.dumps(origin, sort_keys=True).encode())
    for tensor in tensors:
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
