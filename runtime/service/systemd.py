"""Telling systemd how the service is: one datagram for each word (sd_notify), nothing where systemd is not there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"


class Notifier:
    """Speaks to the socket that `NOTIFY_SOCKET` names. `beat_s` is how often WATCHDOG is wanted, None for never."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        micros = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.beat_s = int(micros) / 2e6 if micros.isdecimal() and mine and self._address else None

    def tell(self, word: str) -> None:
        """Send one word, if somebody listens."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a manager that does not listen must not hold up the scoring
            try:
                sender.sendto(word.encode(), self._address)
            except OSError:
                return
