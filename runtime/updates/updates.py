"""Receives updates of models, by message or by file, examines each, and puts it on trial or refuses it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import defaultdict
from pathlib import Path

from vcedge.config.runtime import RuntimeConfig
from vcedge.errors import ConfigError, ModelFileError, VcedgeError
from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.updates.pending import PendingUpdate, PendingUpdates
from vcedge.runtime.updates.refusals import Refusals
from vcedge.runtime.updates.rollout import Rollout, last_accepted, last_known, log_disk_errors
from vcedge.runtime.updates.verify import Update, examine
from vcedge.signature import PublicKey, channels_of, load_public_key

log = logging.getLogger("vcedge.updates")
LOOK_S = 1.0
"""How often the folder of updates is checked."""
MAX_BYTES = 64 << 20
"""Size limit of a file; a model is well under a megabyte."""


class _FaultyUpdateError(ModelFileError):
    """Says that the update itself is faulty: nothing on the device can change that."""


class Updates:
    """Receives the updates of all assets of a service."""

    def __init__(self, config: RuntimeConfig, assets: AssetRegistry, rollout: Rollout) -> None:
        """Read the public key. Raises InputNotFound or ConfigError for a key that cannot be used."""
        self._config, self._assets, self._rollout = config, assets, rollout
        self._key: PublicKey | None = None
        self._signer = ""
        """Digest of the key's file."""
        if config.update is not None:
            self._key = load_public_key(config.update.key)
            self._signer = hashlib.sha256(config.update.key.read_bytes()).hexdigest()
        self._folder = config.state_dir / "updates"
        self._looked_s = 0.0
        self._pending: defaultdict[str, PendingUpdates] = defaultdict(PendingUpdates)
        self._refusals: dict[str, Refusals] = {}

    def resume(self) -> bool:
        """Continue the trials of the last run; return whether a model was rolled back."""
        return self._config.update is not None and self._rollout.resume()

    def handle(self, message: Incoming) -> bool:
        """Receive an update from its topic; return whether it is a new one."""
        name = message.address.asset
        asset = self._assets.find(name)
        if asset is None:
            log.warning("update for %s ignored: the configuration has no such asset", name)
        return asset is not None and bool(message.payload) and self._put(asset, message.payload, time.monotonic())

    def tick(self, now_s: float) -> bool:
        """Check the folder, decide trials and examine pending updates; return whether a model took over."""
        if self._config.update is not None and now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            with log_disk_errors("updates"):
                for path in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
                    with log_disk_errors(path.name):
                        self._read_file(path, now_s)
        exchanged = self._rollout.tick()
        for name, pending in self._pending.items():
            if pending.waiting is not None and (asset := self._assets.get(name)) is not None:
                self._examine_next(asset, pending, now_s)
        return exchanged

    def _read_file(self, path: Path, now_s: float) -> None:
        """Handle a file `updates/ASSET` like a message, and remove it once it is on trial, pending or refused."""
        asset = None if path.name.startswith(".") else self._assets.find(path.name)
        if asset is None or path.is_symlink() or not path.is_file():
            return
        if _on_probation(asset) or not self._pending[asset.name].is_due(now_s):
            return  # the file waits in its folder
        with path.open("rb") as file:
            payload, read = file.read(MAX_BYTES), os.fstat(file.fileno())
        self._put(asset, payload, now_s)
        if os.path.samestat(read, path.stat()):  # else it is the next file already
            path.unlink()

    def _refusals_of(self, asset: Asset) -> Refusals:
        if asset.name not in self._refusals:
            detector = asset.stream.detector
            context = f"{self._signer} {detector.asset} {json.dumps(channels_of(detector.schema))}"
            self._refusals[asset.name] = Refusals(self._rollout.store(asset), context)
        return self._refusals[asset.name]

    def _put(self, asset: Asset, message: bytes, now_s: float) -> bool:
        """Make an update pending; return whether it is new. A known refusal is answered without an event."""
        pending, digest = self._pending[asset.name], hashlib.sha256(message).hexdigest()
        reason = self._refusals_of(asset).reason(digest)
        if reason is not None:
            if pending.may_answer(now_s):
                self._rollout.publish_state(asset, "refused", reason)
            return False
        if digest == last_known(self._rollout.store(asset))[1]:
            return False
        configured = asset.name in self._config.assets
        pending.put(PendingUpdate(digest, message if configured else b""))  # without an entry it is refused unread
        self._examine_next(asset, pending, now_s)
        if pending.waiting is not None and _on_probation(asset) and pending.may_answer(now_s):
            self._rollout.publish_state(asset, "probation", "another update waits for the end of the probation")
        return True

    def _examine_next(self, asset: Asset, pending: PendingUpdates, now_s: float) -> None:
        """Examine the pending update, if it is due and the one before it is decided."""
        if _on_probation(asset) or not pending.is_due(now_s):
            return
        if pending.superseded:
            log.warning("%s: %d updates were superseded before they were examined", asset.name, pending.superseded)
        update = pending.pop(now_s)
        if update is not None:
            self._try(asset, update)

    def _try(self, asset: Asset, pending: PendingUpdate) -> None:
        """Put an update on trial, or refuse it with one event."""
        try:
            self._check_configured(asset)
            serial, _ = last_accepted(self._rollout.store(asset))
            self._rollout.begin(asset, self._examined(asset, pending, serial), pending.digest)
        except VcedgeError as error:
            with log_disk_errors(asset.name):
                lasting = isinstance(error, _FaultyUpdateError)
                self._refusals_of(asset).add(pending.digest, str(error), lasting=lasting)
            self._rollout.conclude(asset, "refused", str(error), pending.digest)
        except OSError as error:  # not remembered: the same update may be accepted later
            self._rollout.conclude(asset, "refused", str(error), pending.digest)

    def _check_configured(self, asset: Asset) -> None:
        """Raise ConfigError if the configuration does not allow to replace the asset's model."""
        name, current = asset.name, self._rollout.store(asset).folder / "current"
        if self._key is None:
            raise ConfigError("the configuration names no update.key, so that no signature can be verified")
        configured = self._config.assets.get(name)
        if configured is None:
            raise ConfigError(
                f"{name} has no entry of its own under assets, only a pattern, whose model all its machines share: "
                f"add '{name}: {{model: {current}}}'"
            )
        if configured.model != current:
            raise ConfigError(
                f"the configured model of {name} is {configured.model}, expected {current}: updates switch that link"
            )

    def _examined(self, asset: Asset, pending: PendingUpdate, serial: int | None) -> Update:
        assert self._key is not None, "checked before"
        detector = asset.stream.detector
        try:
            return examine(pending.message, self._key, detector.asset, detector.schema, serial)
        except ModelFileError as error:
            raise _FaultyUpdateError(str(error)) from None


def _on_probation(asset: Asset) -> bool:
    """Return whether the last update is on probation: the next one waits until that is decided."""
    trial = asset.companions.trial
    return trial is not None and trial.phase == "probation"
