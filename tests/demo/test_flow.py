"""Flow control added to amqtt: a message is acknowledged once it was forwarded, and a fast sender waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("amqtt", reason="amqtt is not installed: the demonstration has no broker")

from vcedge.demo.flow import Handover, Subscriptions


def test_put_waits_until_the_message_is_handled() -> None:
    async def scenario() -> None:
        queue = Handover()
        puts = [asyncio.create_task(queue.put(number)) for number in range(3)]
        assert await queue.get() == 0
        assert not puts[0].done(), "it is being handled"
        assert await queue.get() == 1
        await asyncio.wait_for(puts[0], 5)
        assert not puts[1].done()
        assert not puts[2].done()
        for put in puts[1:]:
            put.cancel()

    asyncio.run(scenario())


def test_qos0_messages_keep_their_order() -> None:
    async def scenario() -> None:
        queue = Handover()
        first = asyncio.create_task(queue.put("first"))
        await asyncio.sleep(0)
        queue.put_nowait("of QoS 0")
        last = asyncio.create_task(queue.put("last"))
        assert [await queue.get() for _ in range(3)] == ["first", "of QoS 0", "last"]
        await asyncio.wait_for(first, 5)
        last.cancel()

    asyncio.run(scenario())


def test_disconnected_sender_does_not_block_others() -> None:
    async def scenario() -> None:
        queue = Handover()
        gone = asyncio.create_task(queue.put("gone"))
        await asyncio.sleep(0)
        gone.cancel()
        queue.put_nowait("next")
        assert [await queue.get(), await queue.get()] == ["gone", "next"]

    asyncio.run(scenario())


async def _deliver(subscriptions: dict[str, list[Any]], seen: list[str]) -> None:
    """Deliver as amqtt does: it awaits while it iterates."""
    for topic_filter, subscribers in subscriptions.items():
        for subscriber in subscribers:
            await asyncio.sleep(0)
            seen.append(f"{topic_filter} {subscriber}")


async def _change(subscriptions: dict[str, list[Any]]) -> None:
    subscriptions["c"] = ["new"]
    del subscriptions["b"]
    subscriptions["a"].remove("one")


def test_subscriptions_may_change_during_a_delivery() -> None:
    subscriptions = Subscriptions({"a": ["one", "two"], "b": ["three"]})
    seen: list[str] = []

    async def both() -> None:
        await asyncio.gather(_deliver(subscriptions, seen), _change(subscriptions))

    asyncio.run(both())
    assert seen == ["a one", "a two", "b three"]
    assert list(subscriptions) == ["a", "c"]
