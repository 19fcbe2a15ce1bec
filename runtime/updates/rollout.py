"""Models on trial: run beside the one in charge, put in its place, and taken back where they are no good.

What must outlive the service stands beside the models: `serial`, and `trial` while there is one. What was counted so
far is part of the asset's snapshot.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from vcedge.config.runtime import RuntimeConfig
from vcedge.errors import DataError, VcedgeError
from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.recipes import loaded
from vcedge.runtime.assets.registry import Assets
from vcedge.runtime.assets.shadow import Twin
from vcedge.runtime.assets.trial import Trial, verdict
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.storage.model_store import ModelStore
from vcedge.runtime.updates.verify import Update

log = logging.getLogger("vcedge.updates")
MOST_STARTS = 3
"""Starts of the service in one phase of a trial before the new model is held responsible for them."""


class Trials:
    """Of one service, one for each asset at most."""

    def __init__(self, config: RuntimeConfig, assets: Assets, publisher: Publisher, save: Callable[[], None]) -> None:
        self._config, self._assets = config, assets
        self._publisher, self._save = publisher, save
        self._tried: dict[str, Watched] = {}
        """Assets with an update on trial."""

    def store(self, watched: Watched) -> ModelStore:
        """The models of an asset. Raises UsageError for a name that cannot be that of a folder."""
        return ModelStore(self._config.state_dir / "models", watched.origin.asset)

    def resume(self) -> None:
        """Go on with what was on trial when the service ended, and with what the snapshot counted."""
        for watched in self._assets:
            self._go_on(watched)

    def begin(self, watched: Watched, update: Update, digest: str) -> None:
        """Run an update, whose message had this digest, beside the model in charge. Raises VcedgeError or OSError."""
        store = self.store(watched)
        model = store.add(update.data)
        trial = Trial(self._twin(watched, store, model), model, update.statement.serial)
        _keep(store, trial)  # before the message counts as seen: after a crash it comes again
        try:
            store.write_note("serial", json.dumps({"serial": trial.serial, "seen": digest}))
        except OSError:
            store.delete_note("trial")
            raise
        self._start(watched, trial)

    def tick(self) -> None:
        """Decide what can be decided."""
        for watched in list(self._tried.values()):
            if watched.companions.trial is not None:
                self._decide(watched, watched.companions.trial)

    def tell(self, watched: Watched, state: str, reason: str, digest: str) -> None:
        """The outcome of an update: one event, one line in the log, and the retained state."""
        log.warning("%s: update %s: %s", watched.origin.asset, state, reason)
        self._publisher.model_event(watched, f"{state}: {reason}", digest)
        self.say(watched, state, reason)

    def say(self, watched: Watched, state: str, reason: str) -> None:
        """The retained state alone."""
        trial, store = watched.companions.trial, self.store(watched)
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

    @contextmanager
    def told(self, name: str) -> Iterator[None]:
        """A disk that fails ends no service: the log says so."""
        try:
            yield
        except OSError as error:
            log.error("%s: what becomes of the update cannot be kept: %s", name, error)

    def _go_on(self, watched: Watched) -> None:
        """With the trial of one asset, if there is one; without it where it was damaged."""
        try:
            store = self.store(watched)
            content = store.read_note("trial")
            if content is not None:
                self._resume(watched, store, json.loads(content))
        except (VcedgeError, OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s: the update on trial cannot go on: %s", watched.origin.asset, error)
            self._end(watched)

    def _start(self, watched: Watched, trial: Trial) -> None:
        """Run a trial from now on."""
        watched.companions.trial = trial
        self._tried[watched.origin.asset] = watched
        watched.settings.followers = watched.companions.streams
        self.say(watched, trial.phase, "")

    def _resume(self, watched: Watched, store: ModelStore, content: dict[str, Any]) -> None:
        digest, previous = str(content["digest"]), store.previous
        probation = content["phase"] == "probation" or store.current == digest
        if probation and (store.current != digest or previous is None):
            store.delete_note("trial")  # somebody rolled back by hand
            return
        twin = self._twin(watched, store, previous if probation and previous else digest)
        trial = Trial(twin, digest, int(content["serial"]), "probation" if probation else "shadow")
        trial.starts = int(content["starts"]) + 1
        watched.companions.continue_trial(trial)
        with self.told(watched.origin.asset):
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
                self.tell(watched, "refused", result, trial.digest)
            elif not (watched.stream.in_event or trial.twin.stream.in_event):
                with self.told(watched.origin.asset):
                    self._switch(watched, trial)
        elif result:
            self._roll_back(watched, trial, result)
        else:
            self._end(watched)
            self.say(watched, "in charge", "")

    def _switch(self, watched: Watched, trial: Trial) -> None:
        """The new model takes over; the one before goes on in its shadow."""
        store = self.store(watched)
        store.switch(trial.digest)  # first: what is in charge is what a restart finds
        after = Trial(self._exchange(watched, trial.twin), trial.digest, trial.serial, "probation")
        self._start(watched, after)
        self.tell(watched, "probation", "in charge after its time in the shadow", trial.digest)
        _keep(store, after)

    def _roll_back(self, watched: Watched, trial: Trial, reason: str) -> None:
        """The model before takes over again, whether the disk takes that or not."""
        self._exchange(watched, trial.twin)
        with self.told(watched.origin.asset):
            self.store(watched).roll_back()
        self._end(watched)
        self.tell(watched, "rolled back", reason, trial.digest)

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
        with self.told(watched.origin.asset):
            store = self.store(watched)
            store.delete_note("trial")
            store.prune()

    def _twin(self, watched: Watched, store: ModelStore, digest: str) -> Twin:
        """A kept model, ready to follow. Raises VcedgeError for one that cannot run here."""
        asset = self._config.assets[watched.origin.asset]
        recipe = loaded(store.path(digest), asset.engine, f"engine of {watched.origin.asset}")
        stream = watched.new_stream(recipe.engine)
        stream.operation.inhibit(watched.stream.operation.until_ns)
        return Twin(stream, recipe.model, 1)


def last_taken(store: ModelStore) -> tuple[int | None, str]:
    """Serial and digest of the last message that was taken. Raises DataError where that is not known any more."""
    try:
        text = store.read_note("serial")
        if text is None:
            return None, ""
        content = json.loads(text)
        return int(content["serial"]), str(content["seen"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{store.folder / 'serial'}: is damaged, so that nothing is known to be newer") from None


def _keep(store: ModelStore, trial: Trial) -> None:
    """Put a trial on the medium: a restart goes on with it."""
    content = {"digest": trial.digest, "serial": trial.serial, "phase": trial.phase, "starts": trial.starts}
    store.write_note("trial", json.dumps(content))


def _shown_serial(store: ModelStore) -> int | None:
    try:
        return last_taken(store)[0]
    except DataError:
        return None
