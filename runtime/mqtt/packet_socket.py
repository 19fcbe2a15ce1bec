"""A socket for a client that reads and writes packet by packet: few calls of the system, each for many packets.

paho reads a packet in three or four calls, and sends each one in a call of its own. In CPython every such call gives
up the interpreter, and a thread that wants it back waits for whoever took it, 5 ms if that one computes. So it is the
number of calls, more than their cost, that makes scores late (docs/decisions/0029).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 1 << 16
"""Bytes that are read in one call."""
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
"""Linux's order to acknowledge at once, good for one time. A broker that does not send small packets before the last
ones are acknowledged (mosquitto, unless told `set_tcp_nodelay`) else holds each back for up to 40 ms, as messages here
are answered hundreds at a time."""
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class PacketSocket:
    """Wraps a connected socket that does not block, plain or of TLS. What paho asks of a socket, and a little more."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what belongs together is gathered here
        self._sock = sock
        self._read = b""
        self._position = 0
        """Up to where `_read` was given out."""
        self._unsent = bytearray()
        self._gathering = False
        self._failure: OSError | None = None

    def recv(self, size: int) -> bytes:
        """Up to so many bytes; empty at the end of the connection. Raises what the socket raises."""
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
        """Take all of the bytes and send what the network takes now; `has_unsent` tells of the rest."""
        self._unsent += data
        if not self._gathering:
            self.flush()
        return len(data)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent in this block leaves at its end, in as few segments as it fits into."""
        self._gathering = True
        try:
            yield
        finally:
            self._gathering = False
            self.flush()

    def flush(self) -> None:
        """Send what the network takes. A connection that is lost is told of by the next `recv`."""
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except _NOT_NOW:
            pass
        except OSError as error:
            self._failure = error
            self._unsent.clear()

    @property
    def has_unsent(self) -> bool:
        """Whether bytes wait for the network to take them."""
        return bool(self._unsent)

    @property
    def readable(self) -> bool:
        """Whether `recv` has something to say without the network."""
        buffered = self._position < len(self._read) or self._failure is not None
        return buffered or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0)

    def fileno(self) -> int:
        """For `select`; -1 once closed."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """As of the socket: paho asks for it once it is connected."""
        self._sock.setblocking(flag)

    def close(self) -> None:
        """Close it; what the network did not take is lost with it."""
        self._sock.close()
