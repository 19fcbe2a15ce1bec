"""Runs the demonstration: simulate, train, serve, replay, and match events with faults."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcedge.config.runtime import InputConfig
from vcedge.demo.files import ASSET, MQTT_VERSION, NODE, labels_of, mqtt_config, write_recordings, write_runtime_config
from vcedge.demo.findings import Findings, match_events
from vcedge.demo.folder import Folder, make_folder
from vcedge.demo.listener import Listener
from vcedge.demo.plan import Plan
from vcedge.demo.processes import Child, ProcessGroup, ending_is_exit
from vcedge.simulate import SENSORS
from vcedge.topics import InputTopic

Progress = Callable[[str, float], AbstractContextManager[Callable[[float, str], None]]]
"""As `vcedge.cli.console.progress`."""


@dataclass(frozen=True)
class DemoResult:
    """Holds the results of the demonstration."""

    folder: Folder
    plan: Plan
    rows: int
    """Rows replayed, and scores received."""
    scores_per_s: float
    alarm_switches: int
    """How often the anomaly topic changed to ON."""
    findings: Findings
    metrics: dict[str, Any]
    """metrics.json of the training."""
    train_s: float
    seconds: float


def run_demo(path: Path, plan: Plan, note: Callable[[str], None], progress: Progress) -> DemoResult:
    """Run the whole chain in the folder `path`; `note` is called with a line for each step. For the main thread.

    All processes are ended, whatever happens.

    Raises:
        UsageError: the folder holds other files.
        Unavailable: one of the programs fails.
    """
    began = time.monotonic()
    folder = make_folder(path)
    with ending_is_exit(), ProcessGroup() as processes:
        hours = f"{plan.healthy_hours:g} healthy hours, then {plan.faulty_hours:g} hours with faults"
        note(f"1. Simulating a pump with {len(SENSORS)} sensors: {hours}")
        faulty = write_recordings(folder, plan)
        note("2. vcedge train: learning from the healthy hours how the pump behaves")
        train_s = train(folder, plan, processes)
        note("3. vcedge run: starting the service, and an MQTT broker for it to talk to")
        url, listener, service = serve(folder, processes)
        with closing(listener):
            rows = len(faulty.time_ns)
            note("4. vcedge replay: sending the hours with faults over MQTT, as a machine would")
            replay(folder, url, rows, listener, processes, progress)
            stop(service, listener, processes)
        findings = match_events(labels_of(faulty), listener.events, *listener.rows())
        metrics = json.loads((folder.trained / "metrics.json").read_text("utf-8"))
    rate, seconds = listener.scores_per_s, time.monotonic() - began
    return DemoResult(folder, plan, rows, rate, listener.alarms, findings, metrics, train_s, seconds)


def train(folder: Folder, plan: Plan, processes: ProcessGroup) -> float:
    """Train on the healthy history, with progress on our stderr; return the seconds taken."""
    began = time.monotonic()
    overrides = [word for override in plan.train_overrides for word in ("--set", override)]
    command = ["vcedge", "train", str(folder.train_config), "--out", str(folder.trained), *overrides]
    processes.start("the training (vcedge train)", command, None).finish()
    return time.monotonic() - began


def serve(folder: Folder, processes: ProcessGroup) -> tuple[str, Listener, Child]:
    """Start broker, listener and service; return the broker's address, the listener and the receiving service."""
    broker = processes.start("the embedded broker", ["vcedge.demo.broker"], folder.log("broker"), server=True)
    url = f"mqtt://127.0.0.1:{broker.first_line()}"
    write_runtime_config(folder, url)
    listener = Listener(mqtt_config(url), NODE, ASSET)
    listener.start()
    command = ["vcedge", "run", str(folder.runtime_config)]
    service = processes.start("the service (vcedge run)", command, folder.log("service"), server=True)

    def meanwhile() -> None:
        processes.check()
        listener.probe(InputTopic(InputConfig().topic).of(ASSET))

    listener.wait(lambda: listener.online and listener.receiving, meanwhile, "an answer of the service")
    return url, listener, service


def replay(
    folder: Folder, url: str, rows: int, listener: Listener, processes: ProcessGroup, progress: Progress
) -> None:
    """Publish the faulty recording and wait for the score of every row."""
    command = ["vcedge", "replay", str(folder.faulty), "--broker", url, "--asset", ASSET]
    command += ["--model", str(folder.model), "--speed", "max", "--mqtt-version", MQTT_VERSION]
    processes.start("the replay (vcedge replay)", command, folder.log("replay"))
    with progress("replay", rows) as report:

        def all_received() -> bool:
            report(listener.scores, f"{listener.scores} of {rows} rows scored")
            return listener.scores >= rows

        listener.wait(all_received, processes.check, f"the scores of all {rows} rows")


def stop(service: Child, listener: Listener, processes: ProcessGroup) -> None:
    """Stop the service and wait for its status offline. Raises Unavailable if it fails."""
    if service.stop() != 0:
        raise service.failure()
    listener.wait(lambda: not listener.online, processes.check, "the service's status offline")
