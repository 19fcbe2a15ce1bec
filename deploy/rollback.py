"""Rolls back a model, or the release of the program, on this device."""

from __future__ import annotations

from collections.abc import Callable

from vcedge.deploy.layout import Layout
from vcedge.deploy.ledger import Ledger
from vcedge.deploy.systemctl import Systemd
from vcedge.errors import UsageError, VcedgeError
from vcedge.runtime.storage.model_store import ModelStore


def roll_back_model(layout: Layout, asset: str, report: Callable[[str], None]) -> None:
    """Exchange the model links of an asset and restart the service, which ends a trial.

    Raises UsageError if there is no previous model, Unavailable if the service does not start.
    """
    store = ModelStore(layout.state / "models", asset)
    if store.roll_back() is None:
        raise UsageError(f"asset {asset}: no previous model in {store.folder}")
    store.delete_note("trial")
    report(f"model of {asset}: {store.current}")
    if Systemd(layout).active:
        Systemd(layout).restart()


def roll_back_release(layout: Layout, report: Callable[[str], None]) -> None:
    """Exchange the links of the releases and restart the service; if it does not start, exchange them again.

    Raises UsageError if there is no previous release, Unavailable if the service does not start.
    """
    current, previous = layout.home / "current", layout.home / "previous"
    if not previous.is_symlink() or not previous.exists():
        raise UsageError(f"no previous release in {layout.releases}")
    ledger, systemd = Ledger(layout, report), Systemd(layout)
    was_active = systemd.active
    targets = str(current.readlink()), str(previous.readlink())
    ledger.make_link(current, targets[1])
    ledger.make_link(previous, targets[0])
    if was_active:
        try:
            systemd.restart()
        except VcedgeError:
            ledger.undo()
            systemd.restart()
            raise
