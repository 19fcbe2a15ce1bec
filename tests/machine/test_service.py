"""vcedge on a plant's machine: offline installation, systemd, mosquitto, and removal.

The tests are steps of one story on one machine, in the order of the file.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.machine.plant import ROWS, listen, listing, model_state, offer, put, quiet, retained, scores, size_mb, status
from tests.support.machine import Machine
from vcedge import model_file, signature
from vcedge.deploy.units import UnitOptions, units

BUNDLE, BASE_BUNDLE = (Path(os.environ[name]) for name in ("VCEDGE_BUNDLE", "VCEDGE_BASE_BUNDLE"))
UNIT = "vcedge.service"
CONFIG = "node: press-07\nassets:\n  tiny: {model: /var/lib/vcedge/models/tiny/current}\n"
WATCHDOG_S = 4
BASE_MB = 110
READY_S = 1.5


@pytest.fixture(scope="module")
def listed_before(machine: Machine) -> set[str]:
    return listing(machine)


@pytest.fixture(autouse=True)
def _listed_before_anything(listed_before: set[str]) -> None:
    """List the clean machine in the first test's set-up, before anything is installed."""


def test_base_install_is_small(machine: Machine) -> None:
    shutil.copy(BASE_BUNDLE, machine.root / "root/base.pyz")
    machine.run("python3", "/root/base.pyz")
    size = size_mb(machine, "/opt/vcedge")
    print(f"\nbase install: {size} MB")
    assert size < BASE_MB
    assert machine.show(UNIT, "ActiveState") == "inactive"  # there is nothing to watch yet
    machine.run("vcedge", "deploy", "uninstall", "--purge")


def test_bundle_installs_and_the_service_scores(machine: Machine) -> None:
    shutil.copy(BUNDLE, machine.root / "root/vcedge.pyz")
    (machine.root / "root/model.vcedge").write_bytes(model_file.dumps(quiet()))
    put(machine, "/root/runtime.yaml", CONFIG)
    began = time.monotonic()
    machine.run(
        "python3", "/root/vcedge.pyz", "--model", "model.vcedge", "--config", "runtime.yaml",
        "--watchdog-s", str(WATCHDOG_S),
    )  # fmt: skip
    assert len(scores(machine)) == ROWS
    print(f"\ninstall to {ROWS} scores: {time.monotonic() - began:.1f} s, {size_mb(machine, '/opt/vcedge')} MB")
    assert machine.show(UNIT, "Type") == "notify"
    assert machine.show(UNIT, "ActiveState") == "active"


def test_service_is_ready_soon(machine: Machine) -> None:
    """Measure processor time, which does not depend on other load; print both times."""
    times, work = [], []
    ticks_a_second = os.sysconf("SC_CLK_TCK")
    for _ in range(5):
        machine.run("systemctl", "restart", UNIT)
        fields = machine.run("cat", f"/proc/{machine.show(UNIT, 'MainPID')}/stat").stdout.rpartition(")")[2].split()
        work.append((int(fields[11]) + int(fields[12])) / ticks_a_second)
        start, ready = (int(machine.show(UNIT, f"{n}TimestampMonotonic")) for n in ("ExecMainStart", "ActiveEnter"))
        times.append((ready - start) / 1e6)
    pid = machine.show(UNIT, "MainPID")
    memory = next(x for x in machine.run("cat", f"/proc/{pid}/status").stdout.splitlines() if x.startswith("VmRSS"))
    print(f"\nstart to ready: {sorted(times)} s, of which computing {sorted(work)} s; {' '.join(memory.split())}")
    assert sorted(work)[2] < READY_S


def test_second_installation_changes_nothing(machine: Machine) -> None:
    pid = machine.show(UNIT, "MainPID")
    result = machine.run("vcedge", "deploy", "install", "/root/vcedge.pyz", "--watchdog-s", str(WATCHDOG_S))
    assert result.stderr == "nothing to change\n"
    assert machine.show(UNIT, "MainPID") == pid


def test_installed_unit_is_valid(machine: Machine) -> None:
    result = machine.run("systemd-analyze", "verify", f"/etc/systemd/system/{UNIT}", "vcedge@line2.service")
    assert result.stderr == ""
    # The threshold is in tenths; it ends with 1 above it.
    found = machine.run("systemd-analyze", "security", "--no-pager", "--threshold=15", UNIT).stdout.splitlines()[-1]
    print(f"\n{found}")


def test_kill_9_restarts_the_service(machine: Machine) -> None:
    pid = machine.show(UNIT, "MainPID")
    machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", UNIT)
    machine.wait(lambda: machine.show(UNIT, "MainPID") not in (pid, "0"), "another process")
    machine.wait(lambda: machine.show(UNIT, "ActiveState") == "active", "a service that is ready")
    assert len(scores(machine)) == ROWS


def test_stuck_loop_is_restarted(machine: Machine) -> None:
    pid = machine.show(UNIT, "MainPID")
    machine.run("kill", f"-{signal.SIGSTOP.value}", pid)
    machine.wait(lambda: machine.show(UNIT, "MainPID") not in (pid, "0"), "another process", 60)
    machine.wait(lambda: machine.show(UNIT, "ActiveState") == "active", "a service that is ready")
    journal = machine.run("journalctl", "--unit", UNIT, "--no-pager", "--output=cat").stdout
    assert f"Watchdog timeout (limit {WATCHDOG_S}s)!" in journal
    assert "Fatal Python error: Aborted" in journal  # with the traceback of the place where it hung
    assert len(scores(machine)) == ROWS


@pytest.mark.parametrize(
    ("code", "file", "text"),
    [
        (78, "/etc/vcedge/runtime.yaml", CONFIG + "assetz: {}\n"),
        (66, "/etc/vcedge/runtime.yaml", CONFIG.replace("current", "missing")),
        (65, "/etc/vcedge/runtime.yaml", CONFIG.replace("/var/lib/vcedge/models/tiny/current", "/etc/hostname")),
        (
            2,
            "/etc/systemd/system/vcedge.service.d/bad.conf",
            "[Service]\nExecStart=\nExecStart=/usr/local/bin/vcedge run\n",
        ),
    ],
)
def test_permanent_errors_cause_no_restart(code: int, file: str, text: str, machine: Machine) -> None:
    put(machine, file, text)
    machine.run("systemctl", "daemon-reload")
    assert machine.run("systemctl", "restart", UNIT, ok=False).returncode != 0
    # A unit that waits for its next try is "activating", not "failed".
    assert machine.show(UNIT, "ActiveState") == "failed"
    assert machine.show(UNIT, "ExecMainStatus") == str(code)
    machine.run("rm", file)
    put(machine, "/etc/vcedge/runtime.yaml", CONFIG)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)
    assert machine.show(UNIT, "ActiveState") == "active"


def test_other_exits_are_restarted(machine: Machine) -> None:
    """Complement the test above: a unit that never restarts would pass it."""
    drop_in = "/etc/systemd/system/vcedge.service.d/bad.conf"
    put(machine, drop_in, "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 70'\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT, ok=False)
    machine.wait(lambda: int(machine.show(UNIT, "NRestarts")) >= 2, "two more tries")
    machine.run("rm", "-r", str(Path(drop_in).parent))
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)
    assert len(scores(machine)) == ROWS


def test_failed_update_leaves_the_old_version_running(machine: Machine) -> None:
    pid = machine.show(UNIT, "MainPID")
    put(machine, "/root/bad.yaml", CONFIG + "assetz: {}\n")
    result = machine.run("vcedge", "deploy", "install", "--config", "/root/bad.yaml", ok=False)
    assert result.returncode == 78
    assert "assetz" in result.stderr
    assert machine.show(UNIT, "MainPID") == pid
    assert (machine.root / "etc/vcedge/runtime.yaml").read_text() == CONFIG


def test_push_by_ssh_succeeds_or_changes_nothing(machine: Machine) -> None:
    """The machine has no other network, so it serves as its own workstation."""
    machine.run("mkdir", "-p", "-m", "700", "/root/.ssh")
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/id_ed25519")
    machine.run("cp", "/root/.ssh/id_ed25519.pub", "/root/.ssh/authorized_keys")
    push = ["vcedge", "deploy", "push", "root@127.0.0.1", "--bundle", "/root/base.pyz"]
    push += ["--ssh-option", "StrictHostKeyChecking=accept-new", "--healthy-s"]
    listed_before = status(machine)
    put(machine, "/root/nowhere.yaml", CONFIG + "mqtt: {broker: 'mqtt://127.0.0.1:1'}\n")
    result = machine.run(*push, "8", "--config", "/root/nowhere.yaml", ok=False)
    assert result.returncode == 69
    assert "the service is not healthy after 8 s" in result.stderr
    assert status(machine) == listed_before
    assert (machine.root / "etc/vcedge/runtime.yaml").read_text() == CONFIG
    assert len(scores(machine)) == ROWS
    machine.run(*push, "30")
    after = status(machine)
    assert after["previous_release"] == listed_before["release"] != after["release"]
    assert not list((machine.root / "tmp").glob("tmp.*"))
    assert len(scores(machine)) == ROWS
    machine.run("vcedge", "deploy", "rollback")
    assert status(machine)["release"] == listed_before["release"]
    assert len(scores(machine)) == ROWS


def test_signed_updates_take_over_or_are_refused_or_rolled_back(machine: Machine, tmp_path: Path) -> None:
    public = signature.create_key(tmp_path / "plant.key")
    shutil.copy(public, machine.root / "etc/vcedge/plant.key.pub")
    update = "{key: plant.key.pub, shadow_ticks: 150, probation_ticks: 350, max_excess_nats: 1.0e+12}"
    put(machine, "/etc/vcedge/runtime.yaml", CONFIG + f"update: {update}\n")
    machine.run("systemctl", "restart", UNIT)
    listed_before = status(machine)["models"]["tiny"]["current"]
    reasons = listen(machine)
    offer(machine, tmp_path, 1.001, serial=1)
    scores(machine)
    machine.wait(lambda: model_state(machine)["state"] == "probation", "a model on probation")
    scores(machine)
    scores(machine)
    machine.wait(lambda: model_state(machine)["state"] == "in charge", "a model that stays")
    good = model_state(machine)["current"]
    assert status(machine)["models"]["tiny"] == {"current": good, "previous": listed_before}

    offer(machine, tmp_path, 1e-6, serial=2)
    scores(machine)
    machine.wait(lambda: model_state(machine)["state"] == "refused", "a refusal")
    assert "alarms on" in model_state(machine)["reason"]
    assert status(machine)["models"]["tiny"] == {"current": good, "previous": listed_before}

    # Good while it is in the shadow; at what comes later only this model alarms.
    offer(machine, tmp_path, 0.004, serial=3)
    scores(machine)
    machine.wait(lambda: model_state(machine)["state"] == "probation", "a model on probation")
    bad = status(machine)["models"]["tiny"]["current"]
    assert status(machine)["models"]["tiny"] == {"current": bad, "previous": good}
    came = scores(machine, spread=30.0)
    machine.wait(lambda: model_state(machine)["state"] == "rolled back", "a model that is taken back")
    assert status(machine)["models"]["tiny"] == {"current": good, "previous": bad}
    assert [str(score["model"])[-12:] for score in (came[0], came[-1])] == [bad[:12], good[:12]]
    assert [why.split(":")[0] for why in reasons()] == ["probation", "refused", "probation", "rolled back"]

    machine.run("vcedge", "deploy", "rollback", "tiny")
    assert status(machine)["models"]["tiny"] == {"current": bad, "previous": good}
    put(machine, "/etc/vcedge/runtime.yaml", CONFIG)
    machine.run("rm", "/etc/vcedge/plant.key.pub")
    machine.run("systemctl", "restart", UNIT)


def test_service_stops_cleanly(machine: Machine) -> None:
    machine.run("systemctl", "stop", UNIT)
    assert machine.show(UNIT, "Result") == "success"
    assert machine.show(UNIT, "ExecMainStatus") == "0"
    assert retained(machine, "vcedge/press-07/status") == "offline"
    machine.run("systemctl", "start", UNIT)


def test_instance_has_a_state_of_its_own(machine: Machine) -> None:
    put(
        machine,
        "/etc/vcedge/line2/runtime.yaml",
        CONFIG.replace("press-07", "line2").replace(
            "/var/lib/vcedge/models/tiny/current", "/etc/vcedge/line2/model.vcedge"
        ),
    )
    shutil.copy(machine.root / "root/model.vcedge", machine.root / "etc/vcedge/line2/model.vcedge")
    machine.run("systemctl", "start", "vcedge@line2.service")
    assert machine.show("vcedge@line2.service", "ActiveState") == "active"
    assert machine.show("vcedge@line2.service", "StateDirectory") == "vcedge-line2"
    machine.run("systemctl", "is-active", UNIT)


def test_sandbox_denies_forbidden_calls(machine: Machine) -> None:
    """Run another program in the service's own unit."""
    shutil.copy(Path(__file__).parent / "probe.py", machine.root / "opt/probe.py")
    program = "/bin/sh -c '/usr/bin/python3 /opt/probe.py /var/lib/vcedge >/var/lib/vcedge/probe.txt 2>&1' probe"
    text = units(UnitOptions(program))[UNIT].replace("Type=notify", "Type=oneshot").replace("Restart=always\n", "")
    put(machine, "/root/probe.service", text)
    machine.run("systemctl", "stop", UNIT)
    machine.run("cp", "/root/probe.service", "/run/systemd/system/vcedge-probe.service")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "vcedge-probe.service")
    found = machine.run("cat", "/var/lib/vcedge/probe.txt").stdout.splitlines()
    assert found == ["write its state", "write a private /tmp", "privileges: 0000000000000000 1"]
    machine.run("rm", "/run/systemd/system/vcedge-probe.service", "/opt/probe.py")
    machine.run("systemctl", "daemon-reload")
    # As root, outside of the sandbox, nearly all of it works: the probe can find what it looks for.
    shutil.copy(Path(__file__).parent / "probe.py", machine.root / "root/probe.py")
    free = machine.run("unshare", "--mount", "--uts", "python3", "/root/probe.py", "/root").stdout.splitlines()
    assert len(free) > 15
    machine.run("systemctl", "start", UNIT)


def test_secret_is_readable_by_the_service_only(machine: Machine) -> None:
    put(machine, "/etc/vcedge/credentials/mqtt-password", "geheim\n")
    (machine.root / "etc/vcedge/credentials/mqtt-password").chmod(0o600)
    put(machine, "/etc/vcedge/runtime.yaml", CONFIG + "mqtt: {username: press-07}\n")
    machine.run("vcedge", "deploy", "install", "--watchdog-s", str(WATCHDOG_S))
    assert machine.show(UNIT, "ActiveState") == "active"
    pid = machine.show(UNIT, "MainPID")
    environment = machine.run("cat", f"/proc/{pid}/environ").stdout
    assert "VCEDGE__MQTT__PASSWORD_FILE=/run/credentials/vcedge.service/mqtt-password" in environment
    assert "geheim" not in environment
    assert len(scores(machine)) == ROWS


def test_uninstall_leaves_nothing(machine: Machine, listed_before: set[str]) -> None:
    result = machine.run("vcedge", "deploy", "uninstall", "--purge")
    assert "kept" not in result.stderr
    assert listing(machine) - listed_before == set()
    assert listed_before - listing(machine) == set()
    assert machine.run("systemctl", "list-units", "--all", "--no-legend", "vcedge*").stdout == ""
