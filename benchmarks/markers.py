"""Writes the tables of a benchmark between two marker lines of a page of the documentation."""

from __future__ import annotations

from pathlib import Path

END = "<!-- end of tables -->"


def begin(name: str) -> str:
    """Return the line before the tables of `scripts/bench NAME`; END is the line after them."""
    return f"<!-- tables of scripts/bench {name} -->"


def fill(page: Path, name: str, text: str) -> None:
    """Write a text between the marker lines of a page; exit with a message if they are missing."""
    first = begin(name)
    before, _, rest = page.read_text(encoding="utf-8").partition(first)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{page}: expected the lines {first!r} and {END!r}")
    page.write_text(f"{before}{first}\n\n{text}\n\n{END}{after}", encoding="utf-8")
