"""Where everything of vcedge is on a device; below another root for a test or the image of a card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

UNIT = "vcedge.service"
TEMPLATE = "vcedge@.service"


@dataclass(frozen=True)
class Layout:
    """Paths on the device (`/etc/vcedge`) and where they are to be written (`root/etc/vcedge`)."""

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Where an absolute path of the device is reached from here."""
        return self.root / path.lstrip("/")

    @property
    def live(self) -> bool:
        """Whether this is the running system, whose services can be started."""
        return self.root == Path("/")

    @property
    def home(self) -> Path:
        """Programs: `releases/<id>`, the links `current` and `previous`, and the ledger."""
        return self.at("/opt/vcedge")

    @property
    def releases(self) -> Path:
        """One virtual environment for each release."""
        return self.home / "releases"

    @property
    def config(self) -> Path:
        """The configuration of the service."""
        return self.at("/etc/vcedge/runtime.yaml")

    @property
    def credentials(self) -> Path:
        """Secrets, readable by root only; systemd hands each to the service."""
        return self.at("/etc/vcedge/credentials")

    @property
    def units(self) -> Path:
        """Units of the administrator, which go before those of packages."""
        return self.at("/etc/systemd/system")

    @property
    def command(self) -> Path:
        """The program for people."""
        return self.at("/usr/local/bin/vcedge")

    @property
    def environment(self) -> dict[str, str]:
        """What the unit adds to the configuration of the service."""
        return {"VCEDGE__STATE_DIR": str(self.state)}

    @property
    def state(self) -> Path:
        """State of the service; with DynamicUser a link to `private/vcedge` once the service has run."""
        return self.at("/var/lib/vcedge")
