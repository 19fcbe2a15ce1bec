"""Updates of models as they arrive, by message or by file: looked at, and then tried (`trials`) or refused."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from pathlib import Path

from vcedge.config.runtime import RuntimeConfig
from vcedge.errors import ConfigError, DataError, ModelFileError, VcedgeError
from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.mqtt.inbox import Incoming, Taken
from vcedge.runtime.storage.model_store import ModelStore
from vcedge.runtime.updates.pending import Offer, Offers, Refusal
from vcedge.runtime.updates.rollout import Trials, last_taken
from vcedge.runtime.updates.verify import Update, examine
from vcedge.signature import PublicKey, channels_of, public_key
from vcedge.topics import OutputTopics

log = logging.getLogger("vcedge.updates")
LOOK_S = 1.0
"""How often the folder of updates is looked at."""
MAX_BYTES = 64 << 20
"""Of a file that is looked at; a model is well under a megabyte."""
REFUSED = "refused"
"""The note beside the models of what was refused, so that a restart does not tell of it again."""


class _NeverError(ModelFileError):
    """The update itself is no good, whatever else changes."""


class Updates:
    """Of one service."""

    def __init__(self, config: RuntimeConfig, outputs: OutputTopics, assets: Assets, trials: Trials) -> None:
        """Raises InputNotFound or ConfigError for a key that cannot be used."""
        self._config, self._outputs, self._assets, self._trials = config, outputs, assets, trials
        self._key: PublicKey | None = None
        self._signer = ""
        """Digest of the key's file: by another key other updates are good."""
        if config.update is not None:
            self._key = public_key(config.update.key)
            self._signer = hashlib.sha256(config.update.key.read_bytes()).hexdigest()
        self._folder = config.state_dir / "updates"
        self._looked_s = 0.0
        self._offers: dict[str, Offers] = {}

    def resume(self) -> None:
        """Go on where the service ended."""
        if self._config.update is not None:
            self._trials.resume()

    def take(self, message: Incoming) -> Taken:
        """Take an update from its topic."""
        found = self._outputs.setting_of(message.topic)
        if found is None or found[1] != "model":
            return Taken.NOT
        watched = self._assets.find(found[0])
        if watched is None:
            log.warning("an update for %s, which the configuration does not have", found[0])
        if watched is None or not message.payload:
            return Taken.REFUSED
        return Taken.USED if self._put(watched, message.payload, time.monotonic()) else Taken.REFUSED

    def tick(self, now_s: float) -> None:
        """Look for files and at what waits, and decide what is on trial."""
        if self._config.update is not None and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            with self._trials.told("updates"):
                for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
                    with self._trials.told(path.name):
                        self._look(path, now_s)
        self._trials.tick()
        for name, offers in self._offers.items():
            if offers.waiting is not None and (watched := self._assets.known(name)) is not None:
                self._next(watched, offers, now_s)

    def _look(self, path: Path, now_s: float) -> None:
        """A file `updates/ASSET` is an update, like a message; it is removed once it was taken or refused."""
        watched = None if path.name.startswith(".") else self._assets.find(path.name)
        if watched is None or path.is_symlink() or not path.is_file():
            return
        if _on_probation(watched) or not self._of(watched).due(now_s):
            return  # it can wait where it is
        with path.open("rb") as file:
            payload, read = file.read(MAX_BYTES), os.fstat(file.fileno())
        self._put(watched, payload, now_s)
        if os.path.samestat(read, path.stat()):  # else it is the next one already
            path.unlink()

    def _of(self, watched: Watched) -> Offers:
        name = watched.origin.asset
        if name not in self._offers:
            self._offers[name] = Offers()
            self._offers[name].refused = self._remembered(watched)
        return self._offers[name]

    def _put(self, watched: Watched, message: bytes, now_s: float) -> bool:
        """Whether it is new. The same message again is answered where it was refused, and is no event."""
        offers, store = self._of(watched), self._trials.store(watched)
        offer = Offer(hashlib.sha256(message).hexdigest(), message)
        if offer.digest in offers.refused:
            if offers.answers(now_s):
                self._trials.say(watched, "refused", offers.refused[offer.digest].reason)
            return False
        if offer.digest == _seen(store):
            return False
        if watched.origin.asset not in self._config.assets:
            offer = Offer(offer.digest, b"")  # it will be refused: nothing of it needs to be kept until then
        offers.put(offer)
        self._next(watched, offers, now_s)
        if offers.waiting is not None and _on_probation(watched) and offers.answers(now_s):
            self._trials.say(watched, "probation", "another update waits for the end of it")
        return True

    def _next(self, watched: Watched, offers: Offers, now_s: float) -> None:
        """Look at what waits, if it is time for that."""
        if _on_probation(watched) or not offers.due(now_s):
            return
        if offers.overtaken:
            log.warning("%s: %d updates were overtaken unread by later ones", watched.origin.asset, offers.overtaken)
        offer = offers.take()
        if offer is not None:
            self._judge(watched, offers, offer)

    def _judge(self, watched: Watched, offers: Offers, offer: Offer) -> None:
        """Begin to try an update, or refuse it with one event."""
        try:
            self._check_configured(watched)
            serial, _ = last_taken(self._trials.store(watched))
            self._trials.begin(watched, self._examined(watched, offer, serial), offer.digest)
        except _NeverError as error:
            offers.refuse(offer, Refusal(str(error), lasting=True))
            self._remember(watched, offers)
            self._trials.tell(watched, "refused", str(error), offer.digest)
        except VcedgeError as error:
            offers.refuse(offer, Refusal(str(error), lasting=False))
            self._trials.tell(watched, "refused", str(error), offer.digest)
        except OSError as error:  # which may pass: the same message may be taken later
            self._trials.tell(watched, "refused", str(error), offer.digest)

    def _check_configured(self, watched: Watched) -> None:
        """Raises ConfigError where no model of the asset can be replaced, whatever was signed."""
        name, current = watched.origin.asset, self._trials.store(watched).folder / "current"
        if self._key is None:
            raise ConfigError("the configuration names no update.key, so that no signature can be trusted")
        asset = self._config.assets.get(name)
        if asset is None:
            raise ConfigError(
                f"{name} has no entry of its own under assets, only a pattern, whose model all its machines share: "
                f"add '{name}: {{model: {current}}}'"
            )
        if asset.model != current:
            raise ConfigError(f"the configured model of {name} is not {current}, which is switched")

    def _examined(self, watched: Watched, offer: Offer, serial: int | None) -> Update:
        assert self._key is not None, "else the configuration is refused"
        detector = watched.stream.detector
        try:
            return examine(offer.message, self._key, detector.asset, detector.schema, serial)
        except ModelFileError as error:
            raise _NeverError(str(error)) from None

    def _context(self, watched: Watched) -> str:
        """What a lasting refusal is about: with another key, or for other channels, the same update may be good."""
        detector = watched.stream.detector
        return f"{self._signer} {detector.asset} {json.dumps(channels_of(detector.schema))}"

    def _remember(self, watched: Watched, offers: Offers) -> None:
        """No more writing than looks are allowed."""
        lasting = {digest: refusal.reason for digest, refusal in offers.refused.items() if refusal.lasting}
        with self._trials.told(watched.origin.asset):
            text = json.dumps({"by": self._context(watched), "updates": lasting})
            self._trials.store(watched).write_note(REFUSED, text)

    def _remembered(self, watched: Watched) -> dict[str, Refusal]:
        try:
            content = json.loads(self._trials.store(watched).read_note(REFUSED) or "{}")
            if content.get("by") != self._context(watched):
                return {}
            return {str(digest): Refusal(str(reason), True) for digest, reason in content["updates"].items()}
        except (OSError, ValueError, AttributeError, KeyError):
            return {}  # it is damaged: what comes again is told again


def _on_probation(watched: Watched) -> bool:
    """Whether the update before is not decided yet: the next one waits for that."""
    trial = watched.companions.trial
    return trial is not None and trial.phase == "probation"


def _seen(store: ModelStore) -> str:
    """Digest of the last message that was taken."""
    try:
        return last_taken(store)[1]
    except DataError:
        return ""
