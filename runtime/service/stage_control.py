"""Messages on the topics `stage/set`: an asset is moved to another stage of compute, or held where it is."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pydantic import Field, ValidationError

from vcedge.config.problems import explain
from vcedge.config.strict import Strict
from vcedge.errors import DataError, first_line
from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.assets.settings import MAX_PAYLOAD
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.publishing.dead_letters import DeadLetters
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.strict_json import parse_json
from vcedge.topics import OutputTopics

log = logging.getLogger("vcedge.stages")


class StageSetting(Strict):
    """What a message says; what it leaves out takes its default."""

    stage: int | None = Field(default=None, ge=0)
    """Counted from 0; absent: the present one."""
    hold: bool = False


class StageControl:
    """Of one service. `save` is called where something changed: a restart must keep it."""

    def __init__(
        self,
        outputs: OutputTopics,
        assets: Assets,
        publisher: Publisher,
        letters: DeadLetters,
        save: Callable[[], None],
    ) -> None:
        self._outputs, self._assets, self._publisher = outputs, assets, publisher
        self._letters, self._save = letters, save

    def take(self, message: Incoming) -> Taken:
        """Move an asset. What the broker retained is of the past."""
        found = self._outputs.setting_of(message.topic)
        if found is None or found[1] != "stage":
            return Taken.NOT
        watched = self._assets.find(found[0])
        if watched is None or not message.payload or message.retained:
            return Taken.REFUSED
        return Taken.USED if self._move(watched, message) else Taken.REFUSED

    def _move(self, watched: Watched, message: Incoming) -> bool:
        """Whether it was moved."""
        stages = watched.companions.stages
        if stages is None:
            self._letters.refuse(message, "setting", "the configuration has no stages for it", watched.origin.asset)
            return False
        try:
            setting = _parsed(message.payload)
            stages.move(setting.stage, setting.hold)
        except ValueError as error:
            self._letters.refuse(message, "setting", str(error), watched.origin.asset)
            self._publisher.stage(watched, str(error))
            return False
        watched.touch()
        self._save()
        log.info("%s: stage %d, hold %s", watched.origin.asset, stages.memory.stage, stages.memory.hold)
        self._publisher.stage(watched)
        return True


def _parsed(payload: bytes) -> StageSetting:
    """Raises ValueError with the reason."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes, expected at most {MAX_PAYLOAD}")
    try:
        raw = parse_json(payload.decode("utf-8"), "stage", "the message")
        return StageSetting.model_validate(raw, strict=True)
    except ValidationError as error:
        raise ValueError(first_line(explain(error, StageSetting, raw, lambda _: "stage"))) from None
    except (DataError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
