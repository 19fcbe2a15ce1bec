"""Installs or updates vcedge on a device. It can be repeated, and if a step fails the old version keeps running."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vcedge import model_file
from vcedge.deploy.health import wait_healthy
from vcedge.deploy.layout import UNIT, Layout
from vcedge.deploy.ledger import Ledger
from vcedge.deploy.systemctl import Systemd
from vcedge.deploy.units import KNOWN_CREDENTIALS, PROGRAM, UnitOptions, units, usable_credentials
from vcedge.deploy.unpack import BadBundle, read_manifest, unpack
from vcedge.errors import DataError, UsageError, error_of
from vcedge.runtime.storage.model_store import ModelStore

CHECK_S = 120
"""Longest time that checking configuration and models may take."""
HIDDEN = ("home", "root", "run", "tmp")
"""Top-level folders that the unit hides from the service: it could not run a program there."""
COMMAND = f'#!/bin/sh\nexec {PROGRAM} "$@"\n'


@dataclass(frozen=True)
class InstallRequest:
    """Says what to install; what is absent stays as it is on the device."""

    bundle: Path | None = None
    """Bundle to install; absent: the units run the program that installs them."""
    model: bytes | None = None
    config: bytes | None = None
    watchdog_s: int = 30
    memory: str = "512M"
    healthy_s: int = 0
    """Seconds in which the service has to connect to its broker; 0 does not wait for it."""


def contents(bundle: Path) -> tuple[bytes | None, bytes | None]:
    """Return the model and the configuration of a bundle. Raises DataError if it is damaged."""
    try:
        names = read_manifest(bundle)["files"]
        with zipfile.ZipFile(bundle) as archive:
            model, config = (archive.read(n) if n in names else None for n in ("model.vcedge", "runtime.yaml"))
    except BadBundle as error:
        raise DataError(str(error)) from None
    return model, config


def install(layout: Layout, request: InstallRequest, report: Callable[[str], None], *, dry_run: bool = False) -> bool:
    """Install or update, and return whether anything changed. After an error the device is as before.

    Args:
        layout: The device, or the root folder of another one.
        request: What to install.
        report: Called with a line for each change.
        dry_run: Whether to report the changes without making them.

    Raises:
        DataError: The bundle or a model is damaged.
        ConfigError: The configuration is refused.
        InputNotFound: The configuration names a file that does not exist.
        Unavailable: systemd does not run, or the service does not start or connect.
        InputOutputError: A file cannot be written, or was not written by vcedge deploy.
    """
    systemd = Systemd(layout)
    if not dry_run:
        systemd.require()
    ledger, was_active = Ledger(layout, report, dry_run=dry_run), systemd.active
    started = False
    try:
        changed = _write_all(layout, request, ledger)
        if not dry_run:
            started = True
            _start(layout, systemd, report, changed=changed)
            if changed and request.healthy_s and systemd.active:
                wait_healthy(layout, request.healthy_s)
    except BaseException:
        ledger.undo()
        if layout.live and started:
            _restore_service(systemd, was_active=was_active)
        raise
    _prune_releases(layout, ledger)
    return changed


def _restore_service(systemd: Systemd, *, was_active: bool) -> None:
    """Restore the service to its state before the installation, after files and links were restored."""
    systemd.reload()
    if was_active:
        systemd.restart()
    elif systemd.show().get("ActiveState") != "inactive":
        systemd.stop()


def _write_all(layout: Layout, request: InstallRequest, ledger: Ledger) -> bool:
    """Write all files and links without starting the service; return whether anything changed."""
    release = None if request.bundle is None else _release(layout, request.bundle, ledger)
    changed, asset = False, None
    if request.model is not None:
        asset = model_file.loads(request.model, "model").asset
        changed |= _place_model(layout, asset, request.model, ledger)
    config = request.config
    if config is None and asset is not None and not layout.config.exists():
        config = _minimal_config(asset)
    if config is not None:
        changed |= ledger.write_file(layout.config, config)
    ledger.make_folder(layout.credentials, 0o700)
    if layout.live and not ledger.dry_run and layout.config.exists():
        _check(layout, release)
    if release is not None:
        before = layout.home / "current"
        if before.is_symlink() and str(before.readlink()) != f"releases/{release.name}":
            ledger.make_link(layout.home / "previous", str(before.readlink()))
        changed |= ledger.make_link(layout.home / "current", f"releases/{release.name}")
        changed |= ledger.write_file(layout.command, COMMAND.encode(), 0o755)
    names = os.listdir(layout.credentials) if layout.credentials.is_dir() else []
    program = PROGRAM if (layout.home / "current").exists() or release else own_program()
    options = UnitOptions(program, request.watchdog_s, request.memory, usable_credentials(names))
    for name, text in units(options).items():
        changed |= ledger.write_file(layout.units / name, text.encode())
    return changed


def _release(layout: Layout, bundle: Path, ledger: Ledger) -> Path:
    try:
        if ledger.dry_run:
            return layout.releases / str(read_manifest(bundle)["id"])
        ledger.make_folder(layout.releases)
        release = unpack(bundle, layout.releases)
    except BadBundle as error:
        raise DataError(str(error)) from None
    ledger.adopt_tree(release)
    return release


def _place_model(layout: Layout, asset: str, data: bytes, ledger: Ledger) -> bool:
    store = ModelStore(layout.state / "models", asset)
    digest = model_file.model_id(data).removeprefix("sha256:")
    if store.current == digest:
        return False
    ledger.report(f"model {store.path(digest)}")
    if not ledger.dry_run:
        ledger.make_folder(layout.state.parent)
        ledger.add_undo(partial(_restore_model, store, store.current, store.previous))
        store.switch(store.add(data))
    return True


def _restore_model(store: ModelStore, current: str | None, previous: str | None) -> None:
    store.restore_links(current, previous)
    store.prune()


def _minimal_config(asset: str) -> bytes:
    """Return a configuration with the required keys alone."""
    node = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "device"
    model = f"/var/lib/vcedge/models/{asset}/current"
    lines = ("# All keys: configs/runtime.yaml of vcedge.", f"node: {node}", "assets:")
    return "\n".join((*lines, f"  {json.dumps(asset)}: {{model: {json.dumps(model)}}}", "")).encode()


def own_program() -> str:
    """Return the command line of the running program for a unit. Raises UsageError if a service cannot run it."""
    python = f"{sys.prefix}/bin/python"
    if not re.fullmatch(r"[A-Za-z0-9/._+-]+", python):
        raise UsageError(f"{python}: a unit needs a path of letters, digits and ./_+- alone; install a bundle instead")
    if python.split("/")[1] in HIDDEN:
        raise UsageError(f"{python}: the service cannot read this folder; install a bundle, or install vcedge in /opt")
    return f"{python} -I -X faulthandler -m vcedge"


def _check(layout: Layout, release: Path | None) -> None:
    """Check configuration and models with the program that is to run them. Raises the error that it exits with."""
    python = sys.executable if release is None else str(release / "bin" / "python")
    command = [python, "-I", "-m", "vcedge", "run", str(layout.config), "--check"]
    known = {f"VCEDGE__MQTT__{key}": layout.credentials / name for name, key in KNOWN_CREDENTIALS.items()}
    environment = {**layout.environment, **{name: str(path) for name, path in known.items() if path.is_file()}}
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=CHECK_S, check=False
    )
    if result.returncode != 0:
        raise error_of(result.returncode)(result.stderr.strip().removeprefix("vcedge: error: "))


def _start(layout: Layout, systemd: Systemd, report: Callable[[str], None], *, changed: bool) -> None:
    systemd.reload()
    systemd.enable()
    if not layout.live:
        return
    if not layout.config.exists():
        report(f"not started: {layout.config} is missing; write it, then run this command again")
    elif changed or not systemd.active:
        systemd.restart()
        report(f"{UNIT} runs")


def _prune_releases(layout: Layout, ledger: Ledger) -> None:
    """Remove all releases but the current and the previous one."""
    kept = {
        (layout.home / name).resolve().name for name in ("current", "previous") if (layout.home / name).is_symlink()
    }
    for path in sorted(layout.releases.iterdir()) if kept and layout.releases.is_dir() else ():
        if path.name not in kept:
            ledger.remove_tree(path)
