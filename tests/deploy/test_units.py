"""The systemd units: hardened as promised, and accepted by systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vcedge.deploy.units import UnitOptions, units, usable_credentials

HIGHEST_EXPOSURE = 1.5
ANALYZE = shutil.which("systemd-analyze")
PROGRAM = f"{sys.executable} -I -m vcedge"

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def rendered(folder: Path, options: UnitOptions) -> list[Path]:
    paths = []
    for name, text in units(options).items():
        path = folder / name
        path.write_text(text)
        paths.append(path)
    return paths


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
@pytest.mark.parametrize("credentials", [(), ("ca.pem", "mqtt-password", "token")])
def test_units_are_hardened_and_valid(credentials: tuple[str, ...], tmp_path: Path) -> None:
    for path in rendered(tmp_path, UnitOptions(PROGRAM, credentials=credentials)):
        result = analyze("security", "--offline=true", "--no-pager", str(path))
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
        assert found, result.stderr
        assert float(found.group(1)) <= HIGHEST_EXPOSURE
        verified = analyze("verify", str(path))
        assert (verified.returncode, verified.stderr) == (0, "")


@needs_systemd
def test_systemd_analyze_finds_an_invalid_unit(tmp_path: Path) -> None:
    path = rendered(tmp_path, UnitOptions(PROGRAM))[0]
    path.write_text(path.read_text().replace("ProtectClock=", "ProtectClocks="))
    assert "ProtectClocks" in analyze("verify", str(path)).stderr


def test_units_have_the_promised_settings() -> None:
    single, template = units(UnitOptions(watchdog_s=7, memory="99M")).values()
    for text in (single, template):
        assert "Type=notify\n" in text
        assert "RestartPreventExitStatus=2 65 66 78\n" in text
        assert "WatchdogSec=7\n" in text
        assert "MemoryMax=99M\n" in text
        assert not re.search(r"@[A-Z_]+@", text)
    assert "StateDirectory=vcedge\n" in single
    assert " run /etc/vcedge/runtime.yaml\n" in single
    assert "StateDirectory=vcedge-%i\n" in template
    assert " run /etc/vcedge/%i/runtime.yaml\n" in template


def test_credentials_are_passed_by_systemd_and_configured() -> None:
    text = units(UnitOptions(credentials=("mqtt-password", "token")))["vcedge.service"]
    assert "LoadCredential=mqtt-password:/etc/vcedge/credentials/mqtt-password\n" in text
    assert "LoadCredential=token:/etc/vcedge/credentials/token\n" in text
    assert re.findall("Environment=VCEDGE__MQTT__(.*)", text) == ["PASSWORD_FILE=/run/credentials/%n/mqtt-password"]


def test_backup_files_are_not_credentials() -> None:
    assert usable_credentials(["key.pem", ".key.pem.swp", "key.pem~", "a b", "ca.pem"]) == ("ca.pem", "key.pem")
