"""Rolls updates out: a new model runs beside the one in charge, takes its place, and is rolled back if it fails.

The notes `serial` and `trial` beside the models outlive the service; what a trial has counted is part of the asset's
snapshot.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from vcedge.config.runtime import RuntimeConfig
from vcedge.errors import DataError, VcedgeError
from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.recipes import recipe_of
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.assets.shadow import Shadow
from vcedge.runtime.assets.trial import Trial, assess
from vcedge.runtime.exported.artifact import Artifact, read_artifact
from vcedge.runtime.publishing.publisher import Publisher
from vcedge.runtime.storage.model_store import ModelStore
from vcedge.runtime.updates.verify import Update

log = logging.getLogger("vcedge.updates")
MOST_STARTS = 3
"""Most starts of the service in one phase of a trial; one more, and the new model counts as their cause."""


class Rollout:
    """Runs the trials of a service, one for each asset at most."""

    def __init__(self, config: RuntimeConfig, assets: AssetRegistry, publisher: Publisher) -> None:
        self._config, self._assets, self._publisher = config, assets, publisher
        self._on_trial: dict[str, Asset] = {}
        """Assets with an update on trial."""

    def store(self, asset: Asset) -> ModelStore:
        """Return the models of an asset. Raises UsageError for a name that no folder can have."""
        return ModelStore(self._config.state_dir / "models", asset.name)

    def resume(self) -> bool:
        """Continue the trials of the last run; return whether a model was rolled back."""
        return True in [self._resume_asset(asset) for asset in self._assets]

    def begin(self, asset: Asset, update: Update, digest: str) -> None:
        """Run an update, whose message had this digest, beside the model in charge. Raises VcedgeError or OSError."""
        store = self.store(asset)
        model = store.add(update.data)
        artifact = Artifact(str(store.path(model)), update.data, update.detector, update.data)
        trial = Trial(self._shadow(asset, artifact), model)
        _save(store, trial)  # before the note `serial`: after a crash in between, the update is delivered again
        try:
            store.write_note("serial", json.dumps({"serial": update.statement.serial, "seen": digest}))
        except OSError:
            store.delete_note("trial")
            raise
        self._start(asset, trial)

    def tick(self) -> bool:
        """Decide the trials that have enough evidence; return whether a model took over."""
        return True in [self._decide(asset) for asset in list(self._on_trial.values())]

    def conclude(self, asset: Asset, state: str, reason: str, digest: str) -> None:
        """Report the outcome of an update by an event, a line in the log, and the retained state."""
        log.warning("%s: update %s: %s", asset.name, state, reason)
        self._publisher.model_event(asset, f"{state}: {reason}", digest)
        self.publish_state(asset, state, reason)

    def publish_state(self, asset: Asset, state: str, reason: str) -> None:
        """Publish the retained state of the update, without an event."""
        trial, store = asset.companions.trial, self.store(asset)
        values = {"state": state, "reason": reason, "current": store.current, "previous": store.previous}
        values |= {"on_trial": None if trial is None else trial.digest}
        self._publisher.model(asset, {**values, "serial": last_known(store)[0]})

    def _resume_asset(self, asset: Asset) -> bool:
        """Continue the trial of one asset, if there is one; end it if its note or model is damaged."""
        try:
            store = self.store(asset)
            content = store.read_note("trial")
            return content is not None and self._resume_trial(asset, store, json.loads(content))
        except (VcedgeError, OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s: the update on trial cannot be continued: %s", asset.name, error)
            self._end(asset)
            return False

    def _resume_trial(self, asset: Asset, store: ModelStore, content: dict[str, Any]) -> bool:
        digest, previous = str(content["digest"]), store.previous
        probation = content["phase"] == "probation" or store.current == digest
        if probation and (store.current != digest or previous is None):
            store.delete_note("trial")  # rolled back by hand
            return False
        path = store.path(previous if probation and previous else digest)
        trial = Trial(self._shadow(asset, read_artifact(path)), digest, "probation" if probation else "shadow")
        trial.starts = int(content["starts"]) + 1
        asset.companions.continue_trial(trial)
        with log_disk_errors(asset.name):
            _save(store, trial)
        self._start(asset, trial)
        if trial.starts <= MOST_STARTS:
            return False
        trial.failure = f"the service was started {trial.starts} times with it"
        return self._decide(asset)

    def _start(self, asset: Asset, trial: Trial) -> None:
        asset.companions.trial = trial
        self._on_trial[asset.name] = asset
        self.publish_state(asset, trial.phase, "")

    def _decide(self, asset: Asset) -> bool:
        """Decide the trial of an asset, if it has enough evidence; return whether another model took over."""
        trial, config = asset.companions.trial, self._config.update
        if trial is None:
            return False
        assert config is not None, "a trial needs the section `update`"
        fault = trial.failure or assess(config, trial.phase, trial.shadow.agreement.state)
        if fault is None:
            return False
        if trial.phase == "shadow":
            return self._refuse(asset, trial, fault) if fault else self._switch(asset, trial)
        if fault:
            return self._roll_back(asset, trial, fault)
        self._end(asset)
        self.publish_state(asset, "in charge", "")
        return False

    def _refuse(self, asset: Asset, trial: Trial, reason: str) -> bool:
        self._end(asset)
        self.conclude(asset, "refused", reason, trial.digest)
        return False

    def _switch(self, asset: Asset, trial: Trial) -> bool:
        """Put the new model in charge once no event is open; the one before it becomes its shadow."""
        if asset.stream.in_event or trial.shadow.stream.in_event:
            return False
        with log_disk_errors(asset.name):
            store = self.store(asset)
            store.switch(trial.digest)  # first: after a crash the link says which model is in charge
            after = Trial(self._exchange(asset, trial.shadow), trial.digest, "probation")
            self._start(asset, after)
            self.conclude(asset, "probation", "in charge after its time in the shadow", trial.digest)
            _save(store, after)
        return asset.companions.trial is not trial

    def _roll_back(self, asset: Asset, trial: Trial, reason: str) -> bool:
        """Put the previous model in charge again, even if the disk fails."""
        self._exchange(asset, trial.shadow)
        with log_disk_errors(asset.name):
            self.store(asset).roll_back()
        self._end(asset)
        self.conclude(asset, "rolled back", reason, trial.digest)
        return True

    def _exchange(self, asset: Asset, shadow: Shadow) -> Shadow:
        """Put a shadow's model in charge; return the model that was in charge as a shadow."""
        before = Shadow(asset.stream, asset.origin.model, 1)
        asset.take_over(shadow.stream, shadow.model)
        self._publisher.retained_states(asset, time.monotonic())
        return before

    def _end(self, asset: Asset) -> None:
        asset.companions.trial = None
        self._on_trial.pop(asset.name, None)
        with log_disk_errors(asset.name):
            store = self.store(asset)
            store.delete_note("trial")
            store.prune()

    def _shadow(self, asset: Asset, artifact: Artifact) -> Shadow:
        """Return a shadow that runs a model on the asset's samples. Raises VcedgeError if the model cannot run here."""
        engine = self._config.assets[asset.name].engine
        recipe = recipe_of(artifact, engine, f"engine of {asset.name}")
        stream = asset.new_stream(recipe.engine)
        stream.inhibition.inhibit(asset.stream.inhibition.until_ns)
        return Shadow(stream, recipe.model, 1)


@contextmanager
def log_disk_errors(name: str) -> Iterator[None]:
    """Log an OSError instead of raising it: a disk that fails must not end the service."""
    try:
        yield
    except OSError as error:
        log.error("%s: the progress of the update cannot be saved: %s", name, error)


def last_accepted(store: ModelStore) -> tuple[int | None, str]:
    """Return the serial and the message digest of the last accepted update. Raises DataError for a damaged note."""
    try:
        text = store.read_note("serial")
        if text is None:
            return None, ""
        content = json.loads(text)
        return int(content["serial"]), str(content["seen"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{store.folder / 'serial'}: is damaged, so that no update can be shown to be newer") from None


def _save(store: ModelStore, trial: Trial) -> None:
    """Write the note of a trial, so that a restart continues it."""
    store.write_note("trial", json.dumps({"digest": trial.digest, "phase": trial.phase, "starts": trial.starts}))


def last_known(store: ModelStore) -> tuple[int | None, str]:
    """Return the same as `last_accepted`, or nothing where the note is damaged."""
    try:
        return last_accepted(store)
    except DataError:
        return None, ""
