"""Tables of a benchmark in a page of the documentation: they stand between two lines, and are put there anew."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of tables -->"


def begin(name: str) -> str:
    """The line before the tables of `scripts/bench NAME`; END is the one after them."""
    return f"<!-- tables of scripts/bench {name} -->"


def fill(page: Path, name: str, text: str) -> None:
    """Put a text between the lines of a page. Leaves with a message where they are not there."""
    first, whole = begin(name), page.read_text(encoding="utf-8")
    before, _, rest = whole.partition(first)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{page}: expected the lines {first!r} and {END!r}")
    page.write_text(f"{before}{first}\n\n{text}\n\n{END}{after}", encoding="utf-8")
