"""Measures a thousand assets in one process: memory, and the size of a snapshot of all of them."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.process_stats import cpu_s, rss_mb
from benchmarks.soak.rig import (
    NODE,
    SERVICE_CORE,
    Counter,
    broker,
    client,
    configure,
    messages,
    spawn,
    wait_online,
)
from tests.support.process import EMULATOR_MB

ASSETS = 1000
MOST_MB = 150.0 + EMULATOR_MB
LEAST_SAMPLES = 150_000
"""Least samples a second of one core: by wall clock on an idle machine, by CPU time on a busy one."""


def run(minutes: float) -> dict[str, Any]:
    """Send each asset twenty samples for each minute, as fast as the service scores them."""
    return in_turn(int(max(20, 20 * minutes)))


def in_turn(rounds: int) -> dict[str, Any]:
    """Send every asset its samples in turn; report the largest memory."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as server:
        folder = Path(name)
        configure(folder, server.url)
        config = configure(folder, server.url, assets={"pump-*": {"model": str(folder / "model.vcedge")}})
        service = spawn("-m", "vcedge", "run", str(config), cores=SERVICE_CORE)
        counter = Counter(server.port, f"vcedge/{NODE}/+/score", probe=f"vcedge/{NODE}/x/score")
        sender = client(server.port, "feeder")
        wait_online(server.port)
        began, sent, most = time.monotonic(), 0, 0.0
        payloads = list(messages(rounds + ASSETS))
        for number in range(rounds):
            for asset in range(ASSETS):  # with different times and states for the assets
                sender.publish(f"{NODE}/pump-{asset:04d}", payloads[number + asset], qos=1)
            sent += ASSETS
            counter.wait(sent - 3 * ASSETS, 60)
            most = max(most, rss_mb(service.pid))
        all_scored = counter.wait(sent, 120)
        seconds = time.monotonic() - began
        most = max(most, rss_mb(service.pid))
        service.terminate()
        code = service.wait(30)
        snapshot = (folder / "state" / "snapshot").stat().st_size
        sender.disconnect()
        sender.loop_stop()
        counter.close()
    return {
        "assets": ASSETS,
        "messages": sent,
        "per_s": round(sent / seconds),
        "rss_mb": round(most, 1),
        "snapshot_mb": round(snapshot / 1e6, 2),
        "passed": all_scored and code == 0 and most < MOST_MB,
    }


def blocks(minutes: float) -> dict[str, Any]:
    """Measure samples a second when each message holds a hundred of them."""
    count, size = int(1500 * max(1.0, minutes)), 100
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as server:
        arguments = ("-m", "vcedge", "run", str(configure(Path(name), server.url)))
        first = spawn(*arguments, cores=SERVICE_CORE)
        wait_online(server.port)
        first.terminate()
        first.wait(20)
        sender = client(server.port, "feeder")
        singles = [json.loads(payload) for payload in messages(size)]
        columns = {channel: [row["v"][channel] for row in singles] for channel in singles[0]["v"]}
        info = None
        for block in range(count):
            payload = {"t0": singles[0]["ts"] + block * size, "dt": 1, "v": columns}
            info = sender.publish(f"{NODE}/{NODE}", json.dumps(payload), qos=1)
        assert info is not None
        info.wait_for_publish()
        counter = Counter(server.port, f"vcedge/{NODE}/{NODE}/score")
        service = spawn(*arguments, cores=SERVICE_CORE)
        assert counter.wait(count // 10, 60)
        before, began, used_s = counter.count, time.perf_counter(), cpu_s(service.pid)
        assert counter.wait(count, 300)
        samples = size * (counter.count - before)
        rate = samples / (time.perf_counter() - began)
        core_rate = samples / (cpu_s(service.pid) - used_s)
        service.terminate()
        service.wait(20)
        sender.disconnect()
        sender.loop_stop()
        counter.close()
    return {
        "blocks": count,
        "samples_per_s": round(rate),
        "samples_per_core_s": round(core_rate),
        "passed": max(rate, core_rate) >= LEAST_SAMPLES,
    }
