"""The demonstration from beginning to end: simulate, train, serve, replay, listen, judge."""

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
from vcedge.demo.findings import Findings, judge
from vcedge.demo.folder import Folder, make_folder
from vcedge.demo.listener import Listener
from vcedge.demo.plan import Plan
from vcedge.demo.processes import Child, Family, ending_is_exit
from vcedge.simulate import SENSORS
from vcedge.topics import InputTopic

Progress = Callable[[str, float], AbstractContextManager[Callable[[float, str], None]]]
"""As `vcedge.cli.console.progress`."""


@dataclass(frozen=True)
class Outcome:
    """What the demonstration came to."""

    folder: Folder
    plan: Plan
    rows: int
    """Rows that were replayed; as many scores came back."""
    scores_per_s: float
    alarm_switches: int
    """How often the anomaly topic went ON."""
    findings: Findings
    metrics: dict[str, Any]
    """metrics.json of the training."""
    train_s: float
    seconds: float


def tell(path: Path, plan: Plan, say: Callable[[str], None], progress: Progress) -> Outcome:
    """Run the whole chain in the folder `path`; `say` gets a line for each step. For the main thread.

    Raises UsageError for a folder that holds something else, Unavailable where one of the programs fails. However it
    ends, no process is left.
    """
    began = time.monotonic()
    folder = make_folder(path)
    with ending_is_exit(), Family() as family:
        hours = f"{plan.healthy_hours:g} healthy hours, then {plan.faulty_hours:g} hours with faults"
        say(f"1. Simulating a pump with {len(SENSORS)} sensors: {hours}")
        faulty = write_recordings(folder, plan)
        say("2. vcedge train: learning from the healthy hours how the pump behaves")
        train_s = train(folder, plan, family)
        say("3. vcedge run: starting the service, and an MQTT broker for it to talk to")
        url, listener, service = serve(folder, family)
        with closing(listener):
            rows = len(faulty.time_ns)
            say("4. vcedge replay: sending the hours with faults over MQTT, as a machine would")
            replay(folder, url, rows, listener, family, progress)
            stop(service, listener, family)
        findings = judge(labels_of(faulty), listener.events, *listener.rows())
        metrics = json.loads((folder.trained / "metrics.json").read_text("utf-8"))
    rate, seconds = listener.scores_per_s, time.monotonic() - began
    return Outcome(folder, plan, rows, rate, listener.alarms, findings, metrics, train_s, seconds)


def train(folder: Folder, plan: Plan, family: Family) -> float:
    """Train on the healthy history, its progress on our stderr; seconds that it took."""
    began = time.monotonic()
    overrides = [word for override in plan.train_overrides for word in ("--set", override)]
    command = ["vcedge", "train", str(folder.train_config), "--out", str(folder.trained), *overrides]
    family.start("the training (vcedge train)", command, None).finish()
    return time.monotonic() - began


def serve(folder: Folder, family: Family) -> tuple[str, Listener, Child]:
    """Start the broker, a listener, and the service. Broker's address, listener and service, once that listens too."""
    broker = family.start("the embedded broker", ["vcedge.demo.broker"], folder.log("broker"), server=True)
    url = f"mqtt://127.0.0.1:{broker.first_line()}"
    write_runtime_config(folder, url)
    listener = Listener(mqtt_config(url), NODE, ASSET)
    listener.start()
    command = ["vcedge", "run", str(folder.runtime_config)]
    service = family.start("the service (vcedge run)", command, folder.log("service"), server=True)

    def meanwhile() -> None:
        family.check()
        listener.knock(InputTopic(InputConfig().topic).of(ASSET))

    listener.wait(lambda: listener.online and listener.answered, meanwhile, "an answer of the service")
    return url, listener, service


def replay(folder: Folder, url: str, rows: int, listener: Listener, family: Family, progress: Progress) -> None:
    """Publish the faulty recording and wait until the score of every row arrived."""
    command = ["vcedge", "replay", str(folder.faulty), "--broker", url, "--asset", ASSET]
    command += ["--model", str(folder.model), "--speed", "max", "--mqtt-version", MQTT_VERSION]
    family.start("the replay (vcedge replay)", command, folder.log("replay"))
    with progress("replay", rows) as report:

        def all_here() -> bool:
            report(listener.scores, f"{listener.scores} of {rows} rows scored")
            return listener.scores >= rows

        listener.wait(all_here, family.check, f"the scores of all {rows} rows")


def stop(service: Child, listener: Listener, family: Family) -> None:
    """End the service in good order and hear it out. Raises Unavailable where it does not end well."""
    if service.stop() != 0:
        raise service.failure()
    listener.wait(lambda: not listener.online, family.check, "the service's word that it is offline")
