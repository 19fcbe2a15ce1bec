"""Renders the systemd units: one template, for the service itself and for several instances."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from vcedge.deploy.layout import CONFIG, TEMPLATE, UNIT

PROGRAM = "/opt/vcedge/current/bin/python -I -X faulthandler -m vcedge"
"""The interpreter by its path: it still works after the environment was moved, unlike the first line of a script."""
EXAMPLES = ("mosquitto.conf", "mosquitto-tls.conf", "mosquitto.acl")
KNOWN_CREDENTIALS = {
    "mqtt-password": "PASSWORD_FILE",
    "ca.pem": "CA_FILE",
    "cert.pem": "CERT_FILE",
    "key.pem": "KEY_FILE",
}
"""Credentials that need no line in runtime.yaml: the key of `mqtt` that each file sets."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class UnitOptions:
    """Holds the options that differ between devices; all others belong in a drop-in."""

    program: str = PROGRAM
    watchdog_s: int = 30
    memory: str = "512M"
    credentials: tuple[str, ...] = ()
    """Names of the files in /etc/vcedge/credentials."""


def units(options: UnitOptions) -> dict[str, str]:
    """Return the text of each unit by its name."""
    template = files("vcedge.deploy").joinpath("units/vcedge.service").read_text("utf-8")
    common = {
        "PROGRAM": options.program,
        "WATCHDOG_S": str(options.watchdog_s),
        "MEMORY": options.memory,
        "CREDENTIALS": "".join(f"{line}\n" for line in _credential_lines(options.credentials)),
    }
    single = {"INSTANCE": "", "UNIT": "vcedge", "CONFIG": CONFIG, "STATE": "vcedge"}
    many = {"INSTANCE": " (%i)", "UNIT": "vcedge@NAME", "CONFIG": "/etc/vcedge/%i/runtime.yaml", "STATE": "vcedge-%i"}
    return {UNIT: _filled(template, common | single), TEMPLATE: _filled(template, common | many)}


def examples() -> dict[str, str]:
    """Return the example files for a broker by their names."""
    return {name: files("vcedge.deploy").joinpath(name).read_text("utf-8") for name in EXAMPLES}


def usable_credentials(names: Iterable[str]) -> tuple[str, ...]:
    """Return the sorted file names that can be credentials: no hidden files and no backup copies of editors."""
    return tuple(sorted(name for name in names if _NAME.fullmatch(name) and not name.startswith(".")))


def _credential_lines(names: tuple[str, ...]) -> list[str]:
    lines = [f"LoadCredential={name}:/etc/vcedge/credentials/{name}" for name in names]
    return lines + [
        f"Environment=VCEDGE__MQTT__{KNOWN_CREDENTIALS[name]}=/run/credentials/%n/{name}"
        for name in names
        if name in KNOWN_CREDENTIALS
    ]


def _filled(template: str, values: dict[str, str]) -> str:
    """Return the template with each `@NAME@` replaced, except systemd's own such as `@system-service`."""
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match.group(1)], template)
