"""Reports what is installed on this device and how it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vcedge.deploy.layout import Layout
from vcedge.deploy.systemctl import Systemd
from vcedge.runtime.storage.model_store import ModelStore


def status(layout: Layout) -> dict[str, Any]:
    """Return the release, the models and the state of the unit, as a JSON object."""
    shown = Systemd(layout).show()
    models = layout.state / "models"
    stores = [ModelStore(models, path.name) for path in sorted(models.iterdir())] if models.is_dir() else []
    return {
        "installed": (layout.units / "vcedge.service").is_file(),
        "release": _target(layout.home / "current"),
        "previous_release": _target(layout.home / "previous"),
        "config": str(layout.config) if layout.config.is_file() else None,
        "state": shown.get("ActiveState"),
        "enabled": shown.get("UnitFileState"),
        "restarts": _number(shown.get("NRestarts")),
        "last_exit": _number(shown.get("ExecMainStatus")),
        "memory": _number(shown.get("MemoryCurrent")),
        "models": {store.folder.name: {"current": store.current, "previous": store.previous} for store in stores},
    }


def _target(link: Path) -> str | None:
    return link.readlink().name if link.is_symlink() else None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and int(text) < 2**63 else None
