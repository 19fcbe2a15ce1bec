"""Removes vcedge from a device: what was installed, and with `purge` the state and configuration as well."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from vcedge.deploy.layout import Layout
from vcedge.deploy.ledger import Ledger
from vcedge.deploy.systemctl import Systemd


def uninstall(layout: Layout, report: Callable[[str], None], *, dry_run: bool = False, purge: bool = False) -> None:
    """Stop the service and remove it; a second time does nothing.

    Without `purge`, state, models, credentials and a configuration that was changed stay, and are reported.
    """
    systemd, ledger = Systemd(layout), Ledger(layout, report, dry_run=dry_run)
    if not dry_run:
        systemd.remove()
    kept = ledger.remove_all()
    for path in _user_data(layout):
        if purge:
            report(f"remove {path}")
            if not dry_run:
                _remove(path)
        elif path.is_dir() and any(path.iterdir()):
            kept.append(path)
    if not dry_run:
        for folder in (layout.releases, layout.home, layout.credentials, layout.config.parent):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        systemd.reload()
    for path in kept:
        if path.exists():
            report(f"kept {path}")


def _user_data(layout: Layout) -> list[Path]:
    """Return the state folders of the service and its instances, /etc/vcedge and /opt/vcedge, if they exist."""
    library, settings = layout.state.parent, layout.config.parent
    instances = [path.parent.name for path in sorted(settings.glob("*/runtime.yaml"))]
    states = ["vcedge", *(f"vcedge-{name}" for name in instances)]
    found = [settings, layout.home, *(folder / name for name in states for folder in (library, library / "private"))]
    return [path for path in found if path.exists() or path.is_symlink()]


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
