"""The public files: valid YAML, workflows and hooks that call existing programs, and one version everywhere."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import vcedge

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
YAML = [
    *WORKFLOWS,
    *sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / "CITATION.cff",
]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in load(workflow)["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.name)
def test_yaml_parses(path: Path) -> None:
    assert isinstance(load(path), dict)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_calls_executable_scripts(workflow: Path) -> None:
    called = set(re.findall(r"\bscripts/[\w./-]+", workflow.read_text(encoding="utf-8")))
    assert called
    for script in called:
        assert os.access(ROOT / script, os.X_OK), f"{workflow.name}: {script}"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_pins_actions_and_limits_permissions(workflow: Path) -> None:
    assert load(workflow)["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert "@" in step.get("uses", "@")


def test_tests_cover_the_supported_pythons() -> None:
    matrix = load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["test"]["strategy"]["matrix"]
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert matrix["python"] == classifiers
    assert len(matrix["runner"]) == 2


def test_hooks_call_programs_of_the_development_environment() -> None:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        if hook["language"] == "system":
            assert hook["entry"].split()[0].startswith(".venv/bin/") or hook["id"] == "clang-format"
        else:
            re.compile(hook["entry"])


def test_citation_has_the_required_keys() -> None:
    citation = load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["references"][0]["identifiers"] == [{"type": "other", "value": "arXiv:1611.06188"}]


def test_version_is_the_same_everywhere() -> None:
    done = subprocess.run(["scripts/check-release"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"release: {vcedge.__version__}\n"), done.stderr


def test_release_check_refuses_another_tag() -> None:
    done = subprocess.run(["scripts/check-release", "v9.9.9"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "v9.9.9" in done.stderr
