"""The documents: a short README, existing links and paths, and a complete navigation that builds."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [
        *(ROOT / "docs").rglob("*.md"),
        *(
            ROOT / name
            for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
        ),
        ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md",
    ]
)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
FOLDERS = "vcedge|runtime|export|deploy|scripts|benchmarks|tests|configs|docs"
PATH = re.compile(rf"(?<![\w/.-])(?:{FOLDERS})/(?!NODE|press-)[\w./-]*[\w/]")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 130


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_exist(page: str) -> None:
    for target in LINK.findall(FENCE.sub("", text_of(page))):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        assert ((ROOT / page).parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_named_paths_exist(page: str) -> None:
    """A path is code of this repository if it is in backquotes or a link's text and begins with one of its folders."""
    for code in re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(page))):
        for path in PATH.findall(code):
            if not any(mark in code for mark in "*{<") and not path.startswith("docs/examples"):
                assert (ROOT / path).exists(), f"{code}: {path}"


def test_architecture_names_every_room_and_package() -> None:
    text = text_of("docs/architecture.md")
    contract = text_of("pyproject.toml").partition('id = "rooms"')[2].partition("\n]")[0]
    layers = re.findall(r'"([\w :]+)"', contract.partition("layers = [")[2])
    figure = text_of("docs/images/floors.svg")
    for floor, layer in zip(range(6, 0, -1), layers, strict=True):
        for room in layer.split(" : "):
            assert f"| {floor} | `runtime/{room}/` |" in text
            assert f">{room}</text>" in figure
    for package in sorted(path.parent for path in (ROOT / "vcedge").glob("*/__init__.py")):
        name = package.name
        assert any(f"`{folder}/" in text for folder in (f"vcedge/{name}", name)), name


def test_navigation_lists_every_page_once() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        children = entry.values() if isinstance(entry, dict) else entry
        assert not isinstance(children, (bytes, int))
        return [page for child in children for page in pages(child)]  # type: ignore[union-attr]

    nav = pages(yaml.safe_load(text_of("mkdocs.yml"))["nav"])
    assert sorted(nav) == sorted(page.removeprefix("docs/") for page in PAGES if page.startswith("docs/"))
    assert len(nav) == len(set(nav))


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_site_builds_strictly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="https?://(?!squidfunk|www\.mkdocs)', html), "the site loads from the network"


def test_readme_repeats_the_measured_results() -> None:
    (row,) = re.findall(r"^\| VCGRU \| (.*) \|$", text_of("docs/detection.md"), re.MULTILINE)
    (stated,) = re.findall(r"one default configuration: ([^;]*);", text_of("README.md"))
    assert re.findall(r"\.\d{3}", stated) == [cell.split()[0] for cell in row.split(" | ")]


def test_pages_named_in_code_exist() -> None:
    suffixes = {".py", ".pyi", ".c", ".h", ".inc", ".yaml", ".toml", ".sh", ""}
    folders = ("vcedge", "runtime", "export", "deploy", "scripts", "benchmarks", "configs", "tests")
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*")):
        if path.suffix not in suffixes or not path.is_file() or "golden" in path.parts:
            continue
        for page in re.findall(r"\bdocs/[\w/-]+(?:\.md)?", path.read_text(encoding="utf-8")):
            found = list(ROOT.glob(f"{page}*"))
            assert found, f"{path.relative_to(ROOT)}: {page}"


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/images/message.svg"])
def test_modules_on_a_messages_way_exist(page: str) -> None:
    rooms = "|".join(path.name for path in (ROOT / "runtime").iterdir() if (path / "__init__.py").exists())
    modules = re.findall(rf"[`>\s]((?:{rooms})/[a-z_]+)[`<]", text_of(page))
    assert len(modules) > 8
    for module in modules:
        assert (ROOT / "runtime" / f"{module}.py").exists(), module
