"""Writes a dense GRU with head as a .tflite file, a peer of `vcedge bench`.

It uses as few operators as possible: x and h are concatenated for the gates, the candidate's two products are separate
(the reset gate is applied after the product), and h' = h + z (c - h). With `int8` the weights of the products are
dynamic-range int8 with one scale a row, as LiteRT's own converter makes them.
"""

from __future__ import annotations

import numpy as np

from vcedge.detector import Cell
from vcedge.export.tflite.graph import FileBuilder
from vcedge.schema import F32


def dense_gru(cell: Cell, head: F32, head_bias: F32, *, int8: bool) -> bytes:
    """Return the file; its inputs are x (1, N) and h (1, D), its outputs y (1, C) and h' (1, D)."""
    file = FileBuilder()
    g = file.graph("gru")
    product = g.int8_product if int8 else g.product
    x, h = g.tensor("x", (1, cell.spec.inputs)), g.tensor("h", (1, cell.spec.hidden))
    xh = g.concatenation("xh", [x, h])
    both = np.concatenate((cell.input, cell.recurrent), axis=2)  # (3, D, N + D)
    z = g.logistic("z", product("z/in", xh, both[0], cell.bias[0]))
    r = g.logistic("r", product("r/in", xh, both[1], cell.bias[1]))
    kept = g.mul("n/rh", r, product("n/h", h, cell.recurrent[2], cell.reset_bias))
    c = g.tanh("n", g.add("n/in", product("n/x", x, cell.input[2], cell.bias[2]), kept))
    after = g.add("h'", h, g.mul("change", z, g.sub("c-h", c, h)))
    y = product("y", after, head, head_bias)
    g.interface([x, h], [y, after])
    return file.build("dense GRU with head")
