"""`vcedge status` asks the service through a socket in its state folder: without broker, network or port.

Whoever may read and write the folder's files may ask. One question, one answer: the report as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vcedge.errors import InputOutputError, Unavailable
from vcedge.runtime.monitoring.status_requests import Inquiries, Report

log = logging.getLogger("vcedge.status")
NAME = "status.sock"
ANSWER_S = 5.0
"""What a loop that goes round needs at most, and somebody who asks to take the answer."""
LONGEST = 100
"""Bytes of a socket's path that every system takes."""


class _Server(socketserver.UnixStreamServer):
    """Asks the service for every connection."""

    def __init__(self, path: str, inquiries: Inquiries) -> None:
        self.inquiries = inquiries
        super().__init__(path, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked went away, or the loop does not go round: either is not worth a traceback."""
        log.debug("a question about the status was not answered", exc_info=True)


class _Handler(socketserver.StreamRequestHandler):
    timeout = ANSWER_S
    server: _Server

    def handle(self) -> None:
        self.wfile.write(json.dumps(self.server.inquiries.ask(ANSWER_S)).encode())


class StatusSocket:
    """Of one service, which has claimed the folder: a socket that is there already is of one that died."""

    def __init__(self, folder: Path, inquiries: Inquiries) -> None:
        self._path = folder / NAME
        self._inquiries = inquiries
        self._server: _Server | None = None

    def open(self) -> None:
        """Begin to answer. Where there can be no socket the service runs without, and says so."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            with _short(self._path) as path:
                self._server = _Server(path, self._inquiries)
            self._path.chmod(0o660)
        except OSError as error:
            log.warning("vcedge status cannot ask: %s: %s", self._path, error.strerror or error)
            return
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._path.unlink(missing_ok=True)


def ask_service(folder: Path) -> Report:
    """The report of the service with this state folder.

    Raises Unavailable where none runs or it does not answer, InputOutputError where one may not ask.
    """
    where = f"state_dir {folder}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, _short(folder / NAME) as path:
            client.settimeout(2 * ANSWER_S)
            client.connect(path)
            with client.makefile("rb") as answer:
                report: Report = json.loads(answer.read())
                return report
    except (FileNotFoundError, ConnectionRefusedError):
        raise Unavailable(f"{where}: no service runs there") from None
    except PermissionError:
        raise InputOutputError(f"{where}: permission denied: ask as root or as the user of the service") from None
    except (OSError, ValueError):
        raise Unavailable(f"{where}: the service does not answer") from None


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of the file that a socket can have: Linux takes 107 bytes, and the folder by its number needs fewer."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
