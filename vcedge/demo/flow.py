"""Flow control for amqtt, which has none: plug-ins with which nothing is lost, however fast a recording is replayed.

amqtt acknowledges a message before it passes it on, and forgets it when its sender disconnects. It sends to a
subscriber without limit, so that acknowledgements wait behind thousands of messages until it gives up on them (5 s).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

WINDOW = 100
"""Messages that a subscriber may have to acknowledge before others' publications wait."""
PAUSE_S = 0.002


class Handover(asyncio.Queue[Any]):
    """A queue whose `put` returns when the message was handled, which is when the next one is asked for.

    amqtt acknowledges after `put`: so a sender knows that what is acknowledged is on its way. Messages of QoS 0, which
    nobody acknowledges, come by `put_nowait`.
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
        """Add a message that nobody waits for."""
        super().put_nowait((item, None))

    async def get(self) -> Any:
        """The next message; the one before it was handled."""
        if self._handling is not None and not self._handling.done():
            self._handling.set_result(None)
        item, self._handling = await super().get()
        return item


class Subscriptions(dict[str, list[Any]]):
    """Who subscribed to what, gone through as it stands at the start.

    amqtt awaits while it goes through them: a program that subscribes or leaves meanwhile would end the delivery of
    that message with "dictionary changed size during iteration".
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(self.keys()))

    def items(self) -> Any:
        """Topic filters with their subscribers, both copied."""
        return [(topic_filter, list(subscribers)) for topic_filter, subscribers in super().items()]


class Admission(BaseAuthPlugin):  # type: ignore[misc]
    """Admits everybody, with a queue that hands over."""

    async def authenticate(self, *, session: Any) -> bool:
        """Called before the first message of a connection."""
        session.delivered_message_queue = Handover()
        return True


class Pacing(BaseTopicPlugin):  # type: ignore[misc]
    """Lets a sender wait while somebody who reads the same topic is behind.

    Who reads what is seen from what is delivered. Nobody waits for readers of other topics: a program that reads one
    and writes another would wait for itself.
    """

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._readers: dict[str, dict[str, Any]] = {}

    async def topic_filtering(self, *, session: Any = None, topic: str | None = None, action: Any = None) -> bool:
        """Everything is allowed; publishing, in its time."""
        readers = self._readers.setdefault(topic or "", {})
        if action is not None and action.name == "RECEIVE":
            readers[session.client_id] = session
        while action is not None and action.name == "PUBLISH" and any(map(_is_behind, readers.values())):
            await asyncio.sleep(PAUSE_S)
        return True


def _is_behind(reader: Any) -> bool:
    return bool(reader.inflight_out_count > WINDOW)
