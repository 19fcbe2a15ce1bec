"""Writes the files that the programs of the demonstration read: two recordings, two configurations."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import yaml

from vcedge.config.mqtt import MqttConfig
from vcedge.demo.findings import Label
from vcedge.demo.folder import Folder
from vcedge.demo.plan import Plan
from vcedge.limits import DAY_NS
from vcedge.simulate import SENSORS, Simulation, simulate, write_csv

NODE, ASSET = "demo", "demo-pump"
MQTT_VERSION: Literal["3.1.1"] = "3.1.1"
"""The only version that amqtt supports."""
SPAN = 300.0
"""Rows (seconds) that the statistic is smoothed over: a pump's faults grow over minutes, its load steps last seconds.
With the default of 20 the load steps set the threshold, and slow faults stay below it."""


def write_recordings(folder: Folder, plan: Plan) -> Simulation:
    """Write a healthy history, its training configuration, and the next day with faults; return that day."""
    write_csv(simulate(hours=plan.healthy_hours, seed=plan.healthy_seed), folder.healthy)
    faulty = simulate(hours=plan.faulty_hours, faults=plan.faults, seed=plan.faulty_seed)
    faulty = replace(faulty, time_ns=faulty.time_ns + DAY_NS)
    write_csv(faulty, folder.faulty)
    channels = [{"name": s.name, "unit": s.unit, "low": s.low, "high": s.high} for s in SENSORS]
    data = {"train": [folder.healthy.name], "channels": channels, "exclude": ["anomaly"]}
    config = {"asset": ASSET, "data": data, "train": {"epochs": plan.epochs}, "score": {"span": SPAN}}
    text = yaml.safe_dump(config, sort_keys=False)
    folder.train_config.write_text(text, encoding="utf-8")
    return faulty


def write_runtime_config(folder: Folder, broker: str) -> None:
    """Write a runtime.yaml for the trained model and a broker's address."""
    config = {
        "node": NODE,
        "state_dir": str(folder.state.absolute()),
        "mqtt": {"broker": broker, "version": MQTT_VERSION},
        "assets": {ASSET: {"model": str(folder.model.relative_to(folder.path))}},
    }
    folder.runtime_config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def mqtt_config(broker: str) -> MqttConfig:
    """Return the connection settings of the listener."""
    return MqttConfig(broker=broker, version=MQTT_VERSION)


def labels_of(faulty: Simulation) -> list[Label]:
    """Return the faults of a recording by time."""
    times, period_ns = faulty.time_ns, int(faulty.time_ns[1] - faulty.time_ns[0])
    return [
        Label(fault.kind, fault.text, fault.channels, int(times[fault.start]), int(times[fault.stop - 1]) + period_ns)
        for fault in faulty.faults
    ]
