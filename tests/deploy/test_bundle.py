"""Bundles: one that is damaged, changed or for another machine installs nothing."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.process import python, vcedge
from vcedge.deploy.bundle import Target
from vcedge.deploy.unpack import BadBundle, read_manifest, unpack
from vcedge.errors import UsageError

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
FILES = {"wheels/a-1-py3-none-any.whl": b"one" * 1000, "model.vcedge": b"two" * 1000}


def write(path: Path, content: dict[str, bytes], **changes: Any) -> Path:
    """Write a bundle of files that are not wheels, with a manifest that fits them except for `changes`."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    manifest = {"format": 1, "id": "x-1", "target": platform.machine(), "python": HERE, "files": digests, **changes}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__main__.py", (Path(__file__).parents[2] / "deploy" / "unpack.py").read_bytes())
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def test_valid_bundle_is_read(tmp_path: Path) -> None:
    assert set(read_manifest(write(tmp_path / "b.pyz", FILES))["files"]) == set(FILES)


@pytest.mark.parametrize(
    ("files", "changes", "reason"),
    [
        ({**FILES, "model.vcedge": b"other"}, {}, r"model\.vcedge is damaged"),
        ({"model.vcedge": FILES["model.vcedge"]}, {}, "does not hold exactly the files"),
        ({**FILES, "../../etc/cron.d/x": b"*"}, {}, "does not hold exactly the files"),
        (FILES, {"format": 2}, "another format"),
        (FILES, {"files": None}, "is damaged"),
    ],
)
def test_bundle_that_differs_from_its_manifest_is_refused(
    files: dict[str, bytes], changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "b.pyz", files, **changes)
    with pytest.raises(BadBundle, match=reason):
        unpack(path, tmp_path / "releases")
    assert not (tmp_path / "releases").exists()


def test_flipped_byte_is_detected(tmp_path: Path) -> None:
    """A byte that nothing reads, such as a date in the zip, may change without effect."""
    sound = write(tmp_path / "b.pyz", FILES).read_bytes()
    manifest = read_manifest(tmp_path / "b.pyz")
    refused = 0
    for place in range(0, len(sound), 97):
        (tmp_path / "b.pyz").write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        try:
            assert read_manifest(tmp_path / "b.pyz") == manifest
        except BadBundle:
            refused += 1
    assert refused > 60


def test_truncated_bundle_is_refused(tmp_path: Path) -> None:
    sound = write(tmp_path / "b.pyz", FILES).read_bytes()
    for length in (0, 1, 100, len(sound) // 2, len(sound) - 1):
        (tmp_path / "b.pyz").write_bytes(sound[:length])
        with pytest.raises(BadBundle):
            read_manifest(tmp_path / "b.pyz")


@pytest.mark.parametrize("changes", [{"target": "riscv64"}, {"python": "3.99"}])
def test_bundle_for_another_machine_is_refused(changes: dict[str, str], tmp_path: Path) -> None:
    path = write(tmp_path / "b.pyz", FILES, **changes)
    root = ["--root", str(tmp_path / "root")]
    for result in (python(str(path), *root), vcedge("deploy", "install", str(path), *root)):
        assert result.returncode == 65
        assert result.stderr.startswith(f"vcedge: error: {path}: is for ")
        assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("x-1"))


def test_failed_installation_leaves_no_incomplete_release(tmp_path: Path) -> None:
    """Two reasons: the wheels are invalid, and there is no pip to install them with."""
    pip = {"wheels/pip-1-py3-none-any.whl": b"no zip"}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in {**FILES, **pip}.items()}
    path = write(tmp_path / "b.pyz", {**FILES, **pip}, files=digests)
    with pytest.raises(BadBundle, match="cannot be installed"):
        unpack(path, tmp_path / "releases")
    assert not list((tmp_path / "releases").iterdir())


@pytest.mark.parametrize(
    ("machine", "version", "words"),
    [
        ("armv7l", "3.11", "--target armv7l: expected aarch64 or x86_64"),
        ("aarch64", "3.10", "--python 3.10: expected 3.11 or newer"),
        ("aarch64", "newest", "--python newest: expected a version such as 3.11"),
    ],
)
def test_target_without_wheels_is_refused_by_name(machine: str, version: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        Target(machine, version)
