"""Adds flow control to amqtt, which has none, so that no message is lost however fast a recording is replayed.

amqtt acknowledges a message before it forwards it, and drops it when its sender disconnects. It sends to a subscriber
without limit, so that acknowledgements queue behind thousands of messages until they time out (5 s).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

WINDOW = 100
"""Unacknowledged messages of a subscriber beyond which publishers wait."""
PAUSE_S = 0.002


class Handover(asyncio.Queue[Any]):
    """Makes `put` wait until the message was handled, that is, until the next one is requested.

    amqtt acknowledges after `put`, so an acknowledged message has been forwarded. Messages of QoS 0, which are not
    acknowledged, arrive by `put_nowait`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handling: asyncio.Future[None] | None = None

    async def put(self, item: Any) -> None:
        """Add a message and wait until it was handled."""
        handled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        super().put_nowait((item, handled))
        await handled

    def put_nowait(self, item: Any) -> None:
        """Add a message without waiting."""
        super().put_nowait((item, None))

    async def get(self) -> Any:
        """Return the next message; the one before it counts as handled."""
        if self._handling is not None and not self._handling.done():
            self._handling.set_result(None)
        item, self._handling = await super().get()
        return item


class Subscriptions(dict[str, list[Any]]):
    """Maps topic filters to subscribers; iteration runs over a copy.

    amqtt awaits while it iterates: a client that subscribes or leaves meanwhile would end the delivery of that message
    with "dictionary changed size during iteration".
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.keys()))

    def items(self) -> Any:
        """Return copies of the topic filters and their subscribers."""
        return [(topic_filter, list(subscribers)) for topic_filter, subscribers in super().items()]


class Admission(BaseAuthPlugin):  # type: ignore[misc]
    """Admits every client, and gives its session a `Handover` queue."""

    async def authenticate(self, *, session: Any) -> bool:
        """Accept a connection; called before its first message."""
        session.delivered_message_queue = Handover()
        return True


class Pacing(BaseTopicPlugin):  # type: ignore[misc]
    """Delays a publisher while a subscriber of the same topic lags behind.

    Subscribers are learned from deliveries. Publishers do not wait for readers of other topics: a program that reads
    one and writes another would wait for itself.
    """

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._readers: dict[str, dict[str, Any]] = {}

    async def topic_filtering(self, *, session: Any = None, topic: str | None = None, action: Any = None) -> bool:
        """Allow everything, publishing only after the topic's readers have caught up."""
        readers = self._readers.setdefault(topic or "", {})
        if action is not None and action.name == "RECEIVE":
            readers[session.client_id] = session
        while action is not None and action.name == "PUBLISH" and any(map(_is_behind, readers.values())):
            await asyncio.sleep(PAUSE_S)
        return True


def _is_behind(reader: Any) -> bool:
    return bool(reader.inflight_out_count > WINDOW)
