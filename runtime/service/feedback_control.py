"""Handles messages on `feedback/set`: a person's judgement of an event is applied, answered and written down."""

from __future__ import annotations

import logging

from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.judgements import Judgement, parse_judgement
from vcedge.runtime.assets.registry import AssetRegistry
from vcedge.runtime.assets.settings import Refused
from vcedge.runtime.monitoring.logs import about
from vcedge.runtime.mqtt.inbox import Incoming
from vcedge.runtime.service.acknowledger import Outcome
from vcedge.runtime.service.reporting import Reporting
from vcedge.runtime.storage.labels_file import LabelsFile
from vcedge.runtime.storage.state_dir import StateDir

log = logging.getLogger("vcedge.feedback")
LABELS = "labels"
"""Subject of write errors in the state folder."""


class FeedbackControl:
    """Applies judgements to the events of all assets, and keeps them in each asset's labels.csv."""

    def __init__(self, assets: AssetRegistry, state_dir: StateDir, reporting: Reporting) -> None:
        self._assets, self._state_dir = assets, state_dir
        self._publisher, self._letters = reporting.publisher, reporting.dead_letters
        self._counters = reporting.counters

    def handle(self, message: Incoming) -> Outcome:
        """Judge an event and publish the state. An empty message removes a retained one, and changes nothing."""
        if not message.payload:
            return Outcome.REFUSED
        try:
            return self._judge(message, parse_judgement(message.payload))
        except Refused as reason:
            self._refuse(message, str(reason))
            return Outcome.REFUSED

    def write(self, asset: Asset) -> None:
        """Write the judgements of an asset that its labels.csv lacks. If the disk fails, a later call tries again."""
        labels = asset.judgements.unwritten(asset.name)
        if not labels:
            return
        try:
            LabelsFile(self._state_dir, asset.name).append(labels)
        except OSError as error:
            self._state_dir.report_failure(LABELS, error)
            return
        self._state_dir.report_success(LABELS)
        asset.judgements.mark_written()
        asset.mark_changed()

    def _judge(self, message: Incoming, judgement: Judgement) -> Outcome:
        """Judge an event. A retained message must not undo a later judgement."""
        name = message.address.asset
        asset = self._assets.find(name)
        if asset is None:
            raise Refused(self._assets.rejection_reason(name))
        self._publisher.ensure_retained_states(asset)
        outdated = message.retained and judgement.event in asset.judgements
        changed = not outdated and asset.judge(judgement, message.arrival_ns)
        if changed:
            self._counters.settings += 1
            context = about(id=message.id, asset=name, event=judgement.event)
            log.info("%s: %s judged as %s", name, judgement.event, judgement.judged, extra=context)
            self.write(asset)
            self._publisher.setting(asset, "threshold")
        self._publisher.feedback(asset)
        return Outcome.URGENT if changed else Outcome.USED

    def _refuse(self, message: Incoming, reason: str) -> None:
        asset = self._assets.get(message.address.asset)
        self._letters.refuse(message, "setting", reason, "" if asset is None else asset.name)
        if asset is not None:
            self._publisher.feedback(asset, reason)
