"""Runs the embedded broker: `python -m vcedge.demo.broker` prints its port and runs until SIGTERM or Ctrl-C.

It is amqtt on a free port of the loopback interface, without authentication; writes nothing to disk.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

from amqtt.broker import Broker

from vcedge.demo.flow import WINDOW, Subscriptions
from vcedge.runtime.service.signals import SIGNALS


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PacedBroker(Broker):  # type: ignore[misc]
    """Runs amqtt with a bounded queue of messages, and subscriptions that may change while they are iterated over."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        # No setting bounds this queue, and senders fill it faster than it drains.
        self._broadcast_queue: asyncio.Queue[Any] = asyncio.Queue(WINDOW)
        self._subscriptions = Subscriptions()


async def serve(port: int) -> None:
    """Run the broker until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = PacedBroker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"vcedge.demo.flow.Admission": {}, "vcedge.demo.flow.Pacing": {}},
        }
    )
    await broker.start()
    print(port, flush=True)
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    """Serve on a free port; log only warnings and errors, on stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(name)s: %(message)s")
    asyncio.run(serve(free_port()))


if __name__ == "__main__":
    main()
