"""Measures bytes written a day at ten messages a second, by the service's own count, with MQTT 5 and 3.1.1."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.soak.rig import NODE, TopicListener, broker, client, configure, detector, messages, spawn, wait_online
from vcedge import model_file

PER_S = 10
DAY_S = 86_400
MOST_MB_A_DAY = 50.0


def written(version: str, seconds: float, extra: str) -> dict[str, Any]:
    """Measure megabytes a day of one asset with 8 channels and 64 hidden dimensions."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name), extra) as server:
        model_file.save(detector(hidden=64), Path(name) / "model.vcedge")
        config = configure(Path(name), server.url, mqtt={"broker": server.url, "version": version})
        service = spawn("-m", "vcedge", "run", str(config))
        stats = TopicListener(server.port, f"vcedge/{NODE}/stats", keep=True)
        sender = client(server.port, "pacer")
        wait_online(server.port)
        began = time.monotonic()
        for number, payload in enumerate(messages(int(PER_S * seconds))):
            time.sleep(max(0.0, began + number / PER_S - time.monotonic()))
            sender.publish(f"{NODE}/{NODE}", payload, qos=1)
        seen = stats.count
        stats.wait(seen + 1, 15)
        service.terminate()
        service.wait(20)
        sender.disconnect()
        sender.loop_stop()
        stats.close()
    last = json.loads(stats.kept[-1][2])
    a_day = last["written_bytes"] / max(1, last["messages"]) * PER_S * DAY_S / 1e6
    return {"messages": last["messages"], "snapshots": last["snapshots"], "mb_a_day": round(a_day, 1)}


def run(minutes: float) -> dict[str, Any]:
    """Measure the default, and a broker with 20 messages in flight."""
    seconds = min(600.0, max(60.0, 60 * minutes))
    default = written("5", seconds, "max_inflight_messages 1000")
    narrow = written("3.1.1", seconds, "max_inflight_messages 20")
    return {"default": default, "window_of_20": narrow, "passed": default["mb_a_day"] < MOST_MB_A_DAY}
