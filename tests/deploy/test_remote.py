"""Control of a running service: updates and stages over a broker, files and rollbacks on the device, ssh."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.detectors import tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, running
from tests.support.process import vcedge
from tests.support.service import configure, wait_online
from vcedge import model_file
from vcedge.deploy.install import InstallRequest, install
from vcedge.deploy.layout import Layout
from vcedge.deploy.push import push
from vcedge.deploy.remote import place_update
from vcedge.deploy.rollback import roll_back_model, roll_back_release
from vcedge.errors import DataError, Unavailable, UsageError, VcedgeError
from vcedge.runtime.storage.model_store import ModelStore

pytestmark = pytest.mark.slow


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.stop()


def test_commands_set_update_and_stage(broker: Mosquitto, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "state/models", "pump")
    store.switch(store.add(model_file.dumps(tiny_detector())))
    model_file.save(tiny_detector(seed=1), tmp_path / "next.vcedge")
    for arguments in (("--new-key", "plant.key"), ("next.vcedge", "--key", "plant.key")):
        paths = [word if word.startswith("--") else str(tmp_path / word) for word in arguments]
        assert vcedge("sign", *paths).returncode == 0
    stages = [{"min_level": 4}, {"min_level": 1}]
    pump = {"model": "state/models/pump/current", "shadow": {"model": "model.vcedge"}, "stages": stages}
    config = configure(tmp_path, "far", broker.url, assets={"pump": pump}, update={"key": "plant.key.pub"})
    far = ("--broker", broker.url, "--node", "far")
    with running("run", config), Peer(broker.url, "vcedge/far/#") as peer:
        wait_online(peer, "far")
        shown = vcedge("deploy", "stage", "pump", "--config", str(config), "--json")
        assert json.loads(shown.stdout)["stage"] == 0
        moved = vcedge("deploy", "stage", "pump", "--to", "1", "--hold", "--json", *far)
        assert (json.loads(moved.stdout)["stage"], json.loads(moved.stdout)["hold"]) == (1, True)
        beyond = vcedge("deploy", "stage", "pump", "--to", "9", *far)
        assert (beyond.returncode, beyond.stderr) == (2, "vcedge: error: key 'stage' is 9, expected 0 to 1\n")
        taken = vcedge("deploy", "update", str(tmp_path / "next.vcedge"), "--asset", "pump", *far)
        assert taken.returncode == 0
        assert json.loads(taken.stdout)["state"] == "shadow"
        unsigned = tmp_path / "empty.sig"
        unsigned.write_bytes(b"{}\n")
        refused = vcedge(
            "deploy", "update", str(tmp_path / "next.vcedge"), "--asset", "pump", "--signature", str(unsigned), *far
        )
        assert refused.returncode == 1
        assert "no signature" in refused.stderr
    gone = vcedge("deploy", "stage", "fan", *far)
    assert gone.returncode == 69
    assert "check that the service runs" in gone.stderr


def test_unreachable_broker_is_reported(tmp_path: Path) -> None:
    result = vcedge("deploy", "stage", "pump", "--broker", "mqtt://127.0.0.1:1", "--node", "x")
    assert result.returncode == 69
    assert result.stderr.startswith("vcedge: error: mqtt://127.0.0.1:1: ")


def test_update_file_appears_complete(tmp_path: Path) -> None:
    path = place_update(tmp_path, "pump", b"x" * 1000)
    assert path.read_bytes() == b"x" * 1000
    assert [found.name for found in path.parent.iterdir()] == ["pump"]
    for name in ("", "..", "a/b", ".hidden"):
        with pytest.raises(UsageError):
            place_update(tmp_path, name, b"")


def test_rollback_exchanges_the_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcedge.deploy.install.own_program", lambda: "/opt/tool/bin/python -I -m vcedge")
    layout = Layout(tmp_path)
    for seed in (1, 2):
        install(layout, InstallRequest(model=model_file.dumps(tiny_detector(seed=seed))), lambda line: None)
    store = ModelStore(layout.state / "models", "tiny")
    links = store.current, store.previous
    roll_back_model(layout, "tiny", lambda line: None)
    assert (store.previous, store.current) == links
    with pytest.raises(UsageError, match="no previous model"):
        roll_back_model(layout, "fan", lambda line: None)
    with pytest.raises(UsageError, match="no previous release"):
        roll_back_release(layout, lambda line: None)


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "", "a b"])
def test_host_that_looks_like_an_option_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a host"):
        push(host, {"bundle": tmp_path / "bundle"}, 0, [], lambda line: None)


@pytest.mark.parametrize(("code", "error"), [(65, DataError), (2, UsageError), (1, Unavailable), (255, Unavailable)])
def test_push_raises_the_error_of_the_installation(
    code: int, error: type[VcedgeError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stand-ins for ssh and scp let the installation end with this exit code."""
    script = (
        f'case "$*" in *mktemp*) echo /tmp/x ;; *python3*) echo "vcedge: error: the reason" >&2; exit {code} ;; esac'
    )
    for name in ("ssh", "scp"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(error, match="press-07: the reason") as raised:
        push("press-07", {"bundle": tmp_path / "bundle"}, 0, [], lambda line: None)
    assert raised.type is error
