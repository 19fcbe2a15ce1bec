"""Replays all of SKAB's files at full speed through mosquitto: scores must equal those of `vcedge score`.

It runs real processes: mosquitto with the queue limits of deploy/mosquitto.conf, `vcedge run` with one asset for each
file (each with a model calibrated on its first 400 rows), `vcedge replay --speed max`, and a subscriber. It prints the
numbers of scores that arrived and that differ in any published digit from scores.csv, and the rate. Needs VCEDGE_DATA
and mosquitto.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.datasets import data_folder
from benchmarks.skab import CALIBRATION_ROWS, LABELS
from tests.support.mosquitto import Mosquitto

ScoreRow = tuple[Any, ...]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench replay", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=34)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = data_folder().resolve() / "SKAB/data"
    files = {f"{p.parent.name}-{p.stem}": p for p in sorted(data.glob("*/*.csv")) if p.parent.name != "anomaly-free"}
    files = dict(list(files.items())[: options.files])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = _models(folder, data, files)
        expected = {asset: _offline(folder, models[asset], path) for asset, path in files.items()}
        arrived, seconds = _live(folder, models, files, sum(len(rows) for rows in expected.values()))
    different = sum(a != b for asset in files for a, b in zip(expected[asset], arrived.get(asset, []), strict=False))
    result = {
        "files": len(files),
        "rows": sum(len(rows) for rows in expected.values()),
        "arrived": sum(len(rows) for rows in arrived.values()),
        "different": different,
        "seconds": round(seconds, 2),
        "scores_per_s": round(sum(len(rows) for rows in arrived.values()) / seconds, 1),
    }
    print(json.dumps(result, indent=2) if options.json else result)
    sys.exit(0 if result["arrived"] == result["rows"] and not different else 1)


def _await_online(port: int) -> None:
    """Wait for the retained status that the service publishes once it is connected and has subscribed."""
    online = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda *message: online.set() if message[2].payload == b"online" else None
    client.connect("localhost", port)
    client.subscribe("vcedge/bench/status", qos=1)
    client.loop_start()
    if not online.wait(30):
        sys.exit("the service did not come online")
    client.disconnect()
    client.loop_stop()


def _vcedge(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "vcedge", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"vcedge {arguments[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def _models(folder: Path, data: Path, files: dict[str, Path]) -> dict[str, Path]:
    """Train on the anomaly-free run, and calibrate the model on the first rows of each file."""
    config = folder / "train.yaml"
    config.write_text(json.dumps({"asset": "skab", "data": {"train": [str(data / "anomaly-free/*.csv")]}}))
    _vcedge("train", str(config), "--out", str(folder))
    models = {asset: folder / f"{asset}.vcedge" for asset in files}
    for asset, path in files.items():
        rows = ("--rows", str(CALIBRATION_ROWS))
        _vcedge(
            "calibrate", str(folder / "model.vcedge"), str(path), *rows, "--asset", asset, "--out", str(models[asset])
        )
    return models


def _offline(folder: Path, model: Path, path: Path) -> list[ScoreRow]:
    out = folder / "scores.csv"
    _vcedge("score", str(model), str(path), "--out", str(out))
    return [
        (
            _ms(r["time"]),
            float(r["raw"]),
            float(r["score"]),
            r["alarm"] == "1",
            int(r["updated"]),
            r["status"],
            r["top"],
        )
        for r in csv.DictReader(out.read_text().splitlines())
    ]


def _ms(time_text: str) -> int:
    return round(datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp() * 1000)


def _live(
    folder: Path, models: dict[str, Path], files: dict[str, Path], rows: int
) -> tuple[dict[str, list[ScoreRow]], float]:
    """Replay every file; return the scores that a subscriber receives from the service, and the seconds it took."""
    arrived: dict[str, list[ScoreRow]] = {asset: [] for asset in files}
    everything, count = threading.Event(), 0

    def on_score(_: Client, __: Any, message: MQTTMessage) -> None:
        nonlocal count
        p = json.loads(message.payload)
        top = ";".join(f"{name}={share:.2f}" for name, share in p["top"])
        arrived[p["asset"]].append((p["ts"], p["raw"], p["score"], p["alarm"], p["updated"], p["status"], top))
        count += 1
        if count >= rows:
            everything.set()

    broker = Mosquitto(folder / "broker")
    broker.start()
    try:
        listener = Client(CallbackAPIVersion.VERSION2)
        listener.on_message = on_score
        listener.connect("localhost", broker.port)
        listener.subscribe("vcedge/bench/+/score", qos=1)
        listener.loop_start()
        runtime = folder / "runtime.yaml"
        assets = {asset: {"model": str(model)} for asset, model in models.items()}
        runtime.write_text(
            json.dumps({"node": "bench", "state_dir": str(folder), "mqtt": {"broker": broker.url}, "assets": assets})
        )
        # The service must subscribe before the first sample is sent: it does not receive earlier ones.
        service = subprocess.Popen([sys.executable, "-m", "vcedge", "run", str(runtime)], stderr=subprocess.DEVNULL)
        _await_online(broker.port)
        began = time.perf_counter()
        exclude = [word for label in LABELS for word in ("--exclude", label)]
        for asset, path in files.items():
            _vcedge("replay", str(path), "--broker", broker.url, "--asset", asset, "--speed", "max", *exclude)
        everything.wait(timeout=300)
        seconds = time.perf_counter() - began
        service.terminate()
        if service.wait(timeout=30) != 0:
            sys.exit(f"vcedge run ended with {service.returncode}")
        listener.disconnect()
        listener.loop_stop()
    finally:
        broker.stop()
    return arrived, seconds


if __name__ == "__main__":
    main()
