"""Installs on a device over ssh. The device itself undoes a failed installation, even if the connection is lost."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vcedge.errors import Unavailable, UsageError, error_of

Files = Mapping[str, Path | None]
"""Local files to copy to the device: bundle, model and config, None where there is none."""
SSH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15")


def push(host: str, upload: Files, healthy_s: int, ssh_options: Sequence[str], report: Callable[[str], None]) -> None:
    """Copy the files to a host and install them there.

    Args:
        host: As for ssh, such as `pi@press-07`.
        upload: The files.
        healthy_s: Seconds in which the service has to connect to its broker; 0 does not wait for it.
        ssh_options: Options as for `ssh -o`.
        report: Called with a line for each step.

    Raises:
        VcedgeError: The error that the installation ended with.
        UsageError: The host is not a valid name.
        Unavailable: The host cannot be reached.
    """
    if host.startswith("-") or not host or any(character.isspace() for character in host):
        raise UsageError(f"{host}: expected a host as for ssh, such as pi@press-07")
    options = [*SSH, *(part for option in ssh_options for part in ("-o", option))]
    folder = _remote(host, options, ["mktemp", "-d"]).stdout.strip()
    files = {name: path for name, path in upload.items() if path is not None}
    try:
        for name, path in files.items():
            report(f"copy {path} to {host}")
            _local([_found("scp"), "-q", *options, str(path.resolve()), f"{host}:{folder}/{name}"], host)
        command = ["sh", "-c", 'test "$(id -u)" = 0 || exec sudo -n "$@"; exec "$@"', "sh"]
        command += ["python3", f"{folder}/bundle", "--healthy-s", str(healthy_s)]
        for name in ("model", "config"):
            command += [f"--{name}", f"{folder}/{name}"] if name in files else []
        for line in _remote(host, options, command).stderr.splitlines():
            report(f"{host}: {line}")
    finally:
        _run([_found("ssh"), *options, "--", host, shlex.join(["rm", "-rf", folder])])


def _remote(host: str, options: Sequence[str], command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command on the host. ssh passes one string to the remote shell, so each word is quoted."""
    return _local([_found("ssh"), *options, "--", host, shlex.join(command)], host)


def _local(command: Sequence[str], host: str) -> subprocess.CompletedProcess[str]:
    result = _run(command)
    if result.returncode != 0:
        reason = result.stderr.strip().rpartition("vcedge: error: ")[2] or f"exit code {result.returncode}"
        raise error_of(result.returncode)(f"{host}: {reason}")
    return result


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program}: not installed here: apt-get install openssh-client")
    return path
