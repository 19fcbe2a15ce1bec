"""Manages the folder of the demonstration, which holds all its files. Other files are not touched."""

from __future__ import annotations

import shutil
from pathlib import Path

from vcedge.errors import UsageError

MARK = ".vcedge-demo"


class Folder:
    """Names the files of the demonstration."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.healthy, self.faulty = path / "healthy.csv", path / "faulty.csv"
        """The history to train on, and the recording with faults."""
        self.train_config, self.runtime_config = path / "train.yaml", path / "runtime.yaml"
        """The configurations of `vcedge train` and `vcedge run`."""
        self.trained = path / "model"
        """The results of `vcedge train`."""
        self.model, self.report = self.trained / "model.vcedge", self.trained / "report.html"
        self.state = path / "state"
        """The state of the service."""
        self.findings = path / "findings.json"
        """The findings as JSON."""

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
