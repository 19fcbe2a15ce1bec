"""A Unix socket in the state folder that answers `vcedge status`, without broker, network or port.

Any user who may read and write the folder's files may connect. Each connection gets the report as JSON.
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
from vcedge.runtime.monitoring.status_requests import Report, StatusRequests

log = logging.getLogger("vcedge.status")
NAME = "status.sock"
ANSWER_S = 5.0
"""Longest time that a running main loop needs to answer, or a client to read the answer."""
MAX_PATH = 100
"""Bytes of a socket's path that every system accepts."""


class _Server(socketserver.UnixStreamServer):
    """Requests a report for each connection."""

    def __init__(self, path: str, requests: StatusRequests, answer_s: float) -> None:
        self.requests, self.answer_s = requests, answer_s
        super().__init__(path, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log that the client disconnected or the main loop is stuck: neither is worth a traceback."""
        log.debug("a status request was not answered", exc_info=True)


class _Handler(socketserver.StreamRequestHandler):
    timeout = ANSWER_S
    server: _Server

    def handle(self) -> None:
        self.wfile.write(json.dumps(self.server.requests.ask(self.server.answer_s)).encode())


class StatusSocket:
    """Serves the socket of a service that has locked its state folder, and replaces one that a crashed service left."""

    def __init__(self, folder: Path, requests: StatusRequests, answer_s: float = ANSWER_S) -> None:
        self._path = folder / NAME
        self._requests, self._answer_s = requests, answer_s
        self._server: _Server | None = None

    def open(self) -> None:
        """Begin to answer. If the socket cannot be made, log it; the service runs without."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)
            with _short(self._path) as path:
                self._server = _Server(path, self._requests, self._answer_s)
            self._path.chmod(0o660)
        except OSError as error:
            log.warning("no socket for vcedge status: %s: %s", self._path, error.strerror or error)
            return
        threading.Thread(target=self._server.serve_forever, name="status", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._path.unlink(missing_ok=True)


def ask_service(folder: Path) -> Report:
    """Return the report of the service with this state folder.

    Raises Unavailable if none runs or it does not answer, InputOutputError if this user may not connect.
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
        raise InputOutputError(f"{where}: permission denied: run as root or as the user of the service") from None
    except (OSError, ValueError):
        raise Unavailable(f"{where}: the service does not answer") from None


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a path of the socket that is short enough: Linux accepts 107 bytes, and /proc/self/fd needs fewer."""
    if len(os.fsencode(path)) <= MAX_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
