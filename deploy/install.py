"""Bringing a device to the wanted state, as often as one likes; what fails leaves the old version running."""

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
from vcedge.errors import ConfigError, DataError, InputNotFound, Unavailable, UsageError
from vcedge.runtime.storage.model_store import ModelStore

CHECK_S = 120
"""Longest time that checking configuration and models may take."""
HIDDEN = ("home", "root", "run", "tmp")
"""Folders of the root that the unit keeps from the service: it could not read a program there."""
COMMAND = f'#!/bin/sh\nexec {PROGRAM} "$@"\n'


@dataclass(frozen=True)
class InstallRequest:
    """What to install; what is absent stays as it is on the device."""

    bundle: Path | None = None
    """Absent: the units start the program that installs them, from where it is."""
    model: bytes | None = None
    config: bytes | None = None
    watchdog_s: int = 30
    memory: str = "512M"
    healthy_s: int = 0
    """So long the service may take to be connected; 0: that it starts is enough."""


def contents(bundle: Path) -> tuple[bytes | None, bytes | None]:
    """Model and configuration of a bundle. Raises DataError for a damaged one."""
    try:
        names = read_manifest(bundle)["files"]
        with zipfile.ZipFile(bundle) as archive:
            model, config = (archive.read(n) if n in names else None for n in ("model.vcedge", "runtime.yaml"))
    except BadBundle as error:
        raise DataError(str(error)) from None
    return model, config


def install(layout: Layout, wanted: InstallRequest, say: Callable[[str], None], dry_run: bool = False) -> bool:
    """Install or update; whether anything changed.

    Raises DataError, ConfigError, InputNotFound, Unavailable or InputOutputError; the device then is as before.
    """
    systemd = Systemd(layout)
    if not dry_run:
        systemd.require()
    ledger, was_active = Ledger(layout, say, dry_run), systemd.active
    undo: list[Callable[[], None]] = [ledger.undo]
    started = False
    try:
        changed = _arrange(layout, wanted, ledger, undo, dry_run)
        if not dry_run:
            started = True
            _start(layout, systemd, changed, say)
            if changed and wanted.healthy_s and systemd.active:
                wait_healthy(layout, wanted.healthy_s)
    except BaseException:
        for step in undo:
            step()
        if layout.live and started:
            _back(systemd, was_active)
        raise
    _prune_releases(layout, ledger)
    return changed


def _back(systemd: Systemd, was_active: bool) -> None:
    """Files and links are those of before: so shall be what runs."""
    systemd.reload()
    if was_active:
        systemd.restart()
    elif systemd.show().get("ActiveState") != "inactive":
        systemd.stop()


def _arrange(
    layout: Layout, wanted: InstallRequest, ledger: Ledger, undo: list[Callable[[], None]], dry_run: bool
) -> bool:
    """Everything but starting it."""
    release = None if wanted.bundle is None else _release(layout, wanted.bundle, ledger, dry_run)
    changed, asset = False, None
    if wanted.model is not None:
        asset = _asset_of(wanted.model)
        changed |= _place_model(layout, asset, wanted.model, ledger, undo, dry_run)
    config = wanted.config
    if config is None and asset is not None and not layout.config.exists():
        config = _starter(asset)
    if config is not None:
        changed |= ledger.file(layout.config, config)
    ledger.folder(layout.credentials, 0o700)
    if layout.live and not dry_run and layout.config.exists():
        _check(layout, release)
    if release is not None:
        before = layout.home / "current"
        if before.is_symlink() and str(before.readlink()) != f"releases/{release.name}":
            ledger.link(layout.home / "previous", str(before.readlink()))
        changed |= ledger.link(layout.home / "current", f"releases/{release.name}")
        changed |= ledger.file(layout.command, COMMAND.encode(), 0o755)
    names = os.listdir(layout.credentials) if layout.credentials.is_dir() else []
    program = PROGRAM if (layout.home / "current").exists() or release else own_program()
    options = UnitOptions(program, wanted.watchdog_s, wanted.memory, usable_credentials(names))
    for name, text in units(options).items():
        changed |= ledger.file(layout.units / name, text.encode())
    return changed


def _release(layout: Layout, bundle: Path, ledger: Ledger, dry_run: bool) -> Path:
    try:
        if dry_run:
            return layout.releases / str(read_manifest(bundle)["id"])
        ledger.folder(layout.releases)
        release = unpack(bundle, layout.releases)
    except BadBundle as error:
        raise DataError(str(error)) from None
    ledger.tree(release)
    return release


def _asset_of(data: bytes) -> str:
    return model_file.loads(data, "model").asset


def _place_model(
    layout: Layout, asset: str, data: bytes, ledger: Ledger, undo: list[Callable[[], None]], dry_run: bool
) -> bool:
    store = ModelStore(layout.state / "models", asset)
    digest = model_file.model_id(data).removeprefix("sha256:")
    if store.current == digest:
        return False
    ledger.note(f"model {store.path(digest)}")
    if not dry_run:
        ledger.folder(layout.state.parent)
        undo.append(partial(_restore_model, store, store.current, store.previous))
        store.switch(store.add(data))
    return True


def _restore_model(store: ModelStore, current: str | None, previous: str | None) -> None:
    store.restore_links(current, previous)
    store.prune()


def _starter(asset: str) -> bytes:
    """The least that is a configuration: every other key has its default."""
    node = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "device"
    model = f"/var/lib/vcedge/models/{asset}/current"
    lines = ("# All keys: configs/runtime.yaml of vcedge.", f"node: {node}", "assets:")
    return "\n".join((*lines, f"  {json.dumps(asset)}: {{model: {json.dumps(model)}}}", "")).encode()


def own_program() -> str:
    """The command line of the program that runs now, for a unit. Raises UsageError where a service cannot reach it."""
    python = f"{sys.prefix}/bin/python"
    if not re.fullmatch(r"[A-Za-z0-9/._+-]+", python):
        raise UsageError(f"{python}: a unit needs a path without blanks and signs; install a bundle instead")
    if python.split("/")[1] in HIDDEN:
        raise UsageError(f"{python}: the service cannot see this folder; install a bundle, or vcedge to /opt")
    return f"{python} -I -X faulthandler -m vcedge"


def _check(layout: Layout, release: Path | None) -> None:
    """Configuration and models, by the program that is to run them. Raises its error."""
    python = sys.executable if release is None else str(release / "bin" / "python")
    command = [python, "-I", "-m", "vcedge", "run", str(layout.config), "--check"]
    known = {f"VCEDGE__MQTT__{key}": layout.credentials / name for name, key in KNOWN_CREDENTIALS.items()}
    environment = {**layout.environment, **{name: str(path) for name, path in known.items() if path.is_file()}}
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=CHECK_S, check=False
    )
    if result.returncode != 0:
        reason = result.stderr.strip().removeprefix("vcedge: error: ")
        kinds = {65: DataError, 66: InputNotFound, 78: ConfigError}
        raise kinds.get(result.returncode, Unavailable)(reason)


def _start(layout: Layout, systemd: Systemd, changed: bool, say: Callable[[str], None]) -> None:
    systemd.reload()
    systemd.enable()
    if not layout.live:
        return
    if not layout.config.exists():
        say(f"not started: write {layout.config}, then run this again")
    elif changed or not systemd.active:
        systemd.restart()
        say(f"{UNIT} runs")


def _prune_releases(layout: Layout, ledger: Ledger) -> None:
    """Keep the release in charge and the one before it."""
    kept = {
        (layout.home / name).resolve().name for name in ("current", "previous") if (layout.home / name).is_symlink()
    }
    for path in sorted(layout.releases.iterdir()) if kept and layout.releases.is_dir() else ():
        if path.name not in kept:
            ledger.forget(path)
