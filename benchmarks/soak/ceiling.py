"""Measures the upper bound: a minimal paho client that parses each message and publishes a score's bytes.

    python -m benchmarks.soak.ceiling PORT IN OUT BYTES

It uses QoS 1 in both directions, and prints a line once it is subscribed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

WINDOW = 1000


def main() -> None:
    port, source, target, size = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    client = Client(CallbackAPIVersion.VERSION2, "ceiling", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    padding = b'"}'.rjust(size - len('{"ts":1700000000000,"x":"'), b"x")

    def on_message(_: Client, __: Any, message: MQTTMessage) -> None:
        ts = json.loads(message.payload)["ts"]
        client.publish(target, b'{"ts":%d,"x":"' % round(ts * 1000) + padding, qos=1)

    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe(source, qos=1)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600, WINDOW
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    client.loop_forever()


if __name__ == "__main__":
    main()
