"""Notifies systemd of the service's state by datagrams (sd_notify); does nothing without systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"


class Notifier:
    """Sends to the socket that `NOTIFY_SOCKET` names.

    `watchdog_s` is half the interval in which systemd expects WATCHDOG; None: it expects none.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        micros = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(micros) / 2e6 if micros.isdecimal() and mine and self._address else None

    def notify(self, word: str) -> None:
        """Send one state."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0.0)  # a systemd that does not read must not block scoring
            try:
                sender.sendto(word.encode(), self._address)
            except OSError:
                return
