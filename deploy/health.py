"""Whether the service is well after a change: it says so itself."""

from __future__ import annotations

import os
import time

from vcedge.config.runtime import load_runtime_config
from vcedge.deploy.layout import Layout
from vcedge.errors import Unavailable, VcedgeError
from vcedge.runtime.status_socket import ask_service

LOOK_S = 0.5


def wait_healthy(layout: Layout, patience_s: float) -> None:
    """Wait until the service answers and is connected to its broker. Raises Unavailable with what it says instead."""
    folder = load_runtime_config(layout.config, {**os.environ, **layout.environment}).state_dir
    deadline = time.monotonic() + patience_s
    while True:
        try:
            links = ask_service(folder)["links"].values()
            if all(link["connected"] for link in links):
                return
            reason = next((link["complaint"] for link in links if link["complaint"]), "it is not connected")
        except VcedgeError as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise Unavailable(f"the service is not well within {patience_s:.0f} s: {reason}")
        time.sleep(LOOK_S)
