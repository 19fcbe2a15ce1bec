"""A socket for a client that reads and writes packet by packet: few system calls, each for many packets.

paho reads a packet in three or four calls and sends each one in a call of its own. In CPython every such call releases
the interpreter lock, and a thread that wants it back waits up to 5 ms for a thread that computes. So the number of
calls delays scores, more than their cost does.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 1 << 16
"""Bytes to read in one call."""
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux's option to send the next TCP acknowledgement at once. Without it, a broker with Nagle's algorithm (mosquitto
without `set_tcp_nodelay`) delays small packets by up to 40 ms, since MQTT acknowledgements go out in batches here."""
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class PacketSocket:
    """Wraps a connected non-blocking socket, plain or TLS: the methods that paho calls, and batching of writes."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # batches are made here
        self._sock = sock
        self._read = b""
        self._position = 0
        """Bytes of `_read` that were returned."""
        self._unsent = bytearray()
        self._batching = False
        self._failure: OSError | None = None

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end of the connection. Raises what the socket raises."""
        if self._position == len(self._read):
            if self._failure is not None:
                raise self._failure
            self._read, self._position = self._sock.recv(CHUNK), 0
            if _QUICKACK is not None and self._read:
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        start = self._position
        self._position = min(start + size, len(self._read))
        return self._read[start : self._position]

    def send(self, data: bytes | bytearray) -> int:
        """Accept all bytes and send what the socket accepts now; `has_unsent` is true if some are left."""
        self._unsent += data
        if not self._batching:
            self.flush()
        return len(data)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Send what is written in this block at its end, in as few segments as possible."""
        self._batching = True
        try:
            yield
        finally:
            self._batching = False
            self.flush()

    def flush(self) -> None:
        """Send what the socket accepts. If the connection is lost, the next `recv` raises the error."""
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except _WOULD_BLOCK:
            pass
        except OSError as error:
            self._failure = error
            self._unsent.clear()

    @property
    def has_unsent(self) -> bool:
        """Whether bytes wait to be sent."""
        return bool(self._unsent)

    @property
    def readable(self) -> bool:
        """Whether `recv` returns bytes or raises without the network."""
        buffered = self._position < len(self._read) or self._failure is not None
        return buffered or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)

    def fileno(self) -> int:
        """Return the descriptor for `select`; -1 once closed."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 (paho passes it by position)
        """Set the blocking mode of the socket: paho does so once it is connected."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close the socket; unsent bytes are lost."""
        self._sock.close()
