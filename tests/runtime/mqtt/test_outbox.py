"""The outbox: order, bounds, and items that a lost connection returns."""

from __future__ import annotations

import threading

from vcedge.runtime.mqtt.outbox import Acknowledgement, Outbox, Publication


def publication(text: str, qos: int = 1, *, retain: bool = False) -> Publication:
    return Publication(text, b"", qos, retain)


def test_items_leave_in_order_within_the_window() -> None:
    outbox = Outbox()
    for item in (publication("score"), Acknowledgement(7, 1), publication("next")):
        outbox.put(item)
    assert outbox.pop(-1) is None  # no connection
    assert outbox.pop(0) is None  # the window is full: the acknowledgement waits behind the publication
    assert outbox.pop(1) == publication("score")
    assert outbox.pop(0) == Acknowledgement(7, 1)
    assert outbox.pop(0) is None


def test_qos_0_is_sent_while_the_window_is_full() -> None:
    outbox = Outbox()
    outbox.put(publication("stats", qos=0))
    assert outbox.pop(0) == publication("stats", qos=0)


def test_full_outbox_drops_the_oldest_score() -> None:
    outbox = Outbox(size=4)
    for item in (publication("state", retain=True), Acknowledgement(1, 1), publication("a"), publication("b")):
        assert outbox.put(item)
    assert not outbox.put(publication("c"))
    assert outbox.dropped == 1
    left = [outbox.pop(9) for _ in range(4)]
    assert left == [publication("state", retain=True), Acknowledgement(1, 1), publication("b"), publication("c")]


def test_drain_waits_for_items_of_the_connection() -> None:
    outbox = Outbox()
    for text in ("a", "b"):
        outbox.put(publication(text))
    sent = outbox.pop(9)
    assert outbox.drain() == []
    outbox.put_stored([publication("stored")])
    outbox.reclaim([sent] if sent else [])
    assert outbox.drain() == [publication("a"), publication("b")]
    assert outbox.pop(9) is None  # the stored publication is still on disk


def test_put_waits_for_room_in_a_full_outbox() -> None:
    outbox = Outbox(size=1)
    outbox.put(publication("a"))
    taker = threading.Timer(0.05, outbox.pop, args=(1,))
    taker.start()
    assert outbox.put(publication("b"), wait_s=5.0)
    taker.join()
    assert outbox.dropped == 0
