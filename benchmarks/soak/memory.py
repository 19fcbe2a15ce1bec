"""Sends as many messages as the time allows; resident memory must not grow after the warm-up."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.process_stats import rss_mb
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

MOST_GROWTH_MB = 5.0
AHEAD = 5000
"""Most messages in flight."""
WARM_PART, WARM_MESSAGES = 0.25, 20_000


def run(minutes: float) -> dict[str, Any]:
    """Sample memory at each twentieth of the time; report its growth over the last three quarters."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as server:
        service = spawn("-m", "vcedge", "run", str(configure(Path(name), server.url)), cores=SERVICE_CORE)
        counter = Counter(server.port, f"vcedge/{NODE}/{NODE}/score")
        sender = client(server.port, "feeder")
        wait_online(server.port)
        began, sent, sizes = time.monotonic(), 0, []
        end = began + 60 * minutes
        while (now := time.monotonic()) < end:
            for payload in messages(1000, start=sent):
                sender.publish(f"{NODE}/{NODE}", payload, qos=1)
            sent += 1000
            counter.wait(sent - AHEAD, 60)
            if now - began >= len(sizes) * 3 * minutes:
                sizes.append((sent, round(rss_mb(service.pid), 2)))
        all_scored = counter.wait(sent, 60)
        sizes.append((sent, round(rss_mb(service.pid), 2)))
        seconds = time.monotonic() - began
        service.terminate()
        code = service.wait(20)
        sender.disconnect()
        sender.loop_stop()
        counter.close()
    warm = [size for done, size in sizes if done >= max(WARM_MESSAGES, WARM_PART * sent)]
    growth = max(warm) - warm[0] if warm else 0.0
    return {
        "messages": sent,
        "per_s": round(sent / seconds),
        "rss_mb": sizes,
        "growth_mb": round(growth, 2),
        "passed": all_scored and code == 0 and growth <= MOST_GROWTH_MB,
    }
