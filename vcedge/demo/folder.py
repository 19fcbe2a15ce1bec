"""Manages the folder of the demonstration, which holds all its files. Other files are not touched."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from vcedge.errors import UsageError

MARK = ".vcedge-demo"


@dataclass(frozen=True)
class Folder:
    """Names the files of the demonstration."""

    path: Path

    @property
    def healthy(self) -> Path:
        """The history to train on."""
        return self.path / "healthy.csv"

    @property
    def faulty(self) -> Path:
        """The recording with faults."""
        return self.path / "faulty.csv"

    @property
    def train_config(self) -> Path:
        """The configuration of `vcedge train`."""
        return self.path / "train.yaml"

    @property
    def runtime_config(self) -> Path:
        """The configuration of `vcedge run`."""
        return self.path / "runtime.yaml"

    @property
    def trained(self) -> Path:
        """The results of `vcedge train`."""
        return self.path / "model"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.trained / "model.vcedge"

    @property
    def report(self) -> Path:
        """The report of the training."""
        return self.trained / "report.html"

    @property
    def state(self) -> Path:
        """The state of the service."""
        return self.path / "state"

    @property
    def findings(self) -> Path:
        """The findings as JSON."""
        return self.path / "findings.json"

    def log(self, name: str) -> Path:
        """Return the log of one of the programs."""
        return self.path / "logs" / f"{name}.log"


def make_folder(path: Path) -> Folder:
    """Make an empty folder; files of an earlier demonstration are deleted.

    Raises UsageError if the folder holds other files, or the path is no folder.
    """
    if path.is_dir():
        if any(path.iterdir()) and not (path / MARK).is_file():
            raise UsageError(f"--dir {path}: holds other files, expected a new or empty folder")
        for item in path.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item)
            elif item.name != MARK:
                item.unlink()
    elif path.exists():
        raise UsageError(f"--dir {path}: is a file, expected a folder")
    (path / "logs").mkdir(parents=True)
    (path / MARK).write_text("made by vcedge demo, which replaces everything here\n", encoding="utf-8")
    return Folder(path)
