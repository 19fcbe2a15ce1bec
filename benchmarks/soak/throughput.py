"""How many messages a second, and how late a score is: beside a minimal paho client, in turn, on one core each."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.soak.rig import (
    NODE,
    SERVICE_CORE,
    Counter,
    Listener,
    broker,
    client,
    configure,
    cpu_s,
    feed,
    messages,
    spawn,
)

SCORE_BYTES = 470
LEAST_RATIO, MOST_LATE = 0.6, 1.5
TOPICS = {"service": (f"{NODE}/{NODE}", f"vcedge/{NODE}/{NODE}/score"), "ceiling": ("ceiling/in", "ceiling/score")}


class Rival:
    """The service or the ceiling, as a process that keeps its session while it is away."""

    def __init__(self, name: str, port: int, config: Path) -> None:
        self.name = name
        self.input, self.output = TOPICS[name]
        if name == "service":
            self._arguments = ["-m", "vcedge", "run", str(config)]
        else:
            self._arguments = ["-m", "benchmarks.soak.ceiling", str(port), self.input, self.output, str(SCORE_BYTES)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it; its process id."""
        self._process = spawn(*self._arguments, cores=SERVICE_CORE)
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)


def backlog_rate(rival: Rival, port: int, start: int, count: int) -> tuple[float, float]:
    """Messages a second of a backlog that waits at the broker, and microseconds of the core for each; the first tenth
    is warming up."""
    feed(port, rival.input, messages(count, start=start))
    counter = Counter(port, rival.output)
    pid = rival.start()
    assert counter.wait(count // 10, 60), f"{rival.name}: {counter.count}"
    first, began, used_s = counter.count, time.perf_counter(), cpu_s(pid)
    assert counter.wait(count, 300), f"{rival.name}: {counter.count} of {count}"
    seconds, used_s = time.perf_counter() - began, cpu_s(pid) - used_s
    rival.stop()
    counter.close()
    return (counter.count - first) / seconds, 1e6 * used_s / (counter.count - first)


def latencies(rival: Rival, port: int, start: int, rate: float, seconds: float) -> Any:
    """Seconds from publishing to the score, of messages at a steady rate."""
    listener = Listener(port, rival.output, keep=True)
    rival.start()
    sender = client(port, "pacer")
    sent: dict[int, float] = {}
    payloads = list(messages(int(rate * seconds), start=start))
    time.sleep(2.0)
    began = time.monotonic()
    for i, payload in enumerate(payloads):
        while (ahead := began + i / rate - time.monotonic()) > 0:
            time.sleep(min(ahead, 0.002))
        sent[1_700_000_000_000 + (start + i) * 1000] = time.monotonic()
        sender.publish(rival.input, payload, qos=1)
    listener.wait(len(payloads), 20)
    rival.stop()
    sender.disconnect()
    sender.loop_stop()
    listener.close()
    times = [(t, int(payload[payload.index(b'"ts":') + 5 :][:13])) for t, _, payload in listener.kept]
    return np.array([t - sent[ts] for t, ts in times if ts in sent][len(times) // 10 :])


def run(minutes: float) -> dict[str, Any]:
    """Rounds of both in turn; medians, and the ratios that the bars are about."""
    count = int(20_000 * max(1.0, minutes))
    rounds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in TOPICS}
    late: dict[str, list[float]] = {kind: [] for kind in TOPICS}
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as server:
        config = configure(Path(name), server.url)
        rivals = [Rival(kind, server.port, config) for kind in TOPICS]
        for rival in rivals:  # so that the broker keeps a session for each
            rival.start()
            time.sleep(4.0)
            rival.stop()
        for number in range(3):
            for rival in rivals:
                rounds[rival.name].append(backlog_rate(rival, server.port, number * count, count))
        rate = {kind: np.median([round_[0] for round_ in found]) for kind, found in rounds.items()}
        start = 3 * count
        for _ in range(2):
            for rival in rivals:
                found = latencies(rival, server.port, start, rate["service"] / 2, 6.0)
                late[rival.name].append(float(np.quantile(found, 0.99)))
            start += int(rate["service"] / 2 * 6.0)
    core_us = {kind: np.median([round_[1] for round_ in found]) for kind, found in rounds.items()}
    p99 = {kind: min(values) for kind, values in late.items()}
    ratio = float(rate["service"] / rate["ceiling"])
    return {
        "per_s": {kind: round(float(value)) for kind, value in rate.items()},
        "core_us": {kind: round(float(value), 1) for kind, value in core_us.items()},
        "ratio": round(ratio, 3),
        "ratio_of_core": round(float(core_us["ceiling"] / core_us["service"]), 3),
        "p99_ms": {kind: round(1000 * value, 2) for kind, value in p99.items()},
        "p99_ratio": round(p99["service"] / p99["ceiling"], 2),
        "passed": ratio >= LEAST_RATIO and p99["service"] <= MOST_LATE * p99["ceiling"],
    }
