"""Installation below another root: what it writes, what it never touches, and what uninstall leaves."""

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
    """A program that a service can reach; that of the tests may stand anywhere."""
    monkeypatch.setattr("vcedge.deploy.install.own_program", lambda: "/opt/tool/bin/python -I -m vcedge")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A root with somebody else's files in it."""
    for name in ("etc/systemd/system/other.service", "etc/hostname", "var/lib/other/state"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not ours")
    return Layout(tmp_path)


def snapshot(layout: Layout) -> dict[str, str]:
    """Everything below the root: content of files, targets of links, folders; the links of `enable` left out."""
    found = {}
    for path in sorted(layout.root.rglob("*")):
        name = str(path.relative_to(layout.root))
        if ".wants" in name:
            continue
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_bytes().hex()
    return found


def without_folders(found: dict[str, str]) -> dict[str, str]:
    return {name: content for name, content in found.items() if content != "/"}


def installed(layout: Layout, wanted: InstallRequest, dry_run: bool = False) -> list[str]:
    lines: list[str] = []
    changed = install(layout, wanted, lines.append, dry_run=dry_run)
    assert changed == any(line.startswith(("write", "link", "model")) for line in lines)
    return lines


def model(seed: int = 0) -> bytes:
    return model_file.dumps(tiny_detector(seed=seed))


def test_a_first_model_is_enough_for_a_service(layout: Layout) -> None:
    installed(layout, InstallRequest(model=model()))
    config = load_runtime_config(layout.root / CONFIG, {})
    assert list(config.assets) == ["tiny"]
    linked = layout.at(str(config.assets["tiny"].model))
    assert linked.read_bytes() == model()
    assert linked.readlink() == Path(model_file.model_id(model()).removeprefix("sha256:"))
    assert "/opt/tool/bin/python -I -m vcedge run" in (layout.root / UNIT).read_text()


def test_a_second_installation_changes_nothing(layout: Layout) -> None:
    installed(layout, InstallRequest(model=model()))
    before = snapshot(layout)
    assert installed(layout, InstallRequest(model=model())) == []
    assert installed(layout, InstallRequest()) == []
    assert snapshot(layout) == before


def test_undo_restores_content_and_mode(layout: Layout) -> None:
    """A newer installation had another command and failed: the old one is back, and still a program."""
    Ledger(layout, str).write_file(layout.command, b"#!/bin/sh\n# old\n", 0o755)
    ledger = Ledger(layout, str)
    ledger.write_file(layout.command, b"#!/bin/sh\n# new\n", 0o755)
    ledger.undo()
    assert layout.command.read_bytes() == b"#!/bin/sh\n# old\n"
    assert layout.command.stat().st_mode & 0o777 == 0o755


def test_a_dry_run_reports_everything_and_changes_nothing(layout: Layout) -> None:
    before = snapshot(layout)
    lines = installed(layout, InstallRequest(model=model()), dry_run=True)
    assert snapshot(layout) == before
    assert lines == installed(layout, InstallRequest(model=model()))


def test_a_new_model_keeps_the_one_before(layout: Layout) -> None:
    installed(layout, InstallRequest(model=model(1)))
    installed(layout, InstallRequest(model=model(2)))
    links = {name: model_file.model_id(data).removeprefix("sha256:") for name, data in
             (("current", model(2)), ("previous", model(1)))}  # fmt: skip
    assert status(layout)["models"] == {"tiny": links}


@pytest.mark.parametrize("name", [UNIT, "etc/systemd/system/vcedge@.service"])
def test_a_foreign_file_stops_the_installation_and_nothing_changes(name: str, layout: Layout) -> None:
    (layout.root / name).write_text("[Service]\nExecStart=/bin/mine\n")
    before = snapshot(layout)
    with pytest.raises(InputOutputError, match=r"was not written by vcedge deploy"):
        install(layout, InstallRequest(model=model()), lambda line: None)
    assert without_folders(snapshot(layout)) == without_folders(before)


def test_a_unit_that_was_edited_is_not_overwritten(layout: Layout) -> None:
    installed(layout, InstallRequest())
    edited = (layout.root / UNIT).read_text() + "# mine\n"
    (layout.root / UNIT).write_text(edited)
    with pytest.raises(InputOutputError, match=r"vcedge\.service\.d"):
        install(layout, InstallRequest(memory="1G"), lambda line: None)
    assert (layout.root / UNIT).read_text() == edited


def test_a_configuration_that_was_edited_survives_update_and_removal(layout: Layout) -> None:
    installed(layout, InstallRequest(model=model()))
    mine = yaml.safe_dump({"node": "press-07", "assets": {"tiny": {"model": "x"}}})
    (layout.root / CONFIG).write_text(mine)
    installed(layout, InstallRequest(model=model(2), memory="1G"))
    lines: list[str] = []
    uninstall(layout, lines.append)
    assert (layout.root / CONFIG).read_text() == mine
    assert f"kept {layout.root / CONFIG}" in lines
    assert not (layout.root / UNIT).exists()


def test_a_purge_leaves_nothing_and_can_be_repeated(layout: Layout) -> None:
    before = snapshot(layout)
    installed(layout, InstallRequest(model=model()))
    (layout.credentials / "mqtt-password").write_text("secret")
    installed(layout, InstallRequest())
    assert "LoadCredential=mqtt-password" in (layout.root / UNIT).read_text()
    for _ in range(2):
        uninstall(layout, lambda line: None, purge=True)
        assert without_folders(snapshot(layout)) == without_folders(before)


def test_secrets_stay_with_root(layout: Layout) -> None:
    installed(layout, InstallRequest())
    assert layout.credentials.stat().st_mode & 0o777 == 0o700


def test_an_invalid_ledger_is_named(layout: Layout) -> None:
    installed(layout, InstallRequest())
    file = layout.home / "installed.json"
    file.write_text("[]")
    with pytest.raises(InputOutputError, match=r"installed\.json"):
        Ledger(layout, lambda line: None)


def test_the_command_line(tmp_path: Path) -> None:
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
