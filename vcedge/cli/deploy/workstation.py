"""`vcedge deploy` on the workstation: make a bundle, and push it to a device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vcedge.cli.console import note
from vcedge.cli.deploy.on_device import Config, Healthy, Model, read


def bundle(
    *,
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="A model.vcedge to include.")] = None,
    target: Annotated[str, typer.Option("--target", help="aarch64 or x86_64.")] = "aarch64",
    python: Annotated[str, typer.Option("--python", help="Python version of the device.")] = "3.11",
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The bundle to write.")] = Path("vcedge.pyz"),
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="A wheel of vcedge; default: built from this checkout.")
    ] = None,
    extra: Annotated[
        list[str] | None, typer.Option("--extra", help="Further packages: onnx, tflite or update; repeatable.")
    ] = None,
    config: Config = None,
) -> None:
    """Bundle vcedge and its dependencies in one offline installer.

    \b
    Example:
      vcedge deploy bundle models/pump-1/model.vcedge --target aarch64 --out pump.pyz
      scp pump.pyz pi@press-07: && ssh pi@press-07 sudo python3 pump.pyz
    """
    from vcedge import model_file
    from vcedge.deploy.bundle import Target, has_kernel, write_bundle

    data = None if model is None else read(model)
    if data is not None:
        model_file.loads(data, str(model))
    text = None if config is None else read(config)
    files = write_bundle(out, Target(target, python), wheel=wheel, extras=extra or (), model=data, config=text)
    note(f"{out} written: {len(files)} files, {out.stat().st_size / 1e6:.1f} MB, for {target} with Python {python}")
    if not has_kernel(out):
        note("without the native kernel: no compiler for the target was found; the device will use the numpy engine")


def push(
    *,
    host: Annotated[str, typer.Argument(metavar="HOST", help="As for ssh, such as pi@press-07.", show_default=False)],
    bundle: Annotated[Path, typer.Option("--bundle", metavar="FILE", help="A file of vcedge deploy bundle.")],
    model: Model = None,
    config: Config = None,
    healthy_s: Healthy = 60,
    ssh_option: Annotated[
        list[str] | None, typer.Option("--ssh-option", help="An option for ssh -o; repeatable.")
    ] = None,
) -> None:
    """Copy a bundle to a device by ssh and install it there.

    Waits until the service is connected to its broker. If anything fails, the connection included, the old version
    keeps running: the device decides alone. The user must be root, or have sudo without a password.

    \b
    Example:
      vcedge deploy push pi@press-07 --bundle pump.pyz --config press-07.yaml
    """
    from vcedge.deploy.push import push as push_upload

    upload = {"bundle": bundle, "model": model, "config": config}
    for path in filter(None, upload.values()):
        read(path)
    push_upload(host, upload, healthy_s, ssh_option or [], note)
