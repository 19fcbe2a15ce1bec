"""`vcedge deploy`: onto a device as a systemd service, and off again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vcedge.deploy.layout import Layout

deploy_command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Install, update and remove the service on a device (docs/device.md).",
)
Root = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="Another root: the image of a card.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
Watchdog = Annotated[int, typer.Option("--watchdog-s", min=2, help="A loop that hangs so long is restarted.")]
Memory = Annotated[str, typer.Option("--memory", help="Most memory of the service, as systemd writes it.")]
Model = Annotated[Path | None, typer.Option("--model", help="A model.vcedge to put in charge of its asset.")]
Config = Annotated[Path | None, typer.Option("--config", help="The runtime.yaml of the device.")]


@deploy_command.command()
def render(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the files.", show_default=False)],
    watchdog_s: Watchdog = 30,
    memory: Memory = "512M",
) -> None:
    """Write the units and the examples for a broker to a folder, and touch nothing else.

    \b
    Example:
      vcedge deploy render --out units
      systemd-analyze security --offline=true units/vcedge.service
    """
    from vcedge.cli.console import note
    from vcedge.deploy.units import UnitOptions, examples, units
    from vcedge.files import write_atomic

    out.mkdir(parents=True, exist_ok=True)
    for name, text in (units(UnitOptions(watchdog_s=watchdog_s, memory=memory)) | examples()).items():
        write_atomic(out / name, text.encode())
        note(f"{out / name} written")


@deploy_command.command()
def install(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="Of vcedge deploy bundle; else this very program.")
    ] = None,
    model: Model = None,
    config: Config = None,
    root: Root = None,
    dry_run: DryRun = False,
    watchdog_s: Watchdog = 30,
    memory: Memory = "512M",
) -> None:
    """Install or update the service and start it. Does nothing where all is as wanted.

    What it installs it remembers; it changes no file that is not its own. Where the new version does not start, the
    old one runs again. On a device without vcedge the bundle installs itself: sudo python3 BUNDLE.

    \b
    Example:
      sudo vcedge deploy install vcedge-aarch64.pyz
      sudo vcedge deploy install --model model.vcedge
    """
    from vcedge.cli.console import note
    from vcedge.deploy.install import Wanted, contents
    from vcedge.deploy.install import install as install_wanted

    inside = (None, None) if bundle is None else contents(bundle)
    given_model = inside[0] if model is None else _read(model)
    given_config = inside[1] if config is None else _read(config)
    wanted = Wanted(bundle, given_model, given_config, watchdog_s, memory)
    if not install_wanted(_layout(root), wanted, note, dry_run):
        note("nothing to change")


@deploy_command.command()
def uninstall(
    root: Root = None,
    dry_run: DryRun = False,
    purge: Annotated[bool, typer.Option("--purge", help="Remove state, models and configuration as well.")] = False,
) -> None:
    """Stop the service and remove what was installed, and nothing that was not.

    \b
    Example:
      sudo vcedge deploy uninstall --dry-run
      sudo vcedge deploy uninstall --purge
    """
    from vcedge.cli.console import note
    from vcedge.deploy.uninstall import uninstall as uninstall_all

    uninstall_all(_layout(root), note, dry_run, purge)


@deploy_command.command()
def status(root: Root = None, json: Annotated[bool, typer.Option("--json", help="As JSON on stdout.")] = False) -> None:
    """Say what is installed on this device and how it runs.

    \b
    Example:
      vcedge deploy status
    """
    from vcedge.cli.console import print_json, print_table
    from vcedge.deploy.status import status as status_of

    found = status_of(_layout(root))
    if json:
        print_json(found)
        return
    models = found.pop("models")
    rows = [(name.replace("_", " "), "-" if value is None else str(value)) for name, value in found.items()]
    rows += [(f"model of {asset}", str(links["current"])) for asset, links in models.items()]
    print_table(rows)


@deploy_command.command()
def bundle(
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="A model.vcedge to put into it.")] = None,
    target: Annotated[str, typer.Option("--target", help="aarch64 or x86_64.")] = "aarch64",
    python: Annotated[str, typer.Option("--python", help="Python version of the device.")] = "3.11",
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The bundle.")] = Path("vcedge.pyz"),
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="A wheel of vcedge; else built from this checkout.")
    ] = None,
    extra: Annotated[list[str] | None, typer.Option("--extra", help="onnx, tflite or update: more packages.")] = None,
    config: Config = None,
) -> None:
    """Collect vcedge and all it needs in one file that installs without network.

    \b
    Example:
      vcedge deploy bundle models/pump-1/model.vcedge --target aarch64 --out pump.pyz
      scp pump.pyz pi@press-07: && ssh pi@press-07 sudo python3 pump.pyz
    """
    from vcedge import model_file
    from vcedge.cli.console import note
    from vcedge.deploy.bundle import Target, has_kernel, write_bundle

    data = None if model is None else _read(model)
    if data is not None:
        model_file.loads(data, str(model))
    text = None if config is None else _read(config)
    files = write_bundle(out, Target(target, python), wheel=wheel, extras=extra or (), model=data, config=text)
    note(f"{out} written: {len(files)} files, {out.stat().st_size / 1e6:.1f} MB, for {target} with Python {python}")
    if not has_kernel(out):
        note("without the native kernel: no compiler for the target was found, and the numpy engine will serve")


def _layout(root: Path | None) -> Layout:
    from vcedge.deploy.layout import Layout

    return Layout() if root is None else Layout(root.absolute())


def _read(path: Path) -> bytes:
    """The bytes of a file. Raises InputNotFound."""
    from vcedge.errors import InputNotFound

    try:
        return path.read_bytes()
    except OSError as error:
        raise InputNotFound(f"{path}: cannot be read: {error.strerror}") from None
