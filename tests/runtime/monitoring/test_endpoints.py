"""The status report and the metrics of a running service, with real processes and a real broker."""

from __future__ import annotations

import errno
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto, free_port
from tests.support.mqtt import Peer, payloads, running, wait_until
from tests.support.process import EMULATOR_MB, ROOT, vcedge
from tests.support.service import configure, publish, wait_online
from vcedge.errors import InputOutputError, Unavailable
from vcedge.runtime.monitoring.histogram import BOUNDS_S, Histogram
from vcedge.runtime.monitoring.logs import BURST
from vcedge.runtime.monitoring.prometheus import ServiceCollector
from vcedge.runtime.monitoring.status_requests import StatusRequests
from vcedge.runtime.monitoring.status_socket import NAME, StatusSocket, ask_service
from vcedge.schema import NS_PER_S

pytestmark = pytest.mark.slow

SECRET, FLOOD = "wOrd-0f-Secrecy", 30
SCHEMAS = Path(__file__).parents[3] / "runtime" / "publishing" / "schemas"
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def validate(schema: str, document: dict[str, Any]) -> None:
    Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text())).validate(document)


def status(config: Path) -> dict[str, Any]:
    result = vcedge("status", str(config), "--json")
    assert result.returncode == 0, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    validate("status", report)
    return report


def terminal_output(*arguments: str) -> str:
    """Return what the program prints on a terminal, without colours."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "vcedge", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "COLUMNS": "150"}, stdout=its, timeout=60, check=True)
    os.close(its)
    text = b""
    with suppress(OSError):  # reading the end of a pseudo-terminal raises
        while part := os.read(ours, 65536):
            text += part
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", text.decode())


def scraped(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def series_of(text: str) -> Series:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _look_at_report(report: dict[str, Any], event: str) -> None:
    by_name = {asset["asset"]: asset for asset in report["assets"]}
    assert set(by_name) == {"pump-1", "pump-2", "pump-3"}
    assert (by_name["pump-2"]["seq"], by_name["pump-1"]["seq"]) == (90, 20)
    assert by_name["pump-2"]["event"]["id"] == event
    assert by_name["pump-3"]["settings"]["compute"]["min_level"] == 2
    assert by_name["pump-3"]["policy"] == {"min_level": 2, "looseness": 1.0}
    assert by_name["pump-3"]["status"] == "waiting"
    assert report["numbers"]["dead_letters"] == FLOOD
    assert report["links"]["in"]["connected"]


def _look_at_series(series: Series, events: int) -> None:
    assert series["vcedge_samples_total", ()] == 110
    assert series["vcedge_dead_letters_total", ()] == FLOOD
    assert series["vcedge_settings_total", ()] == 1
    assert series["vcedge_step_seconds_count", ()] == 110
    assert series["vcedge_latency_seconds_bucket", (("le", "+Inf"),)] == 110
    assert series["vcedge_events_total", (("kind", "anomaly"),)] == events
    assert series["vcedge_asset_event_open", (("asset", "pump-2"),)] == 1
    assert series["vcedge_asset_status", (("asset", "pump-1"), ("status", "ok"))] == 1
    assert series["vcedge_assets_left_out", ()] == 1  # and none of pump-3
    assert not any("pump-3" in dict(labels).values() for _, labels in series)
    assert 0 < series["vcedge_updated_dimensions_total", ()] < series["vcedge_hidden_dimensions_total", ()]
    if not EMULATOR_MB:  # the /proc/self/stat of qemu-user says 0
        assert series["process_resident_memory_bytes", ()] > 1e7


def test_status_and_metrics_of_a_running_service(shared_broker: Mosquitto, tmp_path: Path) -> None:
    port = free_port()
    changes = {
        "metrics": {"port": port, "assets": 2},
        "assets": {"pump-*": {"model": "model.vcedge"}},
        "log": {"format": "json"},
        "mqtt": {"broker": shared_broker.url, "username": "press", "password_env": "MQTT_PASSWORD"},
    }
    detector = tiny_detector()
    # On a busy machine the asset would else count as silent before the test looks.
    patient = replace(detector, schema=replace(detector.schema, max_gap_ns=600 * NS_PER_S))
    config = configure(tmp_path, "seen", shared_broker.url, patient, **changes)
    values = recording(3, 90, 3)
    values[60:, 1:] += 90 * detector.features.scale[1:]
    service_of = running("run", config, "--verbose", MQTT_PASSWORD=SECRET)
    with service_of as service, Peer(shared_broker.url, "vcedge/seen/#") as peer:
        wait_online(peer, "seen")
        publish(peer, "seen/pump-2", samples(values))
        publish(peer, "seen/pump-1", samples(values[:19]))
        for number in range(FLOOD):
            peer.publish("seen/pump-1", f"nonsense {number}")
        publish(peer, "seen/pump-1", samples(values[:20])[19:])
        peer.publish("vcedge/seen/pump-3/compute/set", {"min_level": 2})
        peer.scores("pump-1", 20)
        peer.scores("pump-2", 90)
        peer.until(lambda messages: bool(payloads(messages, "pump-3", "compute/state")[1:]))
        report, series = status(config), series_of(scraped(port))

        published = [event for pump in ("pump-1", "pump-2") for event in payloads(peer.messages, pump, "event")]
        events = [event["id"] for event in published if event["type"] == "new" and event["kind"] == "anomaly"]
        _look_at_report(report, events[-1])
        _look_at_series(series, len(events))
        (beyond,) = [event for event in published if event["kind"] == "range" and event["type"] == "new"]
        validate("event", beyond)
        assert re.match(r"Channel [12] [-0-9.]+, never above [-0-9.]+; Channel [12] .* in training$", beyond["text"])
        assert series["vcedge_events_total", (("kind", "range"),)] == 1

        letters = [json.loads(m.payload) for m in peer.messages if m.topic == "vcedge/seen/deadletter"]
        shown = vcedge("status", str(config)).stdout
        assert "pump-2: status " in shown
        assert f"event {events[-1]}; Channel " in shown
        assert "never above" in shown
        assert "broker: mqtt://127.0.0.1" in shown
        assert "┃ asset" in terminal_output("status", str(config))
        assert service.end() == 0
    lines = [json.loads(line) for line in service.lines]
    dead = [line for line in lines if line["message"].startswith("dead letter")]
    assert [(line["id"], line["asset"]) for line in dead] == [(letter["id"], "pump-1") for letter in letters[:BURST]]
    event = next(line for line in lines if line.get("event") in events and line["asset"] == "pump-2")
    assert any(line["id"] == event["id"] for line in lines if "samples scored" in line["message"])
    for text in (*service.lines, json.dumps(report), str(series), shown):
        assert SECRET not in text
    assert not (config.parent / "state" / NAME).exists()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here: see scripts/check-metrics")
def test_promtool_accepts_the_metrics(shared_broker: Mosquitto, tmp_path: Path) -> None:
    port = free_port()
    config = configure(tmp_path, "linted", shared_broker.url, metrics={"port": port})
    with running("run", config), Peer(shared_broker.url, "vcedge/linted/#") as peer:
        wait_online(peer, "linted")
        publish(peer, "linted/linted", samples(recording(3, 60, 3)))
        peer.scores("linted", 60)
        text = scraped(port)
    assert "vcedge_asset_score{" in text
    check = ["promtool", "check", "metrics"]
    result = subprocess.run(check, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_status_without_a_broker_or_service(tmp_path: Path) -> None:
    config = configure(tmp_path, "lonely", f"mqtt://127.0.0.1:{free_port()}", mqtt={"broker": "mqtt://127.0.0.1:1"})
    with running("run", config) as service:
        service.wait_line("no connection to")
        report = status(config)
        assert report["links"]["in"] == {
            "connected": False,
            "connections": 0,
            "complaint": report["links"]["in"]["complaint"],
        }
        assert "refused" in report["links"]["in"]["complaint"]
        assert "not connected: " in vcedge("status", str(config)).stdout
        service.end(signal.SIGKILL)
    dead = vcedge("status", str(config))  # the socket of a killed service does not answer
    assert (dead.returncode, dead.stdout) == (69, "")
    assert dead.stderr == f"vcedge: error: state_dir {tmp_path / 'state'}: no service runs there\n"
    with running("run", config) as service:
        service.wait_line("no connection to")
        assert ask_service(tmp_path / "state")["boot"] != report["boot"]


def test_port_in_use_ends_the_service(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = configure(tmp_path, "taken", "mqtt://127.0.0.1:1", metrics={"port": port})
        assert vcedge("run", str(config), "--check").returncode == 0
        result = vcedge("run", str(config))
    assert result.returncode == 69
    assert result.stderr.splitlines()[-1] == (
        f"vcedge: error: metrics: port {port} of 127.0.0.1: {os.strerror(errno.EADDRINUSE)}"
    )


def test_stuck_main_loop_is_reported(tmp_path: Path) -> None:
    requests = StatusRequests()
    server = StatusSocket(tmp_path, requests, answer_s=0.1)
    server.open()
    try:
        with pytest.raises(Unavailable, match="does not answer"):
            ask_service(tmp_path)
        families = list(ServiceCollector(requests, 10, answer_s=0.1).collect())
        assert [(family.name, family.samples[0].value) for family in families] == [("vcedge_responding", 0)]
        assert not requests.pending
    finally:
        server.close()


def test_status_socket_below_long_and_invalid_paths(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    requests, stop = StatusRequests(), threading.Event()
    server = StatusSocket(folder, requests)
    server.open()

    def loop() -> None:
        while not stop.wait(0.01):
            requests.answer({"schema": 1})

    thread = threading.Thread(target=loop)
    thread.start()
    assert ask_service(folder) == {"schema": 1}
    stop.set()
    thread.join()
    server.close()
    (tmp_path / "file").touch()
    nowhere = StatusSocket(tmp_path / "file" / "none", requests)
    nowhere.open()  # logs the problem; the service runs without a socket
    nowhere.close()
    with pytest.raises(Unavailable, match="no service runs there"):
        ask_service(tmp_path / "none")


def test_waiting_requests_end_with_the_service() -> None:
    requests, ended = StatusRequests(), []

    def ask() -> None:
        with pytest.raises(TimeoutError):
            requests.ask(60.0)
        ended.append(True)

    asker = threading.Thread(target=ask)
    asker.start()
    wait_until(lambda: requests.pending, "the question")
    requests.close()
    asker.join(20)
    ask()
    assert ended == [True, True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may ask everybody")
def test_user_without_permission_gets_an_error(tmp_path: Path) -> None:
    server = StatusSocket(tmp_path, StatusRequests())
    server.open()
    (tmp_path / NAME).chmod(0)
    with pytest.raises(InputOutputError, match="permission denied"):
        ask_service(tmp_path)
    server.close()


def test_histogram_quantiles_are_upper_bounds() -> None:
    durations = Histogram()
    assert durations.quantile(0.5) is None
    for _ in range(99):
        durations.observe(3e-5)
    durations.observe(0.3)
    durations.observe(-5.0)
    assert durations.quantile(0.5) == 5e-5
    assert durations.quantile(1.0) == 0.5
    durations.observe(1e9, 1000)
    assert durations.quantile(0.9) is None
    assert sum(durations.counts) == 1101
    assert len(durations.counts) == len(BOUNDS_S) + 1
