"""Controls systemd through `systemctl`, and passes on its error messages."""

from __future__ import annotations

import shutil
import subprocess

from vcedge.deploy.layout import TEMPLATE, UNIT, Layout
from vcedge.errors import Unavailable

SHOWN = ("ActiveState", "SubState", "UnitFileState", "Result", "NRestarts", "ExecMainStatus", "MemoryCurrent")
INSTANCES = TEMPLATE.replace("@", "@*")


class Systemd:
    """Manages the service of a layout. For another root than `/` it only enables and disables."""

    def __init__(self, layout: Layout) -> None:
        self._live = layout.live
        self._options = [] if layout.live else [f"--root={layout.root}"]
        self._program = shutil.which("systemctl")

    def require(self) -> None:
        """Raise Unavailable if systemd does not run here."""
        if self._live and (self._program is None or self._call("show", "--property=Version").returncode != 0):
            raise Unavailable("systemd does not run here: deploy to a system where it does, or use --root DIR")

    def reload(self) -> None:
        """Make systemd reload the units."""
        if self._live:
            self._do("daemon-reload")

    def enable(self) -> None:
        """Start the service at boot."""
        if self._program is not None:
            self._do("enable", "--quiet", UNIT)

    def remove(self) -> None:
        """Stop and disable the service and all instances."""
        if self._live:
            self._call("stop", UNIT, INSTANCES)
            self._call("reset-failed", UNIT, INSTANCES)
        if self._program is not None:
            self._call("disable", "--quiet", UNIT, *self._instances())

    def stop(self) -> None:
        """Stop the service and reset its failed state."""
        self._call("stop", UNIT)
        self._call("reset-failed", UNIT)

    def restart(self) -> None:
        """Restart the service and wait until it is ready; restart running instances too. Raises Unavailable."""
        self._do("restart", UNIT)
        self._call("try-restart", INSTANCES)

    @property
    def active(self) -> bool:
        """Whether the service runs."""
        return self._live and self._call("is-active", "--quiet", UNIT).returncode == 0

    def show(self) -> dict[str, str]:
        """Return the properties of the unit; none if systemd does not run."""
        if not self._live or self._program is None:
            return {}
        lines = self._call("show", UNIT, f"--property={','.join(SHOWN)}").stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def _instances(self) -> list[str]:
        listed = self._call("list-unit-files", "--no-legend", "--plain", INSTANCES).stdout.splitlines()
        return [line.split()[0] for line in listed if line and not line.startswith(TEMPLATE)]

    def _do(self, *arguments: str) -> None:
        result = self._call(*arguments)
        if result.returncode != 0:
            reason = (result.stderr.strip().splitlines() or ["no reason given"])[0]
            raise Unavailable(f"systemctl {' '.join(arguments)}: {reason}")

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._program or "systemctl", *self._options, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)
