"""Installation below another root: written files, files left alone, and what uninstall leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.detectors import tiny_detector
from tests.support.process import vcedge
from vcedge import model_file
from vcedge.config.runtime import load_runtime_config
from vcedge.deploy.install import InstallRequest, install
from vcedge.deploy.layout import Layout
from vcedge.deploy.ledger import Ledger
from vcedge.deploy.status import status
from vcedge.deploy.uninstall import uninstall
from vcedge.errors import InputOutputError

UNIT = "etc/systemd/system/vcedge.service"
CONFIG = "etc/vcedge/runtime.yaml"


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a program that a service can reach; that of the tests may be anywhere."""
    monkeypatch.setattr("vcedge.deploy.install.own_program", lambda: "/opt/tool/bin/python -I -m vcedge")


@pytest.fixture
def foreign_root(tmp_path: Path) -> Layout:
    """Return a root that holds files of others."""
    for name in ("etc/systemd/system/other.service", "etc/hostname", "var/lib/other/state"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not ours")
    return Layout(tmp_path)


def snapshot(foreign_root: Layout) -> dict[str, str]:
    """Return everything below the root: contents of files, targets of links, folders; without the links of `enable`."""
    found = {}
    for path in sorted(foreign_root.root.rglob("*")):
        name = str(path.relative_to(foreign_root.root))
        if ".wants" in name:
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_bytes().hex()
    return found


def without_folders(found: dict[str, str]) -> dict[str, str]:
    return {name: content for name, content in found.items() if content != "/"}


def installed(foreign_root: Layout, wanted: InstallRequest, *, dry_run: bool = False) -> list[str]:
    lines: list[str] = []
    changed = install(foreign_root, wanted, lines.append, dry_run=dry_run)
    assert changed == any(line.startswith(("write", "link", "model")) for line in lines)
    return lines


def model(seed: int = 0) -> bytes:
    return model_file.dumps(tiny_detector(seed=seed))


def test_first_model_is_enough_for_a_service(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest(model=model()))
    config = load_runtime_config(foreign_root.root / CONFIG, {})
    assert list(config.assets) == ["tiny"]
    linked = foreign_root.at(str(config.assets["tiny"].model))
    assert linked.read_bytes() == model()
    assert linked.readlink() == Path(model_file.model_id(model()).removeprefix("sha256:"))
    assert "/opt/tool/bin/python -I -m vcedge run" in (foreign_root.root / UNIT).read_text()


def test_second_installation_changes_nothing(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest(model=model()))
    before = snapshot(foreign_root)
    assert installed(foreign_root, InstallRequest(model=model())) == []
    assert installed(foreign_root, InstallRequest()) == []
    assert snapshot(foreign_root) == before


def test_undo_restores_content_and_mode(foreign_root: Layout) -> None:
    """After a newer installation with another command failed, the old one is back and still executable."""
    Ledger(foreign_root, str).write_file(foreign_root.command, b"#!/bin/sh\n# old\n", 0o755)
    ledger = Ledger(foreign_root, str)
    ledger.write_file(foreign_root.command, b"#!/bin/sh\n# new\n", 0o755)
    ledger.undo()
    assert foreign_root.command.read_bytes() == b"#!/bin/sh\n# old\n"
    assert foreign_root.command.stat().st_mode & 0o777 == 0o755


def test_dry_run_reports_everything_and_changes_nothing(foreign_root: Layout) -> None:
    before = snapshot(foreign_root)
    lines = installed(foreign_root, InstallRequest(model=model()), dry_run=True)
    assert snapshot(foreign_root) == before
    assert lines == installed(foreign_root, InstallRequest(model=model()))


def test_new_model_keeps_the_previous_one(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest(model=model(1)))
    installed(foreign_root, InstallRequest(model=model(2)))
    links = {name: model_file.model_id(data).removeprefix("sha256:") for name, data in
             (("current", model(2)), ("previous", model(1)))}  # fmt: skip
    assert status(foreign_root)["models"] == {"tiny": links}


@pytest.mark.parametrize("name", [UNIT, "etc/systemd/system/vcedge@.service"])
def test_foreign_file_stops_the_installation_without_changes(name: str, foreign_root: Layout) -> None:
    (foreign_root.root / name).write_text("[Service]\nExecStart=/bin/mine\n")
    before = snapshot(foreign_root)
    with pytest.raises(InputOutputError, match=r"was not written by vcedge deploy"):
        install(foreign_root, InstallRequest(model=model()), lambda line: None)
    assert without_folders(snapshot(foreign_root)) == without_folders(before)


def test_edited_unit_is_not_overwritten(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest())
    edited = (foreign_root.root / UNIT).read_text() + "# mine\n"
    (foreign_root.root / UNIT).write_text(edited)
    with pytest.raises(InputOutputError, match=r"vcedge\.service\.d"):
        install(foreign_root, InstallRequest(memory="1G"), lambda line: None)
    assert (foreign_root.root / UNIT).read_text() == edited


def test_edited_configuration_survives_update_and_removal(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest(model=model()))
    mine = yaml.safe_dump({"node": "press-07", "assets": {"tiny": {"model": "x"}}})
    (foreign_root.root / CONFIG).write_text(mine)
    installed(foreign_root, InstallRequest(model=model(2), memory="1G"))
    lines: list[str] = []
    uninstall(foreign_root, lines.append)
    assert (foreign_root.root / CONFIG).read_text() == mine
    assert f"kept {foreign_root.root / CONFIG}" in lines
    assert not (foreign_root.root / UNIT).exists()


def test_purge_leaves_nothing_and_can_be_repeated(foreign_root: Layout) -> None:
    before = snapshot(foreign_root)
    installed(foreign_root, InstallRequest(model=model()))
    (foreign_root.credentials / "mqtt-password").write_text("secret")
    installed(foreign_root, InstallRequest())
    assert "LoadCredential=mqtt-password" in (foreign_root.root / UNIT).read_text()
    for _ in range(2):
        uninstall(foreign_root, lambda line: None, purge=True)
        assert without_folders(snapshot(foreign_root)) == without_folders(before)


def test_secrets_belong_to_root(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest())
    assert foreign_root.credentials.stat().st_mode & 0o777 == 0o700


def test_invalid_ledger_is_named(foreign_root: Layout) -> None:
    installed(foreign_root, InstallRequest())
    file = foreign_root.home / "installed.json"
    file.write_text("[]")
    with pytest.raises(InputOutputError, match=r"installed\.json"):
        Ledger(foreign_root, lambda line: None)


def test_commands_install_and_uninstall(tmp_path: Path) -> None:
    rendered = vcedge("deploy", "render", "--out", str(tmp_path / "out"))
    assert rendered.returncode == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "vcedge.service", "vcedge@.service", "mosquitto.conf", "mosquitto-tls.conf", "mosquitto.acl",
    }  # fmt: skip
    missing = vcedge("deploy", "install", "--root", str(tmp_path), "--model", "nowhere.vcedge")
    assert (missing.returncode, missing.stderr) == (
        66,
        "vcedge: error: nowhere.vcedge: cannot be read: No such file or directory\n",
    )
    shown = vcedge("deploy", "status", "--root", str(tmp_path), "--json")
    assert '"installed": false' in shown.stdout
