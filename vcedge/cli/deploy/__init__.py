"""`vcedge deploy`: commands on the device, on the workstation, and for a running service."""

from __future__ import annotations

import typer

from vcedge.cli.deploy.models import rollback, stage, update
from vcedge.cli.deploy.on_device import install, render, status, uninstall
from vcedge.cli.deploy.workstation import bundle, push

deploy_command = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Install, update and remove the service on a device (docs/device.md).",
)
for command in (render, install, uninstall, status, bundle, push, update, rollback, stage):
    deploy_command.command()(command)
