"""Measures messages a second and the latency of a score, beside a minimal paho client, in turn, on one core each."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.process_stats import cpu_s
from benchmarks.soak.rig import (
    NODE,
    SERVICE_CORE,
    Counter,
    TopicListener,
    broker,
    client,
    configure,
    feed,
    messages,
    spawn,
    wait_online,
)

SCORE_BYTES = 470
LEAST_RATIO, MOST_LATE = 0.6, 1.5
TOPICS = {"service": (f"{NODE}/{NODE}", f"vcedge/{NODE}/{NODE}/score"), "ceiling": ("ceiling/in", "ceiling/score")}


class Contender:
    """Runs the service or the ceiling as a process whose session outlives it."""

    def __init__(self, name: str, port: int, config: Path) -> None:
        self.name, self._port = name, port
        self.input, self.output = TOPICS[name]
        if name == "service":
            self._arguments = ["-m", "vcedge", "run", str(config)]
        else:
            self._arguments = ["-m", "benchmarks.soak.ceiling", str(port), self.input, self.output, str(SCORE_BYTES)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start the process and return its id."""
        self._process = spawn(*self._arguments, cores=SERVICE_CORE, stdout=subprocess.PIPE)
        return self._process.pid

    def wait_subscribed(self) -> None:
        """Wait until the process has subscribed to its input."""
        assert self._process is not None
        assert self._process.stdout is not None
        if self.name == "service":
            wait_online(self._port)
        else:
            assert self._process.stdout.readline() == b"subscribed\n"

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=20)


def backlog_rate(contender: Contender, port: int, start: int, count: int) -> tuple[float, float]:
    """Return messages a second of a backlog that waits at the broker, and microseconds of the core for each.

    The first tenth is left out as warm-up.
    """
    feed(port, contender.input, messages(count, start=start))
    counter = Counter(port, contender.output)
    pid = contender.start()
    assert counter.wait(count // 10, 60), f"{contender.name}: {counter.count}"
    first, began, used_s = counter.count, time.perf_counter(), cpu_s(pid)
    assert counter.wait(count, 300), f"{contender.name}: {counter.count} of {count}"
    seconds, used_s = time.perf_counter() - began, cpu_s(pid) - used_s
    contender.stop()
    counter.close()
    return (counter.count - first) / seconds, 1e6 * used_s / (counter.count - first)


def latencies(contender: Contender, port: int, start: int, rate: float, seconds: float) -> Any:
    """Return the seconds from publishing to the score of messages at a steady rate."""
    listener = TopicListener(port, contender.output, keep=True)
    contender.start()
    contender.wait_subscribed()
    sender = client(port, "pacer")
    sent: dict[int, float] = {}
    payloads = list(messages(int(rate * seconds), start=start))
    began = time.monotonic()
    for i, payload in enumerate(payloads):
        while (ahead := began + i / rate - time.monotonic()) > 0:
            time.sleep(min(ahead, 0.002))
        sent[1_700_000_000_000 + (start + i) * 1000] = time.monotonic()
        sender.publish(contender.input, payload, qos=1)
    listener.wait(len(payloads), 20)
    contender.stop()
    sender.disconnect()
    sender.loop_stop()
    listener.close()
    times = [(t, int(payload[payload.index(b'"ts":') + 5 :][:13])) for t, _, payload in listener.kept]
    return np.array([t - sent[ts] for t, ts in times if ts in sent][len(times) // 10 :])


def run(minutes: float) -> dict[str, Any]:
    """Run rounds of both in turn; report medians, and the ratios that the bars bound."""
    count = int(20_000 * max(1.0, minutes))
    rounds: dict[str, list[tuple[float, float]]] = {kind: [] for kind in TOPICS}
    late: dict[str, list[float]] = {kind: [] for kind in TOPICS}
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as server:
        config = configure(Path(name), server.url)
        contenders = [Contender(kind, server.port, config) for kind in TOPICS]
        for contender in contenders:  # so that the broker keeps a session for each
            contender.start()
            contender.wait_subscribed()
            contender.stop()
        for number in range(3):
            for contender in contenders:
                rounds[contender.name].append(backlog_rate(contender, server.port, number * count, count))
        rate = {kind: np.median([round_[0] for round_ in found]) for kind, found in rounds.items()}
        start = 3 * count
        for _ in range(2):
            for contender in contenders:
                found = latencies(contender, server.port, start, rate["service"] / 2, 6.0)
                late[contender.name].append(float(np.quantile(found, 0.99)))
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
