"""The queues to and from the network thread, and the backoff."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcedge.runtime.mqtt.inbox import Inbox, Incoming, OrderedAcknowledgements
from vcedge.runtime.mqtt.outbox import Acknowledgement, Outbox, Publication
from vcedge.runtime.mqtt.reconnect import Backoff
from vcedge.runtime.service.addresses import SHARED, addressing
from vcedge.topics import InputTopic, OutputTopics


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


def test_large_messages_fill_an_inbox_too() -> None:
    inbox, large = Inbox(1000, max_bytes=100), [incoming(mid)._replace(payload=b"x" * 40) for mid in range(50)]
    most = 0
    sender = threading.Thread(target=lambda: [inbox.put(message) for message in large])
    sender.start()
    received = []
    while len(received) < 50:
        most = max(most, len(inbox))
        received += inbox.get_many(1, 5.0)
    sender.join(5.0)
    assert received == large
    assert most <= 3


def test_closing_an_inbox_releases_the_sender() -> None:
    inbox = Inbox(1)
    inbox.put(incoming(1))
    sender = threading.Thread(target=inbox.put, args=(incoming(2),))
    sender.start()
    inbox.close()
    sender.join(5.0)
    assert not sender.is_alive()
    assert len(inbox) == 1


ADDRESS_OF = addressing(InputTopic("plant/{asset}/{channel}"), OutputTopics("v", "n"), {"a", "b"})


@given(st.lists(st.sampled_from(["plant/a/x", "plant/a/y", "plant/b/x", "v/n/a/compute/set", "other"]), max_size=60))
def test_lanes_take_turns_and_each_keeps_its_order(topics: list[str]) -> None:
    inbox = Inbox(1000)
    for mid, topic in enumerate(topics):
        inbox.put(incoming(mid)._replace(topic=topic, address=ADDRESS_OF(topic)))
    got = list(iter(lambda: inbox.get(0.0), None))
    by_lane: dict[object, list[int]] = {}
    ranks = []
    for message in got:
        lane = by_lane.setdefault(message.address.lane, [])
        lane.append(message.mid)
        ranks.append(len(lane))
    assert ranks == sorted(ranks)  # the first of every lane, then the second of every lane
    assert all(mids == sorted(mids) for mids in by_lane.values())
    assert len(got) == len(topics)


def test_samples_and_settings_of_an_asset_are_in_one_lane_and_strangers_share_some() -> None:
    lanes = [ADDRESS_OF(topic).lane for topic in ("plant/a/x", "plant/a/y", "v/n/a/threshold/set")]
    assert lanes == ["a", "a", "a"]
    assert len({ADDRESS_OF(f"plant/stranger-{i}/x").lane for i in range(10_000)}) <= SHARED
    assert ADDRESS_OF("plant/stranger/x").lane == ADDRESS_OF("v/n/stranger/threshold/set").lane


def test_topics_say_kind_asset_channel_and_setting() -> None:
    topics = ("plant/a/x", "v/n/a/stage/set", "v/n/a/model/set", "v/n/status")
    found = [ADDRESS_OF(topic)[:4] for topic in topics]
    assert found == [
        ("sample", "a", "x", ""),
        ("setting", "a", None, "stage"),
        ("model", "a", None, "model"),
        ("other", "", None, ""),
    ]


@given(st.lists(st.integers(0, 2), max_size=30), st.data())
def test_acknowledgements_go_in_the_order_of_arrival(qos: list[int], data: st.DataObject) -> None:
    order = OrderedAcknowledgements()
    messages = [incoming(mid)._replace(qos=level) for mid, level in enumerate(qos)]
    for message in messages:
        order.add(message)
    left = data.draw(st.permutations(messages))
    released: list[int] = []
    while left:
        batch = [left.pop() for _ in range(data.draw(st.integers(1, len(left))))]
        released += [message.mid for message in order.release(batch)]
        done = {m.mid for m in messages} - {m.mid for m in left}
        wanted = [m.mid for m in messages if m.qos]
        first_left = next((i for i, mid in enumerate(wanted) if mid not in done), len(wanted))
        assert released == wanted[:first_left]


def test_messages_of_an_earlier_connection_delay_no_acknowledgement() -> None:
    order = OrderedAcknowledgements()
    old, new = incoming(1), incoming(1)._replace(epoch=2)
    order.add(old)
    order.add(new)
    order.add(new._replace(mid=2))
    assert order.release([old]) == []
    assert order.release([new]) == [new]


def test_an_outbox_keeps_the_order() -> None:
    outbox = Outbox()
    for item in (publication("score"), Acknowledgement(7, 1), publication("next")):
        outbox.put(item)
    assert outbox.pop(-1) is None  # no connection
    assert outbox.pop(0) is None  # the broker takes no more publications: the acknowledgement waits too
    assert outbox.pop(1) == publication("score")
    assert outbox.pop(0) == Acknowledgement(7, 1)
    assert outbox.pop(0) is None


def test_qos_0_is_sent_while_the_window_is_full() -> None:
    outbox = Outbox()
    outbox.put(publication("stats", qos=0))
    assert outbox.pop(0) == publication("stats", qos=0)


def test_a_full_outbox_drops_the_oldest_score_but_no_state_or_acknowledgement() -> None:
    outbox = Outbox(size=4)
    for item in (publication("state", retain=True), Acknowledgement(1, 1), publication("a"), publication("b")):
        assert outbox.put(item)
    assert not outbox.put(publication("c"))
    assert outbox.dropped == 1
    left = [outbox.pop(9) for _ in range(4)]
    assert left == [publication("state", retain=True), Acknowledgement(1, 1), publication("b"), publication("c")]


def test_an_outbox_is_not_drained_while_a_connection_may_return_items() -> None:
    outbox = Outbox()
    for text in ("a", "b"):
        outbox.put(publication(text))
    sent = outbox.pop(9)
    assert outbox.drain() == []
    outbox.put_stored([publication("stored")])
    outbox.reclaim([sent] if sent else [])
    assert outbox.drain() == [publication("a"), publication("b")]
    assert outbox.pop(9) is None  # what is stored is on disk


def test_put_waits_for_room_in_a_full_outbox() -> None:
    outbox = Outbox(size=1)
    outbox.put(publication("a"))
    taker = threading.Timer(0.05, outbox.pop, args=(1,))
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
