"""`vcedge sign`: signs a model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from vcedge.cli.console import note, refuse_overwriting
from vcedge.errors import InputOutputError, UsageError
from vcedge.files import write_atomic


def sign_command(
    *,
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help="A model.vcedge.", show_default=False)] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="The private key.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: MODEL.sig.")] = None,
    serial: Annotated[
        int | None, typer.Option("--serial", min=0, help="Larger is newer; default: seconds since 1970.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option("--new-key", metavar="FILE", help="Make a key: FILE, and FILE.pub for the devices.")
    ] = None,
) -> None:
    """Sign a model, so that devices that have the public key accept it as an update.

    A device accepts a model that is newer than the last accepted one, for the same asset and the same channels. Keep
    the private key where you sign; copy FILE.pub to the devices (runtime.yaml: `update: {key: FILE.pub}`).

    \b
    Example:
      vcedge sign --new-key plant.key
      vcedge sign models/pump-1/model.vcedge --key plant.key
    """
    if new_key is not None:
        if model is not None or key is not None:
            raise UsageError("--new-key only makes a key, expected no MODEL and no --key beside it")
        _make_key(new_key)
    elif model is None or key is None:
        raise UsageError("expected a MODEL and --key FILE, or --new-key FILE")
    else:
        _sign(model, key, out or model.with_name(model.name + ".sig"), serial)


def _make_key(path: Path) -> None:
    from vcedge import signature

    try:
        public = signature.create_key(path)
    except FileExistsError as error:
        raise InputOutputError(f"{error.filename}: exists and is not overwritten, expected a new file") from None
    note(f"{path} written: keep it secret; copy {public} to the devices")


def _sign(model: Path, key: Path, out: Path, serial: int | None) -> None:
    from vcedge import model_file, signature

    data = model_file.read(model)
    detector = model_file.loads(data, str(model))
    serial, channels = int(time.time()) if serial is None else serial, signature.channels_of(detector.schema)
    statement = signature.Statement(model_file.model_id(data), detector.asset, channels, serial)
    refuse_overwriting(out, [model, key])
    write_atomic(out, signature.sign(statement, signature.load_private_key(key)))
    note(f"{out} written: {statement.model[:19]} for {statement.asset}, serial {statement.serial}")
