"""Whether the service is well after a change: it says so itself, and the broker has what it says.

A device may write its health topic and need not be allowed to read it (mosquitto.acl), so that nobody here listens to
it. It is published at every start, and `heard` says that the broker has acknowledged it.
"""

from __future__ import annotations

import os
import time

from vcedge.config.runtime import load_runtime_config
from vcedge.deploy.layout import Layout
from vcedge.errors import Unavailable, VcedgeError
from vcedge.runtime.monitoring.status_socket import ask_service

LOOK_S = 0.5


def wait_healthy(layout: Layout, patience_s: float) -> None:
    """Wait until the service answers, is connected to its broker, and has its health acknowledged there.

    Raises Unavailable with what it says instead.
    """
    folder = load_runtime_config(layout.config, {**os.environ, **layout.environment}).state_dir
    deadline = time.monotonic() + patience_s
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
            raise Unavailable(f"the service is not well within {patience_s:.0f} s: {reason}")
        time.sleep(LOOK_S)
