"""Output of the commands: results for scripts on stdout; logs, notes and progress for people on stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vcedge.errors import UsageError
from vcedge.files import same_file

ReportProgress = Callable[[float, str], None]
"""Called with the amount done so far and a remark, which may be empty."""

PLAIN_STEPS = 10
"""Lines that long work prints if stderr is not a terminal."""


def print_json(value: Any) -> None:
    """Print one JSON document on stdout, in ASCII, which every locale can print.

    Raises ValueError for NaN and infinity, which are not JSON.
    """
    sys.stdout.write(json.dumps(value, allow_nan=False, indent=2) + "\n")


def note(text: str) -> None:
    """Print one line for people on stderr."""
    print(text, file=sys.stderr)


def note_all(lines: Iterable[str], prefix: str = "") -> None:
    """Print lines for people on stderr, each with a prefix."""
    for line in lines:
        note(prefix + line)


def single_threaded() -> None:
    """Limit numpy's libraries to one thread: sums keep their order, so the same input gives the same bytes.

    Call it before numpy is imported; afterwards it has no effect.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


def refuse_overwriting(out: Path, inputs: Sequence[Path]) -> None:
    """Raise UsageError if the output is one of the input files."""
    for path in inputs:
        if same_file(out, path):
            raise UsageError(f"--out {out}: is the input {path}, expected another file: it would be destroyed")


def configure_logging(*, verbose: bool = False) -> None:
    """Log records of all modules as plain lines on stderr; with `verbose` those of level debug too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("vcedge: %(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)


@contextmanager
def progress(title: str, total: float) -> Iterator[ReportProgress]:
    """Show how much of `total` is done: a bar on a terminal, about ten plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_report(title, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[remark]}"))
    with Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, remark="")

        def report(done: float, remark: str = "") -> None:
            bar.update(task, completed=done, remark=remark)

        yield report


def _plain_report(title: str, total: float) -> ReportProgress:
    printed = 0

    def report(done: float, remark: str = "") -> None:
        nonlocal printed
        step = int(PLAIN_STEPS * done / total) if total > 0 else PLAIN_STEPS
        if step > printed:
            printed = step
            note(f"{title}: {min(100, 100 * step // PLAIN_STEPS)}% {remark}".rstrip())

    return report


def print_table(rows: list[tuple[str, str]], title: str = "") -> None:
    """Print names and values: with colours on a terminal, one `name: value` a line elsewhere."""
    rows = [(printable(name), printable(value)) for name, value in rows]
    if not sys.stdout.isatty():
        for name, value in rows:
            print(f"{name}: {value}")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    Console().print(table)


def printable(text: str) -> str:
    """Return the text with control characters escaped: names come from files, and a terminal obeys escape codes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
