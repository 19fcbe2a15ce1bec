"""Handles messages on the `set` topics: applies the setting to an asset, or refuses it with a reason."""

from __future__ import annotations

import logging

from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.assets.settings import Refused, Setting, SettingKind, kind_of, parse_setting
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.service.acknowledger import Outcome
from vcedge.runtime.service.reporting import Reporting

log = logging.getLogger("vcedge.control")


class SettingsControl:
    """Applies messages to the settings of all assets, and publishes the settings in force."""

    def __init__(self, assets: AssetRegistry, reporting: Reporting) -> None:
        self._assets = assets
        self._publisher, self._letters = reporting.publisher, reporting.dead_letters
        self._counters = reporting.counters

    def handle(self, message: Incoming) -> Outcome:
        """Change a setting and publish its state.

        An empty message changes nothing: that is how a retained one is removed from a broker.
        """
        if not message.payload:
            return Outcome.REFUSED
        kind = None
        try:
            kind = kind_of(message.address.setting)
            return self._set(message, kind, parse_setting(kind, message.payload))
        except Refused as reason:
            self._refuse(message, kind, str(reason))
            return Outcome.REFUSED

    def _set(self, message: Incoming, kind: SettingKind, setting: Setting) -> Outcome:
        """Apply a setting, even to an asset of a pattern that has sent nothing yet.

        A retained message is a default: it must not undo what was set since.
        """
        name = message.address.asset
        asset = self._assets.find(name)
        if asset is None:
            raise Refused(self._assets.rejection_reason(name))
        self._publisher.ensure_retained_states(asset)
        outdated = message.retained and kind in asset.settings
        changed = not outdated and asset.settings.set(kind, setting)
        if changed:
            asset.mark_changed()
            self._counters.settings += 1
            text = message.payload.decode()
            log.info("%s: %s set to %s", name, kind, text, extra=about(id=message.id, asset=name))
        self._publisher.setting(asset, kind)
        return Outcome.URGENT if changed else Outcome.USED

    def _refuse(self, message: Incoming, kind: SettingKind | None, reason: str) -> None:
        asset = self._assets.get(message.address.asset)
        self._letters.refuse(message, "setting", reason, "" if asset is None else asset.name)
        if asset is not None and kind is not None:
            self._publisher.setting(asset, kind, reason)
