"""The queues toward and from the network thread, and the delays between attempts to connect."""

from __future__ import annotations

import threading

import pytest

from vcedge.runtime.backoff import Backoff
from vcedge.runtime.mailbox import Inbox, Incoming
from vcedge.runtime.outbox import Acknowledgement, Outbox, Publication


def incoming(mid: int) -> Incoming:
    return Incoming("t", b"", 1, duplicate=False, arrival_ns=0, mid=mid, epoch=1)


def publication(text: str, qos: int = 1, retain: bool = False) -> Publication:
    return Publication(text, b"", qos, retain)


def test_a_full_inbox_makes_the_sender_wait_and_loses_nothing() -> None:
    inbox = Inbox(3)
    sender = threading.Thread(target=lambda: [inbox.put(incoming(i)) for i in range(100)])
    sender.start()
    received = [inbox.get(5.0) for _ in range(100)]
    sender.join(5.0)
    assert [message.mid for message in received if message] == list(range(100))
    assert inbox.get(0.0) is None


def test_a_closed_inbox_lets_the_sender_go() -> None:
    inbox = Inbox(1)
    inbox.put(incoming(1))
    sender = threading.Thread(target=inbox.put, args=(incoming(2),))
    sender.start()
    inbox.close()
    sender.join(5.0)
    assert not sender.is_alive()
    assert len(inbox) == 1


def test_what_is_to_be_sent_keeps_its_order() -> None:
    outbox = Outbox()
    for item in (publication("score"), Acknowledgement(7, 1), publication("next")):
        outbox.put(item)
    assert outbox.get(-1) is None  # no connection
    assert outbox.get(0) is None  # the broker takes no more publications: the acknowledgement waits too
    assert outbox.get(1) == publication("score")
    assert outbox.get(0) == Acknowledgement(7, 1)
    assert outbox.get(0) is None


def test_qos_0_needs_no_window() -> None:
    outbox = Outbox()
    outbox.put(publication("stats", qos=0))
    assert outbox.get(0) == publication("stats", qos=0)


def test_a_full_outbox_loses_the_oldest_score_and_no_state_or_acknowledgement() -> None:
    outbox = Outbox(size=4)
    for item in (publication("state", retain=True), Acknowledgement(1, 1), publication("a"), publication("b")):
        assert outbox.put(item)
    assert not outbox.put(publication("c"))
    assert outbox.dropped == 1
    left = [outbox.get(9) for _ in range(4)]
    assert left == [publication("state", retain=True), Acknowledgement(1, 1), publication("b"), publication("c")]


def test_a_full_outbox_is_waited_for() -> None:
    outbox = Outbox(size=1)
    outbox.put(publication("a"))
    taker = threading.Timer(0.05, outbox.get, args=(1,))
    taker.start()
    assert outbox.put(publication("b"), wait_s=5.0)
    taker.join()
    assert outbox.dropped == 0


@pytest.mark.parametrize("attempts", [1, 5, 200])
def test_delays_are_spread_and_bounded(attempts: int) -> None:
    backoff = Backoff(base_s=0.5, cap_s=30.0)
    delays = [backoff.next_s() for _ in range(attempts)]
    assert 0 <= delays[0] <= 0.5
    assert all(0 <= delay <= 30 for delay in delays)
    if attempts > 100:
        assert max(delays) > 25
        assert min(delays[10:]) < 5
    backoff.reset()
    assert backoff.next_s() <= 0.5
