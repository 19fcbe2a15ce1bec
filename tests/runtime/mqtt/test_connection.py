"""The connection: passwords and certificates, order, redelivery, completions, and takeover by another client."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.mosquitto import Mosquitto, free_port
from tests.support.mqtt import Peer, wait_until
from vcedge.config.mqtt import MqttConfig
from vcedge.errors import ConfigError
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.paho_setup import Identity


@contextmanager
def connected(url: str, identity: Identity, **settings: Any) -> Iterator[Connection]:
    connection = Connection(MqttConfig.model_validate({"broker": url, **settings}), identity)
    connection.start()
    try:
        yield connection
    finally:
        connection.stop(2.0)


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_password_is_read_from_its_file_and_never_logged(
    version: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    users = tmp_path / "users"
    subprocess.run([tool("mosquitto_passwd"), "-b", "-c", str(users), "press", "geheim-7"], check=True)
    users.chmod(0o644)
    broker = Mosquitto(tmp_path / "broker", f"allow_anonymous false\npassword_file {users}")
    broker.start()
    try:
        (tmp_path / "password").write_text("geheim-7\n")
        access = {"version": version, "username": "press", "password_file": str(tmp_path / "password")}
        with connected(broker.url, Identity("right"), **access) as connection:
            assert connection.wait_connected(10)
        (tmp_path / "password").write_text("geheim-8\n")
        with connected(broker.url, Identity("wrong"), **access) as connection:
            wait_until(lambda: "refused wrong: Not authorized" in connection.problem, "a refusal")
            assert not connection.connected
    finally:
        broker.kill()
    assert "geheim" not in caplog.text
    assert sum("refused wrong" in record.message for record in caplog.records) == 1


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_trusts_only_the_given_authority(tmp_path: Path) -> None:
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    for name in ("broker", "stranger"):
        command = [tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
        files = ["-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.pem")]
        subprocess.run([*command, *files], check=True, capture_output=True)
        (tmp_path / f"{name}.key").chmod(0o644)
    port = free_port()
    listener = f"listener {port} 127.0.0.1\ncertfile {tmp_path}/broker.pem\nkeyfile {tmp_path}/broker.key"
    broker = Mosquitto(tmp_path / "mosquitto", listener)
    broker.start()
    url = f"mqtts://127.0.0.1:{port}"
    try:
        with connected(url, Identity("a", ("t",)), ca_file=str(tmp_path / "broker.pem")) as connection:
            assert connection.wait_connected(10), connection.problem
            connection.publish("t", b"x" * 100_000)
            message = connection.receive(10)
            assert message is not None
            assert len(message.payload) == 100_000
        with connected(url, Identity("b"), ca_file=str(tmp_path / "stranger.pem")) as connection:
            wait_until(lambda: "certificate verify failed" in connection.problem, "a refusal")
    finally:
        broker.kill()


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_unusable_certificates_are_named(key: str, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    for name in ("none.pem", "gone.pem"):
        config = MqttConfig.model_validate({"broker": "mqtts://localhost", key: tmp_path / name})
        with pytest.raises(ConfigError, match=rf"mqtt\.{key}: .*{name}: cannot be used"):
            Connection(config, Identity("x"))


def test_messages_are_in_order_and_redelivered_until_acknowledged(shared_broker: Mosquitto) -> None:
    identity = Identity("steady", ("steady/in",))
    with connected(shared_broker.url, identity) as connection, Peer(shared_broker.url) as peer:
        wait_until(lambda: connection.subscribed, "a subscription")
        for i in range(20):
            peer.publish("steady/in", str(i))
        for i in range(20):
            message = connection.receive(10)
            assert message is not None
            assert (message.payload, message.duplicate) == (str(i).encode(), False)
            if i < 5:
                connection.acknowledge([message])
    with connected(shared_broker.url, identity) as connection:
        again = [connection.receive(10) for _ in range(15)]
        assert [message.payload for message in again if message] == [str(i).encode() for i in range(5, 20)]
        assert all(message.duplicate for message in again if message)


def test_completion_runs_after_the_brokers_acknowledgement(own_broker: Mosquitto) -> None:
    """Publications and their completions wait until a broker is there."""
    done = threading.Event()
    with connected(own_broker.url, Identity("after")) as connection:
        connection.publish("after/x", b"1")
        connection.when_acknowledged(done.set)
        assert not done.wait(0.3)
        own_broker.start()
        assert done.wait(20)
        assert connection.pending == 0
        done.clear()
        connection.when_acknowledged(done.set)  # nothing is pending: runs at once
        assert done.wait(5)


def test_qos_0_without_a_connection_is_dropped(own_broker: Mosquitto) -> None:
    with connected(own_broker.url, Identity("lossy")) as connection:
        assert not connection.publish("x", b"", qos=0)
        assert connection.pending == 0


def test_stop_returns_if_the_broker_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = Connection(MqttConfig(broker=f"mqtt://127.0.0.1:{silent.getsockname()[1]}"), Identity("patient"))
        connection.start()
        peer, _ = silent.accept()
        with peer:
            assert peer.recv(100).startswith(b"\x10")
            assert not connection.wait_connected(0.1)
            connection.publish("x", b"")
            assert not connection.stop(0.5)


def test_takeover_sent_by_the_broker_is_reported_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """mosquitto 2.0 does not send it; these bytes are of a broker that does (MQTT 5: CONNACK, DISCONNECT 0x8E)."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        connected(f"mqtt://127.0.0.1:{server.getsockname()[1]}", Identity("torn")) as connection,
    ):
        for _ in range(2):
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(100).startswith(b"\x10")
                accepted.sendall(b"\x20\x03\x00\x00\x00\xe0\x02\x8e\x00")
        wait_until(lambda: connection.client_id_conflicts == 2, "two takeovers")
    assert sum("another client uses the id torn" in record.message for record in caplog.records) == 1
