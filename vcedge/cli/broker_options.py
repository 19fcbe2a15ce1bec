"""Options of commands that connect to a broker without a runtime configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vcedge.errors import UsageError

if TYPE_CHECKING:
    from vcedge.config.mqtt import MqttConfig

MqttVersion = Annotated[str, typer.Option("--mqtt-version", help="5 or 3.1.1.")]
Username = Annotated[str | None, typer.Option("--username", help="User at the broker.")]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="File whose first line is the password.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="Certificate authorities, for mqtts.")]


def mqtt_config(
    broker: str, version: str, username: str | None, password_file: Path | None, ca_file: Path | None
) -> MqttConfig:
    """Return the connection that the options describe. Raises UsageError that names the wrong option."""
    from pydantic import ValidationError

    from vcedge.config.mqtt import MqttConfig
    from vcedge.config.problems import shown

    options = {"version": version, "username": username, "password_file": password_file, "ca_file": ca_file}
    try:
        return MqttConfig.model_validate({"broker": broker, **options})
    except ValidationError as error:
        first = error.errors()[0]
        option = {"version": "--mqtt-version"}.get(str(first["loc"][0]), f"--{first['loc'][0]}") if first["loc"] else ""
        words = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(f"{option} {shown(first['input'])}: {words}" if option else words) from None
