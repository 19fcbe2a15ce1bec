"""`vcedge deploy` on the device: install and remove the service, and show its state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcedge.cli.console import note, print_json, print_table
from vcedge.deploy.layout import Layout
from vcedge.errors import InputNotFound
from vcedge.files import write_atomic

Root = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="Another root, such as a card's image.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and change nothing.")]
Watchdog = Annotated[
    int, typer.Option("--watchdog-s", min=2, help="Restart the service if its loop hangs for this long.")
]
Memory = Annotated[str, typer.Option("--memory", help="Memory limit of the service, as in systemd units.")]
Model = Annotated[Path | None, typer.Option("--model", help="A model.vcedge to activate for its asset.")]
Healthy = Annotated[
    int,
    typer.Option("--healthy-s", min=0, help="Undo unless connected to the broker within this time; 0: do not wait."),
]
Config = Annotated[Path | None, typer.Option("--config", help="The runtime.yaml of the device.")]


def render(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files.", show_default=False)],
    watchdog_s: Watchdog = 30,
    memory: Memory = "512M",
) -> None:
    """Write the systemd units and a broker's examples to a folder.

    Changes nothing else.

    \b
    Example:
      vcedge deploy render --out units
      systemd-analyze security --offline=true units/vcedge.service
    """
    from vcedge.deploy.units import UnitOptions, examples, units

    out.mkdir(parents=True, exist_ok=True)
    for name, text in (units(UnitOptions(watchdog_s=watchdog_s, memory=memory)) | examples()).items():
        write_atomic(out / name, text.encode())
        note(f"{out / name} written")


def install(
    *,
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="A file of vcedge deploy bundle; default: this program.")
    ] = None,
    model: Model = None,
    config: Config = None,
    root: Root = Path("/"),
    dry_run: DryRun = False,
    watchdog_s: Watchdog = 30,
    memory: Memory = "512M",
    healthy_s: Healthy = 0,
) -> None:
    """Install or update the service and start it.

    Does nothing if all is up to date. It records what it installs, and changes no other file. If the new version does
    not start, the old one runs again. On a device without vcedge the bundle installs itself: sudo python3 BUNDLE.

    \b
    Example:
      sudo vcedge deploy install vcedge-aarch64.pyz
      sudo vcedge deploy install --model model.vcedge
    """
    from vcedge.deploy.install import InstallRequest, contents
    from vcedge.deploy.install import install as install_request

    inside = (None, None) if bundle is None else contents(bundle)
    given_model = inside[0] if model is None else read(model)
    given_config = inside[1] if config is None else read(config)
    request = InstallRequest(bundle, given_model, given_config, watchdog_s, memory, healthy_s)
    if not install_request(Layout(root), request, note, dry_run=dry_run):
        note("nothing to change")


def uninstall(
    *,
    root: Root = Path("/"),
    dry_run: DryRun = False,
    purge: Annotated[bool, typer.Option("--purge", help="Remove state, models and configuration as well.")] = False,
) -> None:
    """Stop the service and remove only what was installed.

    \b
    Example:
      sudo vcedge deploy uninstall --dry-run
      sudo vcedge deploy uninstall --purge
    """
    from vcedge.deploy.uninstall import uninstall as uninstall_all

    uninstall_all(Layout(root), note, dry_run=dry_run, purge=purge)


def status(
    *,
    root: Root = Path("/"),
    json: Annotated[bool, typer.Option("--json", help="Print the state as JSON on stdout.")] = False,
) -> None:
    """Show what is installed on this device and whether it runs.

    \b
    Example:
      vcedge deploy status
    """
    from vcedge.deploy.status import status as status_of

    found = status_of(Layout(root))
    if json:
        print_json(found)
        return
    models = found.pop("models")
    rows = [(name.replace("_", " "), "-" if value is None else str(value)) for name, value in found.items()]
    rows += [(f"model of {asset}", str(links["current"])) for asset, links in models.items()]
    print_table(rows)


def read(path: Path) -> bytes:
    """Return the bytes of a file. Raises InputNotFound if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror}") from None
