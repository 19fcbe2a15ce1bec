"""Live control: messages on the `set` topics change the settings of an asset, or are refused with a reason."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.assets.settings import Kind, Refused, Setting, kind_of, parse_setting
from vcedge.runtime.monitoring.counters import Counters
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.topics import OutputTopics

log = logging.getLogger("vcedge.control")


class Control:
    """Takes the messages of the `set` topics. `save` is called where a setting changed: a restart must keep it."""

    def __init__(
        self,
        outputs: OutputTopics,
        assets: Assets,
        counters: Counters,
        publisher: Publisher,
        letters: DeadLetters,
        save: Callable[[], None],
    ) -> None:
        self._outputs = outputs
        self._assets = assets
        self._counters = counters
        self._publisher = publisher
        self._letters = letters
        self._save = save

    def take(self, message: Incoming) -> Taken:
        """Change a setting and say so, if the message is of such a topic.

        An empty message changes nothing: it is how a retained one is removed from a broker.
        """
        found = self._outputs.setting_of(message.topic)
        if found is None:
            return Taken.NOT
        name, word = found
        if not message.payload:
            return Taken.REFUSED
        kind = None
        try:
            kind = kind_of(word)
            self._set(message, name, kind, parse_setting(kind, message.payload))
        except Refused as reason:
            self._refuse(message, name, kind, str(reason))
            return Taken.REFUSED
        return Taken.USED

    def _set(self, message: Incoming, name: str, kind: Kind, setting: Setting) -> None:
        """An asset that a pattern covers need not have been heard yet: this is the first that is heard of it.

        What the broker kept from before is a default: it must not undo what was set since.
        """
        watched = self._assets.find(name)
        if watched is None:
            raise Refused(self._assets.why_not(name))
        if watched.anomaly is None:
            self._publisher.begin(watched, time.monotonic())
        outdated = message.retained and kind in watched.settings
        if not outdated and watched.settings.set(kind, setting):
            watched.touch()
            self._save()
            self._counters.settings += 1
            said = message.payload.decode()
            log.info("%s: %s set to %s", name, kind, said, extra=about(id=message.id, asset=name))
        self._publisher.setting(watched, kind)

    def _refuse(self, message: Incoming, name: str, kind: Kind | None, reason: str) -> None:
        self._letters.refuse(message, "setting", reason, name if self._assets.known(name) else "")
        watched = self._assets.known(name)
        if watched is not None and kind is not None:
            self._publisher.setting(watched, kind, reason)
