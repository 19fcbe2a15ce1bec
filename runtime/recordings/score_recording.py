"""Scoring of recordings: the stream of the service, fed from files, written as scores.csv."""

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
"""Rows of one block of scores: so many are in memory."""


def score_blocks(stream: Stream, blocks: Iterable[RowBlock]) -> Iterator[ScoreBlock]:
    """The scores of all rows in order, in blocks of up to ROWS; constant memory."""
    for block in blocks:
        for start in range(0, len(block.time_ns), ROWS):
            yield stream.push_block(block.time_ns[start : start + ROWS], block.values[start : start + ROWS])


def write_header(out: TextIO) -> None:
    """The first line of scores.csv."""
    out.write(HEADER + "\n")


def write_scores(out: TextIO, block: ScoreBlock, first_row: int | None = None) -> None:
    """A line of scores.csv for each row. Where the recording has no time its number stands there, from `first_row` on.

    The kernel writes them where there is one, the same characters.
    """
    row = 0
    while row < len(block):
        if native_problem() is None:
            row = _native_lines(out, block, row, first_row)
        if row < len(block):
            write_score(out, block.at(row), None if first_row is None else first_row + row)
            row += 1


def write_score(out: TextIO, score: Score, row: int | None = None) -> None:
    """One line of scores.csv; `row` stands in the place of the time where the recording has none."""
    time = str(row) if row is not None else "" if score.time_ns == NO_TIME else iso_time(score.time_ns)
    top = ";".join(f"{_safe(name)}={share:.2f}" for name, share in score.top)
    out.write(
        f"{time},{score.raw!r},{score.score!r},{int(score.alarm)},{score.updated},{score.hidden},{score.status},{top}\n"
    )


def _native_lines(out: TextIO, block: ScoreBlock, row: int, first_row: int | None) -> int:
    """Write lines from a row on; the first one that is left: a number is out of the kernel's range."""
    from vcedge.runtime import _kernel

    names = [_safe(name).encode() for name in block.words.channels]
    ends = np.cumsum([len(name) for name in names], dtype=np.int32)
    scores = (block.time_ns, block.raw, block.score, block.updated, block.top, block.status, block.alarm)
    numbered = -1 if first_row is None else first_row
    before = -1
    while row > before and row < len(block):
        before = row
        sizes, arrays = (len(block), row, len(block)), (*scores, ends)
        text, row = _kernel.score_lines(*sizes, arrays, len(names), b"".join(names), block.words.hidden, numbered)
        out.write(text)
    return row


@lru_cache(1024)
def _safe(name: str) -> str:
    """A channel's name without what would break the line: separators and quotes become spaces."""
    return "".join(" " if character in ',;="\n\r' else character for character in name)
