"""Waits until the service is healthy after a change: connected, and its health acknowledged by the broker.

The health topic itself is not read, since a device may write but need not read it (mosquitto.acl). The service
publishes it at every start, and `heard` in its status report says that the broker has acknowledged it.
"""

from __future__ import annotations

import os
import time

from vcedge.config.runtime import load_runtime_config
from vcedge.deploy.layout import Layout
from vcedge.errors import Unavailable, VcedgeError
from vcedge.runtime.monitoring.status_socket import ask_service

POLL_S = 0.5


def wait_healthy(layout: Layout, timeout_s: float) -> None:
    """Wait until the service answers, is connected to its broker, and the broker has acknowledged its health.

    Raises Unavailable with the reason if that takes longer than `timeout_s`.
    """
    folder = load_runtime_config(layout.config, {**os.environ, **layout.environment}).state_dir
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            report = ask_service(folder)
            if report.get("heard", True) and all(link["connected"] for link in report["links"].values()):
                return
            complaints = [link["complaint"] for link in report["links"].values() if link["complaint"]]
            reason = complaints[0] if complaints else "the broker has not acknowledged that it is online"
        except VcedgeError as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise Unavailable(f"the service is not healthy after {timeout_s:.0f} s: {reason}")
        time.sleep(POLL_S)
