"""Scoring of recordings: the stream of the service, fed from files, written as scores.csv."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TextIO

from vcedge.history import Block
from vcedge.history.recording import NO_TIME
from vcedge.history.writer import iso_time
from vcedge.runtime.stream import Score, Stream
from vcedge.schema import Sample

HEADER = "time,raw,score,alarm,updated,hidden,status,top"


def score_blocks(stream: Stream, blocks: Iterable[Block]) -> Iterator[Score]:
    """One score for each row, in order; constant memory."""
    for block in blocks:
        for time_ns, values in zip(block.time_ns.tolist(), block.values, strict=True):
            yield stream.push(Sample(time_ns, values))


def write_header(out: TextIO) -> None:
    """The first line of scores.csv."""
    out.write(HEADER + "\n")


def write_score(out: TextIO, score: Score, row: int | None = None) -> None:
    """One line of scores.csv; `row` stands in the place of the time where the recording has none."""
    time = str(row) if row is not None else "" if score.time_ns == NO_TIME else iso_time(score.time_ns)
    top = ";".join(f"{_safe(name)}={share:.2f}" for name, share in score.top)
    out.write(
        f"{time},{score.raw!r},{score.score!r},{int(score.alarm)},{score.updated},{score.hidden},{score.status},{top}\n"
    )


@lru_cache(1024)
def _safe(name: str) -> str:
    """A channel's name without what would break the line: separators and quotes become spaces."""
    return "".join(" " if character in ',;="\n\r' else character for character in name)
