"""The decision notes: complete headers, an index that agrees with them, and valid references."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTES = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def decisions(*arguments: str, script: Path = ROOT / "scripts" / "decisions") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_index_agrees_with_the_headers() -> None:
    done = decisions("--check")
    assert done.returncode == 0, f"run scripts/decisions {done.stderr}"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Status: accepted", "Status: agreed"),
        ("area: service", "area: kitchen"),
        ("Status: accepted", "Status: superseded by 99"),
        ("# 7. The", "# 8. The"),
    ],
)
def test_invalid_header_is_refused(tmp_path: Path, right: str, wrong: str) -> None:
    script = tmp_path / "scripts" / "decisions"
    folder = tmp_path / "docs" / "decisions"
    script.parent.mkdir()
    folder.mkdir(parents=True)
    script.write_bytes((ROOT / "scripts" / "decisions").read_bytes())
    (note,) = (path for path in NOTES if path.name.startswith("0007"))
    text = note.read_text(encoding="utf-8")
    assert right in text
    (folder / note.name).write_text(text, encoding="utf-8")
    assert decisions(script=script).returncode == 0
    assert decisions("--check", script=script).returncode == 0
    (folder / note.name).write_text(text.replace(right, wrong), encoding="utf-8")
    done = decisions(script=script)
    assert done.returncode == 1
    assert note.name in done.stderr


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.stem[:4])
def test_note_holds_only_context_and_decision(note: Path) -> None:
    text = note.read_text(encoding="utf-8")
    assert "**Context.**" in text
    assert "**Decision.**" in text
    assert not re.search(r"^\**Later\.", text, re.MULTILINE)


def test_references_to_decisions_exist() -> None:
    numbers = {int(path.name[:4]) for path in NOTES}
    for page in [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        for found in re.findall(r"\bdecisions? (\d+)\b", page.read_text(encoding="utf-8")):
            assert int(found) in numbers, f"{page.relative_to(ROOT)}: decision {found}"
