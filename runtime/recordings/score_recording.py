"""Scores recordings with the stream of the service, and writes scores.csv."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TextIO

import numpy as np

from vcedge.history import RowBlock
from vcedge.history.recording import NO_TIME
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.stream.score_block import ScoreBlock
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.wording import iso_time

HEADER = "time,raw,score,alarm,updated,hidden,status,top"
ROWS = 20_000
"""Rows of one block of scores, and so the rows in memory."""


def score_blocks(stream: Stream, blocks: Iterable[RowBlock]) -> Iterator[ScoreBlock]:
    """Yield the scores of all rows in order, in blocks of up to ROWS, in constant memory."""
    for block in blocks:
        for start in range(0, len(block.time_ns), ROWS):
            yield stream.push_block(block.time_ns[start : start + ROWS], block.values[start : start + ROWS])


def write_header(out: TextIO) -> None:
    """Write the first line of scores.csv."""
    out.write(HEADER + "\n")


def write_scores(out: TextIO, block: ScoreBlock, first_row: int | None = None) -> None:
    """Write a line of scores.csv for each row, with the same characters by the kernel or without it.

    With `first_row`, for a recording without times, the lines have the number of the row instead, from `first_row` on.
    """
    row = 0
    while row < len(block):
        if native_problem() is None:
            row = _native_lines(out, block, row, first_row)
        if row < len(block):
            write_score(out, block.at(row), None if first_row is None else first_row + row)
            row += 1


def write_score(out: TextIO, score: Score, row: int | None = None) -> None:
    """Write one line of scores.csv, with the number `row` instead of the time if it is given."""
    time = str(row) if row is not None else "" if score.time_ns == NO_TIME else iso_time(score.time_ns)
    top = ";".join(f"{_safe(name)}={share:.2f}" for name, share in score.top)
    out.write(
        f"{time},{score.raw!r},{score.score!r},{int(score.alarm)},{score.updated},{score.hidden},{score.status},{top}\n"
    )


def _native_lines(out: TextIO, block: ScoreBlock, row: int, first_row: int | None) -> int:
    """Write lines from `row` on; return the first row that is left, with a number that the kernel cannot write."""
    from vcedge.runtime import _kernel

    names = [_safe(name).encode() for name in block.names.channels]
    ends = np.cumsum([len(name) for name in names], dtype=np.int32)
    scores = (block.time_ns, block.raw, block.score, block.updated, block.top, block.status, block.alarm)
    numbered = -1 if first_row is None else first_row
    before = -1
    while row > before and row < len(block):
        before = row
        sizes, arrays = (len(block), row, len(block)), (*scores, ends)
        text, row = _kernel.score_lines(*sizes, arrays, len(names), b"".join(names), block.names.hidden, numbered)
        out.write(text)
    return row


@lru_cache(1024)
def _safe(name: str) -> str:
    """Return a channel's name with spaces in the place of separators and quotes."""
    return "".join(" " if character in ',;="\n\r' else character for character in name)
