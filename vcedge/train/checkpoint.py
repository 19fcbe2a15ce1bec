"""Saves checkpoints, from which a killed training resumes and ends with the same model.

A checkpoint is a safetensors file, written atomically, without pickle. Its tensors are the weights, the optimizer, the
carried hidden state and the best network so far; its metadata holds the rest as JSON. It belongs to one training:
another configuration, recording or library version has another fingerprint.
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
"""Seconds between two saves, the most that a kill loses. The file is small, but each write wears flash memory."""


@dataclass(frozen=True)
class TrainingState:
    """Holds all that the rest of a training depends on: tensors by name, and JSON values.

    Floats among the JSON values are restored to the last bit.
    """

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


@dataclass
class CheckpointFile:
    """Saves and loads the checkpoint of one training."""

    path: Path
    fingerprint: str
    every_s: float = EVERY_S
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        """Return whether `every_s` seconds have passed since the last save."""
        return time.monotonic() - self._last >= self.every_s

    def save(self, state: TrainingState) -> None:
        """Replace the file.

        Raises:
            OSError: the file cannot be written; the previous checkpoint is untouched.
        """
        content = json.dumps({"fingerprint": self.fingerprint, "record": state.record})
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        write_atomic(self.path, save(tensors, {KEY: content}))
        self._last = time.monotonic()

    def load(self, fresh: TrainingState) -> TrainingState | None:
        """Return the state that an earlier run of the same training saved, or None.

        The result is None if there is no file, if it cannot be read, if its fingerprint differs, or if its tensors
        differ in name, shape or type from those of `fresh`, the state at the start of this run.
        """
        try:
            with safe_open(self.path, "pt") as file:
                content = json.loads((file.metadata() or {})[KEY])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        if content["fingerprint"] != self.fingerprint or _shapes(tensors) != _shapes(fresh.tensors):
            return None
        return TrainingState(tensors, content["record"])


def fingerprint_of(origin: Mapping[str, Any], tensors: Iterable[Tensor] = ()) -> str:
    """Return a digest of all that determines a training.

    `origin` holds JSON values such as those of `pipeline.provenance`; `tensors` hold the training data.
    """
    digest = hashlib.sha256(json.dumps(origin, sort_keys=True).encode())
    for tensor in tensors:
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[tuple[int, ...], str]]:
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
