"""Maps the files of vcedge on a device, or below another root such as the image of a card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

UNIT = "vcedge.service"
TEMPLATE = "vcedge@.service"
CONFIG = "/etc/vcedge/runtime.yaml"
"""The configuration of the service, and so the default of commands that need one."""


@dataclass(frozen=True)
class Layout:
    """Maps paths on the device (`/etc/vcedge`) to where they are written (`root/etc/vcedge`)."""

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Return the path below the root for an absolute path on the device."""
        return self.root / path.lstrip("/")

    @property
    def live(self) -> bool:
        """Whether this is the running system, whose services can be started."""
        return self.root == Path("/")

    @property
    def home(self) -> Path:
        """Folder of the programs: `releases/<id>`, the links `current` and `previous`, and the ledger."""
        return self.at("/opt/vcedge")

    @property
    def releases(self) -> Path:
        """Folder with one virtual environment a release."""
        return self.home / "releases"

    @property
    def config(self) -> Path:
        """The configuration of the service."""
        return self.at(CONFIG)

    @property
    def credentials(self) -> Path:
        """Folder of secrets that only root may read; systemd passes each to the service."""
        return self.at("/etc/vcedge/credentials")

    @property
    def units(self) -> Path:
        """Folder of the administrator's units, which take precedence over those of packages."""
        return self.at("/etc/systemd/system")

    @property
    def command(self) -> Path:
        """The command in the PATH."""
        return self.at("/usr/local/bin/vcedge")

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that the unit adds to the configuration of the service."""
        return {"VCEDGE__STATE_DIR": str(self.state)}

    @property
    def state(self) -> Path:
        """State folder of the service; with DynamicUser a link to `private/vcedge` once the service has run."""
        return self.at("/var/lib/vcedge")
