"""The inbox: bounds, lanes, and acknowledgements in the order of arrival."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from vcedge.runtime.mqtt.inbox import Inbox, Incoming, OrderedAcknowledgements
from vcedge.runtime.service.addresses import topic_parser
from vcedge.topics import InputTopic, OutputTopics


def incoming(mid: int) -> Incoming:
    return Incoming("t", b"", 1, duplicate=False, arrival_ns=0, mid=mid, epoch=1)


def test_full_inbox_blocks_the_sender_and_loses_nothing() -> None:
    inbox = Inbox(3)
    sender = threading.Thread(target=lambda: [inbox.put(incoming(i)) for i in range(100)])
    sender.start()
    received = [inbox.get(5.0) for _ in range(100)]
    sender.join(5.0)
    assert [message.mid for message in received if message] == list(range(100))
    assert inbox.get(0.0) is None


def test_inbox_is_bounded_by_bytes() -> None:
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


def test_close_releases_the_sender() -> None:
    inbox = Inbox(1)
    inbox.put(incoming(1))
    sender = threading.Thread(target=inbox.put, args=(incoming(2),))
    sender.start()
    inbox.close()
    sender.join(5.0)
    assert not sender.is_alive()
    assert len(inbox) == 1


ADDRESS_OF = topic_parser(InputTopic("plant/{asset}/{channel}"), OutputTopics("v", "n"), {"a", "b"})


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


@given(st.lists(st.integers(0, 2), max_size=30), st.data())
def test_acknowledgements_are_in_the_order_of_arrival(qos: list[int], data: st.DataObject) -> None:
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


def test_messages_of_an_earlier_connection_do_not_delay_acknowledgements() -> None:
    order = OrderedAcknowledgements()
    old, new = incoming(1), incoming(1)._replace(epoch=2)
    order.add(old)
    order.add(new)
    order.add(new._replace(mid=2))
    assert order.release([old]) == []
    assert order.release([new]) == [new]
