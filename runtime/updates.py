"""Updates of models while the service runs: taken, tried, put in charge, and taken back where they are no good."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vcedge.config.runtime import RuntimeConfig
from vcedge.errors import DataError, ModelFileError, Unavailable, VcedgeError
from vcedge.runtime.assets import Assets, Watched
from vcedge.runtime.companions import Trial
from vcedge.runtime.mailbox import Incoming, Taken
from vcedge.runtime.model_store import ModelStore
from vcedge.runtime.publisher import Publisher
from vcedge.runtime.recipes import loaded
from vcedge.runtime.trial import verdict
from vcedge.runtime.twin import Twin
from vcedge.runtime.update import examine
from vcedge.signature import PublicKey, public_key
from vcedge.topics import OutputTopics

log = logging.getLogger("vcedge.updates")
LOOK_S = 1.0
"""How often the folder of updates is looked at."""
MOST_STARTS = 3
"""Starts of the service in one phase of a trial before the new model is held responsible for them."""
MAX_BYTES = 64 << 20
"""Of a file that is looked at; a model is well under a megabyte."""


class Updates:
    """Of one service. What must outlive it stands beside the models: `serial`, and `trial` while there is one."""

    def __init__(
        self,
        config: RuntimeConfig,
        outputs: OutputTopics,
        assets: Assets,
        publisher: Publisher,
        save: Callable[[], None],
    ) -> None:
        """Raises InputNotFound or ConfigError for a key that cannot be used."""
        self._config, self._outputs, self._assets = config, outputs, assets
        self._publisher, self._save = publisher, save
        self._key: PublicKey | None = None if config.update is None else public_key(config.update.key)
        self._folder = config.state_dir / "updates"
        self._looked_s = 0.0
        self._tried: dict[str, Watched] = {}
        """Assets with an update on trial."""
        self._refused: dict[str, str] = {}
        """Digest of the last message of each asset that was refused: the broker delivers retained ones again."""

    def resume(self) -> None:
        """Go on with what was on trial when the service ended; its counts begin anew."""
        for watched in self._assets if self._config.update is not None else ():
            self._go_on(watched)

    def _go_on(self, watched: Watched) -> None:
        """With the trial of one asset, if there is one; without it where it was damaged."""
        try:
            store = self._store(watched)
            content = store.note("trial")
            if content is not None:
                self._resume(watched, store, json.loads(content))
        except (VcedgeError, OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s: the update on trial cannot go on: %s", watched.origin.asset, error)
            self._end(watched)

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
        self._offer(watched, message.payload)
        return Taken.USED

    def tick(self, now_s: float) -> None:
        """Look for files, and decide what is on trial."""
        if self._config.update is None:
            return
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            with self._told("updates"):
                for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
                    with self._told(path.name):
                        self._look(path)
        for watched in list(self._tried.values()):
            if watched.companions.trial is not None:
                self._decide(watched, watched.companions.trial)

    def _look(self, path: Path) -> None:
        """A file `updates/ASSET` is an update, like a message; it is removed once it was taken or refused."""
        watched = None if path.name.startswith(".") else self._assets.find(path.name)
        if watched is None or path.is_symlink() or not path.is_file():
            return
        with path.open("rb") as file:
            payload, read = file.read(MAX_BYTES), os.fstat(file.fileno())
        self._offer(watched, payload)
        if os.path.samestat(read, path.stat()):  # else it is the next one already
            path.unlink()

    def _offer(self, watched: Watched, message: bytes) -> None:
        """Begin to try an update, or refuse it with one event. The same message again is nothing new."""
        name, digest = watched.origin.asset, hashlib.sha256(message).hexdigest()
        if digest == self._refused.get(name):
            return
        try:
            store = self._store(watched)
            serial, seen = _last(store)
            if digest != seen:
                self._begin(watched, store, message, digest, serial)
        except (VcedgeError, OSError) as error:
            if not isinstance(error, Unavailable):  # which passes: the same message may be taken later
                self._refused[name] = digest
            self._tell(watched, "refused", str(error))

    def _begin(self, watched: Watched, store: ModelStore, message: bytes, digest: str, serial: int | None) -> None:
        config = self._config.update
        if config is None or self._key is None:
            raise ModelFileError("the configuration names no update.key, so that no signature can be trusted")
        name, trial = watched.origin.asset, watched.companions.trial
        asset = self._config.assets.get(name)
        if asset is None or asset.model != store.folder / "current":
            raise ModelFileError(f"the configured model of {name} is not {store.folder / 'current'}, which is switched")
        if trial is not None and trial.phase == "probation":
            raise Unavailable("the update before it is still on probation")
        detector = watched.stream.detector
        update = examine(message, self._key, detector.asset, detector.schema, serial)
        model = store.add(update.data)
        trial = Trial(self._twin(watched, store, model), model, update.statement.serial)
        _keep(store, trial)  # before the message counts as seen: after a crash it comes again
        try:
            store.write("serial", json.dumps({"serial": trial.serial, "seen": digest}))
        except OSError:
            store.forget("trial")
            raise
        self._start(watched, trial)

    def _start(self, watched: Watched, trial: Trial) -> None:
        """Run a trial from now on."""
        watched.companions.trial = trial
        self._tried[watched.origin.asset] = watched
        watched.settings.followers = watched.companions.streams
        self._say(watched, "shadow" if trial.phase == "shadow" else "probation", "")

    def _resume(self, watched: Watched, store: ModelStore, content: dict[str, Any]) -> None:
        digest, previous = str(content["digest"]), store.previous
        probation = content["phase"] == "probation" or store.current == digest
        if probation and (store.current != digest or previous is None):
            store.forget("trial")  # somebody rolled back by hand
            return
        twin = self._twin(watched, store, previous if probation and previous else digest)
        trial = Trial(twin, digest, int(content["serial"]), "probation" if probation else "shadow")
        trial.starts = int(content["starts"]) + 1
        with self._told(watched.origin.asset):
            _keep(store, trial)
        self._start(watched, trial)
        if trial.starts > MOST_STARTS:
            trial.failure = f"the service was started {trial.starts} times with it"
            self._decide(watched, trial)

    def _decide(self, watched: Watched, trial: Trial) -> None:
        config = self._config.update
        assert config is not None, "there is no trial without"
        result = trial.failure or verdict(config, trial.phase, trial.twin.agreement.memory)
        if result is None:
            return
        if trial.phase == "shadow":
            if result:
                self._end(watched)
                self._tell(watched, "refused", result)
            elif not (watched.stream.in_event or trial.twin.stream.in_event):
                with self._told(watched.origin.asset):
                    self._switch(watched, trial)
        elif result:
            self._roll_back(watched, trial, result)
        else:
            self._end(watched)
            self._say(watched, "in charge", "")

    def _switch(self, watched: Watched, trial: Trial) -> None:
        """The new model takes over; the one before goes on in its shadow."""
        store = self._store(watched)
        store.switch(trial.digest)  # first: what is in charge is what a restart finds
        after = Trial(self._exchange(watched, trial.twin), trial.digest, trial.serial, "probation")
        self._start(watched, after)
        self._tell(watched, "probation", "in charge after its time in the shadow")
        _keep(store, after)

    def _roll_back(self, watched: Watched, trial: Trial, reason: str) -> None:
        """The model before takes over again, whether the disk takes that or not."""
        self._exchange(watched, trial.twin)
        with self._told(watched.origin.asset):
            self._store(watched).roll_back()
        self._end(watched)
        self._tell(watched, "rolled back", reason)

    def _exchange(self, watched: Watched, twin: Twin) -> Twin:
        """Put a twin's model in charge; what was in charge, as a twin."""
        before = Twin(watched.stream, watched.origin.model, 1)
        watched.take_over(twin.stream, twin.model)
        self._save()
        self._publisher.begin(watched, time.monotonic())
        return before

    def _end(self, watched: Watched) -> None:
        watched.companions.trial = None
        self._tried.pop(watched.origin.asset, None)
        watched.settings.followers = watched.companions.streams
        with self._told(watched.origin.asset):
            store = self._store(watched)
            store.forget("trial")
            store.prune()

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """A disk that fails ends no service: the log says so."""
        try:
            yield
        except OSError as error:
            log.error("%s: what becomes of the update cannot be kept: %s", name, error)

    def _twin(self, watched: Watched, store: ModelStore, digest: str) -> Twin:
        """A kept model, ready to follow. Raises VcedgeError for one that cannot run here."""
        asset = self._config.assets[watched.origin.asset]
        recipe = loaded(store.path(digest), asset.engine, f"engine of {watched.origin.asset}")
        stream = watched.new_stream(recipe.engine)
        stream.operation.inhibit(watched.stream.operation.until_ns)
        return Twin(stream, recipe.model, 1)

    def _store(self, watched: Watched) -> ModelStore:
        return ModelStore(self._config.state_dir / "models", watched.origin.asset)

    def _tell(self, watched: Watched, state: str, reason: str) -> None:
        """The outcome of an update: one event, one line in the log, and the retained state."""
        log.warning("%s: update %s: %s", watched.origin.asset, state, reason)
        self._publisher.model_event(watched, f"{state}: {reason}")
        self._say(watched, state, reason)

    def _say(self, watched: Watched, state: str, reason: str) -> None:
        trial, store = watched.companions.trial, self._store(watched)
        self._publisher.model(
            watched,
            {
                "state": state,
                "reason": reason,
                "current": store.current,
                "previous": store.previous,
                "on_trial": None if trial is None else trial.digest,
                "serial": _shown_serial(store),
            },
        )


def _keep(store: ModelStore, trial: Trial) -> None:
    """Put a trial on the medium: a restart goes on with it."""
    content = {"digest": trial.digest, "serial": trial.serial, "phase": trial.phase, "starts": trial.starts}
    store.write("trial", json.dumps(content))


def _last(store: ModelStore) -> tuple[int | None, str]:
    """Serial and digest of the last message that was taken. Raises DataError where that is not known any more."""
    try:
        text = store.note("serial")
        if text is None:
            return None, ""
        content = json.loads(text)
        return int(content["serial"]), str(content["seen"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{store.folder / 'serial'}: is damaged, so that nothing is known to be newer") from None


def _shown_serial(store: ModelStore) -> int | None:
    try:
        return _last(store)[0]
    except DataError:
        return None
