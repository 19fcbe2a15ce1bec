"""The example broker for a plant's network: clients identified by certificates, each with its rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import running, wait_until
from vcedge import model_file
from vcedge.config.mqtt import MqttConfig
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.mqtt.paho_setup import Identity
from vcedge.runtime.recordings.replay import message_of

DEPLOY = Path(__file__).parents[2] / "deploy"
CLIENTS = ("press-07", "press-08", "gateway", "viewer", "engineer")


class Plant:
    """Runs the broker of the examples on a port of its own, with a certificate for each client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = Authority(folder)
        authority.issue("localhost", file="broker")
        for name in CLIENTS:
            authority.issue(name)
        text = (DEPLOY / "mosquitto-tls.conf").read_text()
        text = text.replace("/etc/mosquitto/certs", str(folder))
        text = text.replace("/etc/mosquitto/vcedge.acl", str(DEPLOY / "mosquitto.acl"))
        example = folder / "example.conf"
        example.write_text(text)
        self.broker = Mosquitto(folder / "mosquitto", example=example)
        assert re.search(r"^require_certificate true$", text, re.MULTILINE)
        self.url = self.broker.url.replace("mqtt:", "mqtts:")

    def config(self, name: str | None) -> dict[str, str]:
        """Return a client's `mqtt` section; without a name it has no certificate."""
        files = (
            {} if name is None else {"cert_file": f"{self.folder}/{name}.pem", "key_file": f"{self.folder}/{name}.key"}
        )
        return {"broker": self.url, "ca_file": f"{self.folder}/ca.pem", **files}

    @contextmanager
    def client(self, name: str | None, *subscriptions: str) -> Iterator[Connection]:
        identity = Identity(f"test-{name}-{len(subscriptions)}", subscriptions, persistent=False)
        link = Connection(MqttConfig.model_validate(self.config(name)), identity)
        link.start()
        try:
            yield link
        finally:
            link.stop(2.0)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    plant = Plant(tmp_path_factory.mktemp("plant"))
    plant.broker.start()
    yield plant
    plant.broker.stop()


def received_until(link: Connection, marker: bytes) -> list[tuple[str, bytes]]:
    """Return all messages that arrive before the marker."""
    received = []
    while True:
        message = link.receive(10)
        assert message is not None, f"no marker, but {received}"
        link.acknowledge([message])
        if message.payload == marker:
            return received
        received.append((message.topic, message.payload))


def test_device_publishes_only_below_its_own_topics(plant: Plant) -> None:
    with plant.client("viewer", "vcedge/#", "plant/#") as viewer, plant.client("press-07") as device:
        wait_until(lambda: viewer.subscribed and device.connected, "two clients")
        for topic in (
            "vcedge/press-08/pump/score",
            "vcedge/press-08/pump/model/set",
            "plant/pump",
            "vcedge/press-07x/status",
            "vcedge",
            "elsewhere",
        ):
            device.publish(topic, b"intruder")
        device.publish("vcedge/press-07/pump/score", b"mine")
        device.publish("vcedge/press-07/status", b"marker")
        assert received_until(viewer, b"marker") == [("vcedge/press-07/pump/score", b"mine")]


def test_device_reads_only_samples_and_its_own_topics(plant: Plant) -> None:
    topics = ("plant/#", "vcedge/+/+/+/set")
    with (
        plant.client("press-07", *topics) as device,
        plant.client("engineer") as engineer,
        plant.client("gateway") as gateway,
    ):
        wait_until(lambda: device.subscribed and engineer.connected and gateway.connected, "three clients")
        engineer.publish("vcedge/press-08/pump/threshold/set", b"for another")
        engineer.publish("vcedge/press-07/pump/threshold/set", b"for me")
        engineer.publish("vcedge/press-07/pump/score", b"forged")
        gateway.publish("plant/pump", b"sample")
        gateway.publish("vcedge/press-07/pump/compute/set", b"not a gateway's business")
        engineer.publish("vcedge/press-07/pump/compute/set", b"marker")
        assert set(received_until(device, b"marker")) <= {
            ("vcedge/press-07/pump/threshold/set", b"for me"),
            ("plant/pump", b"sample"),
        }


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_clients_without_a_certificate_are_refused(plant: Plant) -> None:
    with plant.client(None) as stranger:
        wait_until(lambda: any("peer did not return a certificate" in line for line in plant.broker.log), "a refusal")
        assert not stranger.connected


def test_service_works_within_these_rights(plant: Plant, tmp_path: Path) -> None:
    detector = tiny_detector()
    model_file.save(detector, tmp_path / "model.vcedge")
    mqtt = "".join(f"  {key}: {value}\n" for key, value in plant.config("press-08").items())
    config = tmp_path / "runtime.yaml"
    config.write_text(f"node: press-08\nstate_dir: state\nmqtt:\n{mqtt}assets:\n  tiny: {{model: model.vcedge}}\n")
    rows = samples(recording(1, 20, detector.channels))
    with plant.client("viewer", "vcedge/press-08/#") as viewer, plant.client("gateway") as gateway:
        wait_until(lambda: viewer.subscribed and gateway.connected, "two clients")
        with running("run", config) as service:
            received_until(viewer, b"online")
            for sample in rows:
                gateway.publish("plant/tiny", message_of(sample.time_ns, detector.schema.names, sample.values))
            scores = 0
            while scores < len(rows):
                message = viewer.receive(10)
                assert message is not None
                viewer.acknowledge([message])
                scores += message.topic == "vcedge/press-08/tiny/score"
            assert service.end() == 0
