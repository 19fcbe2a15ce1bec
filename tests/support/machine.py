"""A machine with a real systemd: systemd-nspawn boots a Debian root folder; changes are discarded at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

BOOT_S = 120.0
COMMAND_S = 600.0
PATIENCE_S = 60.0
ENVIRONMENT = [
    "env",
    "-i",
    "-C",
    "/root",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG=C.UTF-8",
]
POWER_OFF = signal.SIGRTMIN + 4


class Machine:
    """Runs the machine with only a loopback interface; `root` is its file system meanwhile."""

    def __init__(self, base: Path, scratch: Path) -> None:
        self.root = scratch / "root"
        for name in ("root", "changes", "work"):
            (scratch / name).mkdir(parents=True)
        layers = f"lowerdir={base},upperdir={scratch}/changes,workdir={scratch}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        options = ["--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no", "--private-network"]
        self._nspawn = subprocess.Popen(
            ["systemd-nspawn", *options, f"--directory={self.root}", "--machine=vcedge-test"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._leader = 0
        self.wait(self._has_booted, "boot", BOOT_S)

    def run(self, *command: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine, as root; with `ok` it must succeed."""
        inside = ["nsenter", f"--target={self._leader}", "--all", *ENVIRONMENT, *command]
        result = subprocess.run(
            inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        assert not ok or result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command in the machine and return at once."""
        inside = ["nsenter", f"--target={self._leader}", "--all", *ENVIRONMENT, *command]
        return subprocess.Popen(inside, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def wait(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Poll for a condition that no event announces."""
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {patience_s} s: {what}"
            time.sleep(0.1)

    def show(self, unit: str, name: str) -> str:
        """Return one property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def close(self) -> None:
        """Power the machine off and discard its changes."""
        if self._leader:
            os.kill(self._leader, POWER_OFF)
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait(10)
        if self._nspawn.stderr is not None:
            self._nspawn.stderr.close()
        subprocess.run(["umount", str(self.root)], check=True)
        shutil.rmtree(self.root.parent)

    def _has_booted(self) -> bool:
        assert self._nspawn.poll() is None, self._nspawn.stderr or os.devnull
        children = Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split()
        if not children:
            return False
        self._leader = int(children[0])
        return self.run("systemctl", "is-system-running", ok=False).stdout.strip() in ("running", "degraded")
