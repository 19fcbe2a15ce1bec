"""How the service and each of its assets are, for `vcedge status` and for metrics (schemas/status.json)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from vcedge import __version__
from vcedge.runtime.assets.asset import Watched
from vcedge.runtime.assets.settings import KINDS
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.monitoring.status_requests import Report
from vcedge.runtime.mqtt.connection import Connection
from vcedge.runtime.publishing.payloads import SCHEMA
from vcedge.wording import iso_time


def service_report(
    names: Mapping[str, str | bool],
    started_ns: int,
    links: Mapping[str, Connection],
    numbers: Mapping[str, Any],
    work: Mapping[str, Any],
    assets: Iterable[Watched],
    now_s: float,
) -> Report:
    """All that can be told. `names`: node, boot, broker, and whether that heard us.

    `started_ns`: wall clock; `now_s`: monotonic clock. `numbers` are those of the stats topic, `work` is of
    `Counters.work`.
    """
    return {
        "schema": SCHEMA,
        **names,
        "version": __version__,
        "pid": os.getpid(),
        "since": iso_time(started_ns, digits=0),
        "links": {name: _link_report(link) for name, link in links.items()},
        "numbers": dict(numbers),
        "work": dict(work),
        "assets": [_asset_report(watched, now_s) for watched in assets],
    }


def _link_report(link: Connection) -> dict[str, Any]:
    return {"connected": link.connected, "connections": link.connect_count, "complaint": link.problem}


def _asset_report(watched: Watched, now_s: float) -> dict[str, Any]:
    stream, last = watched.stream, watched.last
    status, missing = watched.condition(now_s)
    calibrated = stream.detector.calibration.threshold
    event = stream.open_event
    floor, bias = watched.policy
    return {
        "asset": watched.origin.asset,
        "model": watched.origin.model,
        "engine": watched.engine,
        "status": status,
        "missing": list(missing),
        "age_s": None if watched.heard_s is None else round(now_s - watched.heard_s, 3),
        "last": None if last is None else milliseconds(last.time_ns),
        "seq": 0 if last is None else last.seq,
        "raw": None if last is None else last.raw,
        "score": None if last is None else last.score,
        "updated": None if last is None else last.updated,
        "hidden": stream.detector.hidden,
        "policy": {"min_level": floor, "looseness": round(math.exp(bias), 6)},
        "threshold": stream.threshold,
        "threshold_calibrated": calibrated,
        "threshold_factor": round(stream.threshold / calibrated, 4),
        "event": None if event is None else {"id": event.id, "start": milliseconds(event.start_ns), "peak": event.peak},
        "settings": {kind: watched.settings.state(kind) for kind in KINDS},
    }
