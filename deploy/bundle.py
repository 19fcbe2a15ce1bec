"""Writes a bundle: one file with vcedge and its dependencies as wheels, for a device without network.

A bundle may hold a model and a configuration too. It is a zip that Python runs (`unpack.py` is its `__main__.py`), with
the SHA-256 of every file in `manifest.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import vcedge
from vcedge.deploy.unpack import FORMAT
from vcedge.errors import Unavailable, UsageError
from vcedge.files import open_atomic

TARGETS = ("aarch64", "x86_64")
GLIBC = ("manylinux_2_17", "manylinux2014", "manylinux_2_24", "manylinux_2_27", "manylinux_2_28", "manylinux_2_31")
"""Platform tags of wheels that run on glibc 2.31 and newer: Debian 11, Ubuntu 20.04."""
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "vcedge", "export", "runtime", "deploy")
DATE = (1980, 1, 1, 0, 0, 0)
"""Date of every file in the zip, so that the same content gives the same bytes."""


@dataclass(frozen=True)
class Target:
    """Describes the machine that a bundle is for."""

    machine: str
    python: str
    """Python version, such as `3.11` for Debian 12."""

    def __post_init__(self) -> None:
        """Check the values. Raises UsageError for an unknown machine or an unsupported version."""
        if self.machine not in TARGETS:
            raise UsageError(f"--target {self.machine}: expected {' or '.join(TARGETS)}")
        major, _, minor = self.python.partition(".")
        if major != "3" or not minor.isdecimal():
            raise UsageError(f"--python {self.python}: expected a version such as 3.11")
        if int(minor) < 11:
            raise UsageError(
                f"--python {self.python}: expected 3.11 or newer, for the stable interface of the kernel; "
                "docs/device.md says how to install on an older one"
            )


def write_bundle(
    out: Path,
    target: Target,
    *,
    wheel: Path | None = None,
    extras: Sequence[str] = (),
    model: bytes | None = None,
    config: bytes | None = None,
) -> dict[str, str]:
    """Write a bundle and return the digests of its files by name.

    Args:
        out: The bundle.
        target: The machine to install on.
        wheel: A wheel of vcedge; absent: one is built from this checkout.
        extras: Extras of vcedge to include, such as `onnx`.
        model: Content of a model file to install.
        config: Content of a runtime.yaml to install.

    Raises:
        UsageError: There is neither a wheel nor a checkout to build one from.
        Unavailable: pip fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _download(wheel or build_wheel(target, folder / "own"), target, extras, folder / "wheels")
        content = {f"wheels/{path.name}": path.read_bytes() for path in sorted((folder / "wheels").iterdir())}
    content |= {} if model is None else {"model.vcedge": model}
    content |= {} if config is None else {"runtime.yaml": config}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    wheels = json.dumps({name: digest for name, digest in digests.items() if name.startswith("wheels/")})
    manifest = {
        "format": FORMAT,
        "id": f"{vcedge.__version__}-{hashlib.sha256(wheels.encode()).hexdigest()[:12]}",
        "target": target.machine,
        "python": target.python,
        "files": digests,
    }
    main = files("vcedge.deploy").joinpath("unpack.py").read_bytes()
    texts = {"__main__.py": main, "manifest.json": json.dumps(manifest, indent=1).encode()}
    with open_atomic(out) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in {**texts, **content}.items():
            archive.writestr(zipfile.ZipInfo(name, DATE), data)
    return digests


def build_wheel(target: Target, folder: Path) -> Path:
    """Build the wheel of this checkout, with the kernel if there is a compiler for the target.

    Raises UsageError outside a checkout, Unavailable if the build fails.
    """
    checkout = Path(vcedge.__file__).resolve().parents[1]
    if not (checkout / "setup.py").is_file():
        raise UsageError("--wheel is missing, and this vcedge is not a checkout to build one from")
    source = folder / "source"
    source.mkdir(parents=True)
    for name in SOURCES:
        path = checkout / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(path, source / name)
    environment = {**os.environ, "_PYTHON_HOST_PLATFORM": f"linux-{target.machine}"}
    if target.machine != os.uname().machine:
        compiler = f"{target.machine}-linux-gnu-gcc"
        environment |= {"CC": compiler, "LDSHARED": f"{compiler} -shared"}
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source), environment=environment)
    return next(folder.glob("*.whl"))


def has_kernel(bundle: Path) -> bool:
    """Return whether vcedge's own wheel in a bundle holds the native kernel; else the numpy engine is used."""
    with zipfile.ZipFile(bundle) as archive:
        own = next(name for name in archive.namelist() if name.startswith("wheels/vcedge-"))
        with archive.open(own) as file, zipfile.ZipFile(file) as wheel:
            return any(name.endswith(".so") for name in wheel.namelist())


def _download(wheel: Path, target: Target, extras: Sequence[str], folder: Path) -> None:
    platforms = [f"--platform={glibc}_{target.machine}" for glibc in GLIBC] + [f"--platform=linux_{target.machine}"]
    tag = "cp" + target.python.replace(".", "")
    abis = [f"--abi={abi}" for abi in (tag, "abi3", "none")]
    wanted = f"{wheel}[{','.join(extras)}]" if extras else str(wheel)
    options = ["--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}"]
    _pip("download", "--dest", str(folder), *options, *platforms, *abis, wanted, "pip")


def _pip(*arguments: str, environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if "ERROR" in line] or result.stderr.splitlines() or [""]
        raise Unavailable(f"pip {arguments[0]}: {errors[-1]}")
