"""The embedded broker: `python -m vcedge.demo.broker` prints its port and runs until SIGTERM or Ctrl-C.

amqtt on a free port of the loopback interface, for everybody on this machine; nothing is written to disk.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from amqtt.broker import Broker

from vcedge.demo.flow import WINDOW, Subscriptions
from vcedge.runtime.service.signals import SIGNALS


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def serve(port: int) -> None:
    """Run the broker until a signal comes."""
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"vcedge.demo.flow.Admission": {}, "vcedge.demo.flow.Pacing": {}},
        }
    )
    broker._broadcast_queue = asyncio.Queue(WINDOW)  # no setting bounds it, and senders are faster than what empties it
    broker._subscriptions = Subscriptions()
    await broker.start()
    print(port, flush=True)
    await stop.wait()
    await broker.shutdown()


def main() -> None:
    """Only what is wrong is logged, on stderr."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(name)s: %(message)s")
    asyncio.run(serve(free_port()))


if __name__ == "__main__":
    main()
