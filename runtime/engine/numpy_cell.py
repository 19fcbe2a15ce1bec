"""Computes the network of the reference engine: the scheduler's level, the update of h[:k], and the head."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from vcedge.detector import Cell, Head
from vcedge.runtime.engine.state import WAKE_MEMORY, WAKE_NONE, State
from vcedge.schema import F32


def sigmoid(x: F32) -> F32:
    """Return the logistic function, by way of tanh, which does not overflow."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x), np.float32)


def largest_term(terms: F32, memory: float) -> int:
    """Return the index of the scheduler's largest term of (N + 3C,), or WAKE_MEMORY if `memory`, u h, is larger."""
    index = int(terms.argmax())
    return index if terms[index] >= memory else WAKE_MEMORY


class GatedCell:
    """Runs a cell of any kind: k leading dimensions from k leading dimensions and all inputs (eq. 4 to 7, 13 to 16)."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.levels = cell.spec.levels
        self._thresholds = cell.spec.thresholds().tolist()
        # Contiguous blocks for each level: a strided slice costs a copy in every product.
        self._recurrent = [np.ascontiguousarray(cell.recurrent[:, :k, :k]) for k in cell.spec.boundaries]
        self._input = [np.ascontiguousarray(cell.input[:, :k]) for k in cell.spec.boundaries]
        self._bias = [np.ascontiguousarray(cell.bias[:, :k]) for k in cell.spec.boundaries]

    def schedule(self, h: F32, signals: F32, logit_bias: float) -> tuple[int, int]:
        """Return the level 1..L that the scheduler picks (eq. 7), and the largest of its terms; see `largest_term`."""
        cell = self._cell
        terms = cell.gate_input * signals  # (N + 3C,)
        memory = float(cell.gate_hidden @ h)
        logit = memory + float(terms.sum()) + cell.gate_bias + logit_bias
        level = 1 + bisect_right(self._thresholds, logit)
        return level, largest_term(terms, memory)

    def update(self, h: F32, x: F32, level: int) -> None:
        """Update h[:k] in place; h[k:] keeps its bits (the paper's hard mask, reset gate after the product).

        With the hard mask e is 1 up to k: eq. 13 is then the candidate alone, and z of eq. 14 has no factor e.
        """
        block = level - 1
        k = len(self._bias[block][0])
        a = self._input[block] @ x + self._bias[block]  # (G, k)
        s = self._recurrent[block] @ h[:k]  # (G, k)
        if len(a) == 1:  # an RNN, eq. 13
            h[:k] = np.tanh(a[0] + s[0])
            return
        z = sigmoid(a[0] + s[0])
        r = sigmoid(a[1] + s[1])
        c = np.tanh(a[2] + r * (s[2] + self._cell.reset_bias[:k]))
        h[:k] = z * c + (1 - z) * h[:k]


class NumpyNetwork:
    """Runs cell and head in numpy; see `vcedge.runtime.engine.numpy_engine.Network`."""

    def __init__(self, cell: Cell, head: Head) -> None:
        self._cell, self._head = GatedCell(cell), head
        self._inputs = cell.spec.inputs

    def step(self, signals: F32, state: State, floor: int, logit_bias: float) -> tuple[int, int]:
        """Run one step of scheduler, cell and head; see the protocol."""
        level, wake = 1, WAKE_NONE
        if floor < self._cell.levels:
            level, wake = self._cell.schedule(state.h, signals, logit_bias)
        if level <= floor:
            level, wake = floor, WAKE_NONE
        self._cell.update(state.h, signals[: self._inputs], level)
        head = self._head
        state.correction[:] = head.shrink * (head.weights @ state.h + head.bias)
        return level, wake
