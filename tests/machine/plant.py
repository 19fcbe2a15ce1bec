"""Helpers for the tests on a machine: write files, publish samples, read its status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.detectors import recording, tiny_detector
from tests.support.machine import Machine
from vcedge import model_file, signature
from vcedge.detector import Detector

ROWS = 300
VOLATILE = (
    "proc", "sys", "dev", "run", "tmp", "root", "var/log", "var/tmp", "var/lib/mosquitto", "var/lib/systemd",
    "var/backups",  # filled by a timer of Debian's at midnight
)  # fmt: skip

replayed = 0


def put(machine: Machine, path: str, text: str) -> None:
    file = machine.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def scores(machine: Machine, spread: float = 1.0) -> list[dict[str, object]]:
    """Publish new rows with values this many times as far from the mean; return their scores."""
    global replayed
    detector = tiny_detector()
    values = recording(1, ROWS, detector.channels)
    values = values.mean(axis=0) + spread * (values - values.mean(axis=0))
    lines = [",".join(["time", *detector.schema.names])]
    start = 1_700_000_000 + ROWS * replayed
    lines += [f"{start + i}," + ",".join(map(str, row)) for i, row in enumerate(values)]
    replayed += 1
    put(machine, "/root/rows.csv", "\n".join(lines) + "\n")
    topic = "vcedge/press-07/tiny/score"
    listener = machine.start("mosquitto_sub", "-h", "127.0.0.1", "-t", topic, "-q", "1", "-C", str(ROWS), "-W", "60")
    machine.wait(lambda: retained(machine, "vcedge/press-07/status") == "online", "the word online")
    machine.run("vcedge", "replay", "/root/rows.csv", "--asset", "tiny", "--speed", "max")
    output, _ = listener.communicate(timeout=70)
    return [json.loads(line) for line in output.splitlines()]


def retained(machine: Machine, topic: str) -> str:
    result = machine.run("mosquitto_sub", "-h", "127.0.0.1", "-t", topic, "-C", "1", "-W", "5", ok=False)
    return result.stdout.strip()


def status(machine: Machine) -> dict[str, Any]:
    """Return what is installed, without values that change from second to second."""
    found: dict[str, Any] = json.loads(machine.run("vcedge", "deploy", "status", "--json").stdout)
    return {name: found[name] for name in ("release", "previous_release", "state", "models")}


def model_state(machine: Machine) -> dict[str, Any]:
    text = retained(machine, "vcedge/press-07/tiny/model/state")
    return json.loads(text) if text else {"state": ""}


def listen(machine: Machine) -> Callable[[], list[str]]:
    """Collect events about models; return a function that stops and returns their reasons."""
    put(machine, "/root/events", "")
    topic = ("-h", "127.0.0.1", "-q", "1", "-t", "vcedge/press-07/tiny/event")
    machine.run(
        "systemd-run", "--unit=listener", "--property=StandardOutput=file:/root/events", "mosquitto_sub", *topic
    )

    def stop() -> list[str]:
        machine.run("systemctl", "stop", "listener")
        events = [json.loads(line) for line in (machine.root / "root/events").read_text().splitlines()]
        return [event["why"] for event in events if event["kind"] == "model"]

    return stop


def quiet(factor: float = 1.0) -> Detector:
    """Return the test model with a threshold above everything in its recordings, times a factor."""
    detector = tiny_detector()
    threshold = 1000.0 * factor * detector.calibration.threshold
    return replace(detector, calibration=replace(detector.calibration, threshold=threshold))


def offer(machine: Machine, folder: Path, factor: float, serial: int) -> None:
    """Write a signed update file: the test model with another threshold."""
    detector = quiet(factor)
    data = model_file.dumps(detector)
    channels = signature.channels_of(detector.schema)
    statement = signature.Statement(model_file.model_id(data), detector.asset, channels, serial)
    line = signature.sign(statement, signature.load_private_key(folder / "plant.key"))
    (machine.root / "root/next.vcedge").write_bytes(data)
    (machine.root / "root/next.vcedge.sig").write_bytes(line)
    machine.run("vcedge", "deploy", "update", "next.vcedge", "--asset", "tiny")
    machine.wait(lambda: model_state(machine)["state"] == "shadow", "a model in the shadow")


def listing(machine: Machine) -> set[str]:
    """Return every path on the disk of the machine, except those that any service changes."""
    found = set()
    for folder, folders, files in os.walk(machine.root):
        here = Path(folder).relative_to(machine.root)
        folders[:] = [name for name in folders if str(here / name) not in VOLATILE]
        found |= {str(here / name) for name in [*folders, *files] if name != "__pycache__"}
    return {name for name in found if "__pycache__" not in name}


def size_mb(machine: Machine, path: str) -> int:
    return int(machine.run("du", "-sm", path).stdout.split()[0])
