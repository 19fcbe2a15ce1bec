"""The embedded broker: flow control by a slow reader, without loss."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.process import ROOT
from vcedge.demo.files import mqtt_config
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.mqtt.paho_setup import Identity

pytest.importorskip("amqtt", reason="amqtt is not installed: the demonstration has no broker")

SENT = 1000
BOUND = 400
"""More than the broker's window and queue and the sender's window together, and far less than what is sent."""


@pytest.fixture(name="broker")
def _broker() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "vcedge.demo.broker"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def connect(url: str, *topics: str) -> Connection:
    link = Connection(mqtt_config(url), Identity(f"test-{uuid4().hex[:8]}", topics, persistent=False))
    link.start()
    assert link.wait_connected(20)
    return link


def receive_all(link: Connection, patience_s: float) -> list[Incoming]:
    """Return all messages until none arrives for a while; acknowledge none."""
    taken: list[Incoming] = []
    while (message := link.receive(patience_s)) is not None:
        taken.append(message)
    return taken


@pytest.mark.slow
def test_slow_reader_throttles_the_sender_without_loss(broker: subprocess.Popen[str]) -> None:
    assert broker.stdout is not None
    url = f"mqtt://127.0.0.1:{int(broker.stdout.readline())}"
    reader = connect(url, "numbers")
    sender = connect(url)
    sender.publish("numbers", b"first")
    (first,) = receive_all(reader, 2.0)  # the broker knows the readers of a topic after its first message
    reader.acknowledge([first])
    for number in range(SENT):
        assert sender.publish("numbers", str(number).encode())
    received = receive_all(reader, 1.0)
    assert len(received) < BOUND, "the sender waits"
    assert sender.pending > 0
    got = [int(message.payload) for message in received]
    for message in received:
        reader.acknowledge([message])
    while len(got) < SENT and (late := reader.receive(10)) is not None:
        got.append(int(late.payload))
        reader.acknowledge([late])
    assert got == list(range(SENT))
    assert sender.stop(10), "everything was acknowledged"
    reader.stop(1)
    broker.terminate()
    assert broker.wait(10) == 0
    assert broker.stderr is not None
    stderr = broker.stderr.read()
    assert "ERROR" not in stderr, stderr
    assert "Timeout" not in stderr, stderr
