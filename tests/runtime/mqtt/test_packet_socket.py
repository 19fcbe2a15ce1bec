"""The socket under paho: every byte in order for any sizes, and the error of a lost connection."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.runtime.mqtt.packet_socket import PacketSocket

LARGE = 4 << 20
"""More bytes than a connection on this machine takes before its other end reads."""


@pytest.fixture
def ends() -> Iterator[tuple[PacketSocket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    packets = PacketSocket(ours)
    packets.setblocking(False)
    theirs.settimeout(20)
    yield packets, theirs
    packets.close()
    theirs.close()


def received(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (part := sock.recv(1 << 16)):
        found += part
    return found


def wait_readable(packets: PacketSocket) -> None:
    assert packets.readable or select.select([packets], [], [], 20)[0], "nothing arrived"


def test_recv_returns_the_requested_sizes(ends: tuple[PacketSocket, socket.socket]) -> None:
    packets, theirs = ends
    theirs.sendall(b"0123456789")
    wait_readable(packets)
    assert (packets.recv(1), packets.recv(3)) == (b"0", b"123")
    assert packets.readable  # from the buffer: the network has no more bytes
    assert packets.recv(100) == b"456789"
    assert not packets.readable
    with pytest.raises(BlockingIOError):
        packets.recv(1)


def test_recv_returns_remaining_bytes_before_the_end(
    ends: tuple[PacketSocket, socket.socket],
) -> None:
    packets, theirs = ends
    theirs.sendall(b"last")
    theirs.close()
    wait_readable(packets)
    assert packets.recv(4) == b"last"
    wait_readable(packets)
    assert packets.recv(4) == b""


def test_batch_is_sent_at_the_end_of_its_block(ends: tuple[PacketSocket, socket.socket]) -> None:
    packets, theirs = ends
    with packets.batch():
        assert packets.send(b"one") == 3
        assert packets.send(b"two") == 3
        assert packets.has_unsent
        assert not select.select([theirs], [], [], 0)[0]
    assert received(theirs, 6) == b"onetwo"
    packets.send(b"three")
    assert received(theirs, 5) == b"three"


def test_unsent_bytes_wait_and_keep_their_order(
    ends: tuple[PacketSocket, socket.socket],
) -> None:
    packets, theirs = ends
    first = bytes(range(256)) * (2 * LARGE // 256)
    assert packets.send(first) == len(first)
    assert packets.has_unsent
    packets.send(b"end")
    found = b""
    while packets.has_unsent:
        found += theirs.recv(1 << 20)
        packets.flush()
    assert found + received(theirs, len(first) + 3 - len(found)) == first + b"end"


def test_recv_raises_the_error_of_a_failed_send(
    ends: tuple[PacketSocket, socket.socket],
) -> None:
    packets, theirs = ends
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close resets the connection
    theirs.close()
    wait_readable(packets)
    packets.send(b"x")
    packets.send(b"x")
    assert packets.readable
    assert not packets.has_unsent  # unsent bytes of a lost connection are discarded
    with pytest.raises(OSError, match=r"(?i)reset|broken"):
        packets.recv(1)


@given(st.lists(st.binary(max_size=400), max_size=30), st.lists(st.integers(1, 700), min_size=1, max_size=10))
def test_pieces_of_any_size_arrive_as_one_byte_stream(pieces: list[bytes], sizes: list[int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        theirs.setblocking(False)
        sender, reader = PacketSocket(ours), PacketSocket(theirs)
        with sender.batch():
            for piece in pieces:
                sender.send(piece)
        whole, found = b"".join(pieces), b""
        while len(found) < len(whole):
            wait_readable(reader)
            found += reader.recv(sizes[len(found) % len(sizes)])
        assert found == whole
