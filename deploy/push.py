"""To a device by ssh. The device installs by itself: what fails there is undone there, also when the line is lost."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vcedge.errors import ConfigError, DataError, InputNotFound, InputOutputError, Unavailable, UsageError, VcedgeError

SSH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")
KINDS: dict[int, type[VcedgeError]] = {
    2: UsageError,
    65: DataError,
    66: InputNotFound,
    74: InputOutputError,
    78: ConfigError,
}
"""What an exit code of the installation means; all else is Unavailable."""


@dataclass(frozen=True)
class Parcel:
    """What goes there."""

    bundle: Path
    model: Path | None = None
    config: Path | None = None


def push(host: str, parcel: Parcel, healthy_s: int, ssh_options: Sequence[str], say: Callable[[str], None]) -> None:
    """Copy and install. Raises the error of the installation, Unavailable where the host cannot be reached."""
    if host.startswith("-") or not host or any(character.isspace() for character in host):
        raise UsageError(f"{host}: expected a host as for ssh, such as pi@press-07")
    options = [*SSH, *(part for option in ssh_options for part in ("-o", option))]
    folder = _remote(host, options, ["mktemp", "-d"]).stdout.strip()
    files = {name: path for name, path in vars(parcel).items() if path is not None}
    try:
        for name, path in files.items():
            say(f"copy {path} to {host}")
            _local([_found("scp"), "-q", *options, str(path.resolve()), f"{host}:{folder}/{name}"], host)
        command = ["sh", "-c", 'test "$(id -u)" = 0 || exec sudo -n "$@"; exec "$@"', "sh"]
        command += ["python3", f"{folder}/bundle", "--healthy-s", str(healthy_s)]
        for name in ("model", "config"):
            command += [f"--{name}", f"{folder}/{name}"] if name in files else []
        for line in _remote(host, options, command).stderr.splitlines():
            say(f"{host}: {line}")
    finally:
        _run([_found("ssh"), *options, "--", host, shlex.join(["rm", "-rf", folder])])


def _remote(host: str, options: Sequence[str], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A command there. ssh hands one text to the remote shell, so that each word is quoted for it."""
    return _local([_found("ssh"), *options, "--", host, shlex.join(command)], host)


def _local(command: Sequence[str], host: str) -> subprocess.CompletedProcess[str]:
    result = _run(command)
    if result.returncode != 0:
        reason = result.stderr.strip().rpartition("vcedge: error: ")[2] or f"ended with {result.returncode}"
        raise KINDS.get(result.returncode, Unavailable)(f"{host}: {reason}")
    return result


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program}: not installed here: apt-get install openssh-client")
    return path
