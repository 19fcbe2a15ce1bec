"""Maps the files of vcedge on a device, or below another root such as the image of a card."""

from __future__ import annotations

from pathlib import Path

UNIT = "vcedge.service"
TEMPLATE = "vcedge@.service"
CONFIG = "/etc/vcedge/runtime.yaml"
"""The configuration of the service, and so the default of commands that need one."""


class Layout:
    """Maps paths on the device (`/etc/vcedge`) to where they are written (`root/etc/vcedge`)."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root.absolute()
        self.live = self.root == Path("/")
        """Whether this is the running system, whose services can be started."""
        self.home = self.at("/opt/vcedge")
        """Folder of the programs: `releases/<id>`, the links `current` and `previous`, and the ledger."""
        self.releases = self.home / "releases"
        """Folder with one virtual environment a release."""
        self.config = self.at(CONFIG)
        """The configuration of the service."""
        self.credentials = self.at("/etc/vcedge/credentials")
        """Folder of secrets that only root may read; systemd passes each to the service."""
        self.units = self.at("/etc/systemd/system")
        """Folder of the administrator's units, which take precedence over those of packages."""
        self.command = self.at("/usr/local/bin/vcedge")
        """The command in the PATH."""
        self.state = self.at("/var/lib/vcedge")
        """State folder of the service; with DynamicUser a link to `private/vcedge` once the service has run."""
        self.environment = {"VCEDGE__STATE_DIR": str(self.state)}
        """Environment variables that the unit adds to the configuration of the service."""

    def at(self, path: str) -> Path:
        """Return the path below the root for an absolute path on the device."""
        return self.root / path.lstrip("/")
