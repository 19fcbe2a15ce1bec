"""Back to what was before, on this device: a model, or a release of the program."""

from __future__ import annotations

from collections.abc import Callable

from vcedge.deploy.layout import Layout
from vcedge.deploy.ledger import Ledger
from vcedge.deploy.systemctl import Systemd
from vcedge.errors import UsageError, VcedgeError
from vcedge.runtime.storage.model_store import ModelStore


def roll_back_model(layout: Layout, asset: str, say: Callable[[str], None]) -> None:
    """Exchange the links of an asset and start the service anew, which ends a trial. Raises UsageError, Unavailable."""
    store = ModelStore(layout.state / "models", asset)
    if store.roll_back() is None:
        raise UsageError(f"asset {asset}: no previous model in {store.folder}")
    store.delete_note("trial")
    say(f"model of {asset}: {store.current}")
    if Systemd(layout).active:
        Systemd(layout).restart()


def roll_back_release(layout: Layout, say: Callable[[str], None]) -> None:
    """Exchange the links of the releases and start the service anew; where it does not start, exchange them again.

    Raises UsageError where there is no previous release, Unavailable.
    """
    current, previous = layout.home / "current", layout.home / "previous"
    if not previous.is_symlink() or not previous.exists():
        raise UsageError(f"no previous release in {layout.releases}")
    ledger, systemd = Ledger(layout, say), Systemd(layout)
    was_active = systemd.active
    targets = str(current.readlink()), str(previous.readlink())
    ledger.link(current, targets[1])
    ledger.link(previous, targets[0])
    if was_active:
        try:
            systemd.restart()
        except VcedgeError:
            ledger.undo()
            systemd.restart()
            raise
