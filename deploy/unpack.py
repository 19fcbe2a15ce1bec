"""Unpacks a bundle: checks every file, and installs the wheels into a virtual environment of their own.

This file is also the `__main__.py` of each bundle, so it imports the standard library only:

    sudo python3 BUNDLE [OPTIONS of vcedge deploy install]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Any

FORMAT = 1
COMPLETE = "vcedge-bundle.json"
"""File that is written last into a release: without it the release is incomplete."""


class BadBundle(Exception):
    """Says that a file is not a bundle, is damaged, or is for another machine."""


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Check every file and return the manifest. Raises BadBundle."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
                raise BadBundle(f"{bundle}: is a bundle of another format, expected {FORMAT}")
            named = {str(name): str(digest) for name, digest in manifest["files"].items()}
            if set(archive.namelist()) != {*named, "manifest.json", "__main__.py"}:
                raise BadBundle(f"{bundle}: does not hold exactly the files of its manifest")
            for name, digest in named.items():
                if hashlib.sha256(archive.read(name)).hexdigest() != digest:
                    raise BadBundle(f"{bundle}: {name} is damaged")
    except (OSError, KeyError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise BadBundle(f"{bundle}: is not a bundle of vcedge, or is damaged: {error}") from None
    return manifest


def unpack(bundle: Path, releases: Path) -> Path:
    """Install the release of a bundle below `releases`, unless it is there, and return it. Raises BadBundle."""
    manifest = read_manifest(bundle)
    here = (platform.machine(), f"{sys.version_info[0]}.{sys.version_info[1]}")
    meant = (manifest["target"], manifest["python"])
    if here != meant:
        raise BadBundle(f"{bundle}: is for {meant[0]} with Python {meant[1]}, but this is {here[0]} with {here[1]}")
    release = releases / str(manifest["id"])
    if (release / COMPLETE).is_file():
        return release
    shutil.rmtree(release, ignore_errors=True)
    release.parent.mkdir(parents=True, exist_ok=True)
    try:
        venv.create(release, with_pip=False, symlinks=True)
        _install_wheels(bundle, release)
        for tests in sorted(release.glob("lib/python*/site-packages/numpy/**/tests"), reverse=True):
            shutil.rmtree(tests)  # 17 MB that no device needs
        (release / COMPLETE).write_text(json.dumps(manifest, indent=1) + "\n")
    except BaseException:
        shutil.rmtree(release, ignore_errors=True)
        raise
    return release


def _install_wheels(bundle: Path, release: Path) -> None:
    """Install the wheels with the pip in the bundle, which is not installed itself."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(bundle) as archive:
        names = [name for name in archive.namelist() if name.endswith(".whl")]
        archive.extractall(folder, names)
        wheels = [Path(folder, name) for name in names]
        pip = next(wheel for wheel in wheels if wheel.name.startswith("pip-"))
        options = ["--no-index", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
        command = [str(release / "bin" / "python"), "-I", f"{pip}/pip", "install", *options]
        others = [str(wheel) for wheel in wheels if wheel != pip]
        result = subprocess.run(command + others, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise BadBundle(f"{bundle}: cannot be installed: {(result.stderr.splitlines() or [''])[-1]}")


def main() -> int:
    """Unpack the bundle that this file is in, and run `vcedge deploy install` of that release."""
    bundle = Path(sys.argv[0]).resolve()
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--dry-run", action="store_true")
    options, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        releases = Path(scratch) if options.dry_run else options.root / "opt/vcedge/releases"
        try:
            release = unpack(bundle, releases)
        except (BadBundle, OSError) as error:
            print(f"vcedge: error: {error}", file=sys.stderr)
            return 65 if isinstance(error, BadBundle) else 74
        program = [str(release / "bin" / "python"), "-I", "-m", "vcedge", "deploy", "install", str(bundle)]
        return subprocess.run(program + sys.argv[1:], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
