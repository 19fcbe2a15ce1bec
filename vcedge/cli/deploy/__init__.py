"""`vcedge deploy`: commands on the device, on the workstation, and for a running service."""

from __future__ import annotations

import typer

from vcedge.cli.deploy import models, on_device, workstation

deploy_command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Install, update and remove the service on a device (docs/device.md).",
)
for command in (
    on_device.render,
    on_device.install,
    on_device.uninstall,
    on_device.status,
    workstation.bundle,
    workstation.push,
    models.update,
    models.rollback,
    models.stage,
):
    deploy_command.command()(command)
