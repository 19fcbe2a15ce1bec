"""Describes the service and each of its assets, for `vcedge status` and for metrics (schemas/status.json)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from vcedge import __version__
from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.settings import KINDS
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.monitoring.status_requests import Report
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.publishing.payloads import SCHEMA
from vcedge.runtime.publishing.published import Published, threshold_report
from vcedge.runtime.stream.events import Event
from vcedge.wording import iso_time


def service_report(
    identity: Mapping[str, Any],
    started_ns: int,
    links: Mapping[str, Connection],
    counts: Mapping[str, Mapping[str, Any]],
    assets: list[dict[str, Any]],
) -> Report:
    """Return the complete report.

    Args:
        identity: node, boot, broker, and whether the broker has acknowledged `online` (`heard`).
        started_ns: Wall clock at the start of the service.
        links: The connections `in` and `out`.
        counts: `numbers`, those of the stats topic, and `work`, those of `Counters.work`.
        assets: A report for each, by `asset_report`.
    """
    return {
        "schema": SCHEMA,
        **identity,
        "version": __version__,
        "pid": os.getpid(),
        "since": iso_time(started_ns, digits=0),
        "links": {name: _link_report(link) for name, link in links.items()},
        **counts,
        "assets": assets,
    }


def asset_report(asset: Asset, published: Published, now_s: float) -> dict[str, Any]:
    """Return the report of one asset; `now_s` is a monotonic clock."""
    stream, last = asset.stream, published.score
    status, missing = published.condition(asset, now_s)
    event, beyond = stream.open_event, stream.open_range
    floor, bias = asset.policy
    return {
        "asset": asset.name,
        "model": asset.origin.model,
        "engine": stream.engine_name,
        "status": status,
        "missing": list(missing),
        **published.last_score(now_s),
        "raw": None if last is None else last.raw,
        "score": None if last is None else last.score,
        "updated": None if last is None else last.updated,
        "hidden": stream.detector.hidden,
        "policy": {"min_level": floor, "looseness": round(math.exp(bias), 6)},
        "threshold": stream.threshold,
        **threshold_report(asset),
        "event": None if event is None else _event_report(event),
        "range": None if beyond is None else {**_event_report(beyond), "text": beyond.text},
        "settings": {kind: asset.settings.state(kind) for kind in KINDS if kind != "stage"},
    }


def _event_report(event: Event) -> dict[str, Any]:
    return {"id": event.id, "start": milliseconds(event.start_ns), "peak": event.peak}


def _link_report(link: Connection) -> dict[str, Any]:
    return {"connected": link.connected, "connections": link.connect_count, "complaint": link.problem}
