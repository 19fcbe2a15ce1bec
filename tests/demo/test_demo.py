"""The whole demonstration in real processes, shortened, and the end of all its processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.process import ROOT, python

pytestmark = pytest.mark.slow

pytest.importorskip("amqtt", reason="amqtt is not installed: the demonstration has no broker")
pytest.importorskip("torch", reason="torch is not installed: the demonstration cannot train")

MARK = "VCEDGE_TEST_MARK"
ROWS = 3600
SERVICE = "the service (vcedge run)"


class Demo:
    """Runs a demonstration; a mark in the environment identifies its processes."""

    def __init__(self, folder: Path) -> None:
        self._mark = f"{MARK}={uuid4()}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.demo.short", "demo", "--dir", str(folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), name: value},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._replaying = threading.Event()
        self._training = threading.Event()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.lines.append(line.rstrip())
                if line.startswith("replay: 10%"):
                    self._replaying.set()
                if line.startswith("data:"):
                    self._training.set()

    def wait_for(self, phase: str) -> None:
        """Wait until it trains, or until it replays."""
        assert {"training": self._training, "replaying": self._replaying}[phase].wait(90), self.lines

    def finish(self) -> int:
        """Wait for its end; return its exit code."""
        code = self.process.wait(60)  # `communicate` would compete with the reader thread
        self._reader.join(10)
        return code

    def processes(self) -> dict[int, str]:
        """Return its running processes: number and command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if self._mark.encode() in (entry / "environ").read_bytes():
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:  # ended meanwhile, or of another user
                    continue
        return found


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    running = Demo(folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            running.finish()


def test_demo_runs_from_training_to_alarms(tmp_path: Path) -> None:
    folder = tmp_path / "pump"
    result = python("-m", "tests.demo.short", "demo", "--dir", str(folder), "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed["rows"] == ROWS, "a score of every row arrived, or it would have failed"
    assert printed["found"] + sum(not fault["found"] for fault in printed["faults"]) == len(printed["faults"]) == 1
    assert 0 < printed["updated_share"]["normal"] <= 1
    assert 0 < printed["normal_hours"] < 1
    assert Path(printed["report"]).read_text("utf-8").lstrip().startswith("<!")
    assert Path(printed["model"]).is_file()
    assert json.loads((folder / "findings.json").read_text("utf-8")) == printed
    broker_said = (folder / "logs" / "broker.log").read_text("utf-8")
    assert not any(word in broker_said for word in ("ERROR", "Timeout", "Traceback")), broker_said
    warnings = [line for line in (folder / "logs" / "service.log").read_text("utf-8").splitlines() if "WARNING" in line]
    assert all("dead letter: plant/demo-pump: not JSON" in line for line in warnings), "only probes"
    assert [line for line in result.stderr.splitlines() if line[:2] in ("1.", "2.", "3.", "4.")]


@pytest.mark.parametrize(
    ("phase", "number", "code"),
    [("training", signal.SIGINT, 130), ("replaying", signal.SIGTERM, 143)],
)
def test_interrupted_demo_ends_all_processes(tmp_path: Path, phase: str, number: signal.Signals, code: int) -> None:
    with demo(tmp_path / "pump") as running:
        running.wait_for(phase)
        assert len(running.processes()) >= (4 if phase == "replaying" else 2), "there is something to be left behind"
        running.process.send_signal(number)
        assert running.finish() == code, running.lines
        assert running.processes() == {}
        assert not any("Traceback" in line for line in running.lines)


def test_dead_service_is_named_and_all_processes_end(tmp_path: Path) -> None:
    with demo(tmp_path / "pump") as running:
        running.wait_for("replaying")
        (service,) = (pid for pid, command in running.processes().items() if "vcedge run" in command)
        os.kill(service, signal.SIGKILL)
        assert running.finish() == 69
        assert f"vcedge: error: {SERVICE} was ended by SIGKILL; " in "\n".join(running.lines)
        assert running.processes() == {}


def test_failed_training_ends_the_demo(tmp_path: Path) -> None:
    code = "import sys; from functools import partial; from vcedge.demo import plan; from vcedge.cli.main import run\n"
    code += "plan.Plan = partial(plan.Plan, healthy_hours=0.01)\nsys.exit(run(sys.argv[1:]))"
    result = python("-c", code, "demo", "--dir", str(tmp_path / "pump"))
    assert result.returncode == 69
    assert "the training (vcedge train) ended with exit code 65; see its messages above" in result.stderr


@pytest.mark.parametrize("package", ["amqtt", "torch"])
def test_missing_package_names_the_extra(tmp_path: Path, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from vcedge.cli.main import run; sys.exit(run(sys.argv[1:]))"
    result = python("-c", code, "demo", "--dir", str(tmp_path / "pump"))
    assert result.returncode == 69
    assert f"'{package}', which is not installed: pip install 'vcedge[demo]'" in result.stderr
    assert not (tmp_path / "pump").exists()


def test_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = python("-m", "vcedge", "demo", "--dir", str(tmp_path))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"--dir {tmp_path}: holds other files" in result.stderr
