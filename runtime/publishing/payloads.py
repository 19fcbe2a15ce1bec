"""From results to the bytes of messages: no input or output, and no clock. Each payload has a schema in `schemas/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.runtime.assets.asset import Origin
from vcedge.runtime.codecs.fast_json import write
from vcedge.runtime.codecs.timestamps import NS_PER_MS as _NS_PER_MS
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score_block import STATUSES, ScoreBlock
from vcedge.runtime.stream.stream import Score

SCHEMA = 1
MAX_EXCERPT = 512
"""Bytes of an unreadable message that its dead letter repeats."""
MAX_TOPIC = 256


def _all_milliseconds(time_ns: NDArray[np.int64]) -> list[int] | list[int | float]:
    """The same of many times (N,)."""
    whole, rest = np.divmod(time_ns, _NS_PER_MS)
    return whole.tolist() if not rest.any() else list(map(milliseconds, time_ns.tolist()))


def score_payload(
    scores: Sequence[Score], origin: Origin, us: float, *, block: bool, arrival: bool, replayed: bool = False
) -> bytes:
    """The scores of one message; of a block (or more than one) each field that varies is a list.

    `us` is the time of scoring one sample in microseconds, `arrival` tells that the times are those of arrival.
    """
    varying = _lists(scores) if block else _varying(scores[0])
    first = scores[0]
    fixed = {
        "hidden": first.hidden,
        "us": round(us),
        "replayed": replayed,
        "ts_source": "arrival" if arrival else "sample",
    }
    return write({"schema": SCHEMA, **_names(origin), **varying, **fixed})


def _varying(score: Score) -> dict[str, Any]:
    return {
        "ts": milliseconds(score.time_ns),
        "seq": score.seq,
        "status": score.status,
        "score": score.score,
        "raw": score.raw,
        "alarm": score.alarm,
        "threshold": score.threshold,
        "top": score.top,
        "updated": score.updated,
        "wake": score.wake,
    }


def _lists(scores: Sequence[Score]) -> dict[str, Any]:
    """The same of a block: a list in each field, from its arrays where there are some."""
    if type(scores) is not ScoreBlock:
        rows = [_varying(score) for score in scores]
        return {key: [row[key] for row in rows] for key in rows[0]}
    words = scores.words
    return {
        "ts": _all_milliseconds(scores.time_ns),
        "seq": list(range(scores.first_seq, scores.first_seq + len(scores))),
        "status": [STATUSES[code] for code in scores.status.tolist()],
        "score": scores.score.tolist(),
        "raw": scores.raw.tolist(),
        "alarm": scores.alarm.astype(bool).tolist(),
        "threshold": scores.threshold.tolist(),
        "top": words.tops(scores.top),
        "updated": scores.updated.tolist(),
        "wake": list(map(words.wake, scores.wake.tolist())),
    }


def as_replayed(payload: bytes) -> bytes:
    """A payload of a score or an event as it is published after an outage. (In a text of JSON no quote stands bare.)"""
    return payload.replace(b'"replayed":false', b'"replayed":true', 1)


def event_payload(event: Event, origin: Origin) -> bytes:
    """One change of an event: it begins, grows or ends."""
    return write(
        {
            "schema": SCHEMA,
            **_names(origin),
            "id": event.id,
            "type": event.type,
            "kind": event.kind,
            "start": milliseconds(event.start_ns),
            "ts": milliseconds(event.time_ns),
            "peak": event.peak,
            "top": event.top,
            "resembles": event.resembles,
            "agreement": event.agreement,
            "why": event.why,
            "replayed": False,
        }
    )


def health_payload(
    origin: Origin,
    status: str,
    missing: Sequence[str],
    last: Score | None,
    age_s: float | None,
    calibrated: float,
    threshold: float,
    durable: bool,
) -> bytes:
    """How an asset's input is doing, and its threshold. `age_s`: seconds since its last message arrived."""
    return write(
        {
            "schema": SCHEMA,
            **_names(origin),
            "status": status,
            "age_s": None if age_s is None else round(age_s, 3),
            "last": None if last is None else milliseconds(last.time_ns),
            "seq": 0 if last is None else last.seq,
            "missing": missing,
            "threshold_calibrated": calibrated,
            "threshold_factor": round(threshold / calibrated, 4),
            "durable": durable,
        }
    )


def setting_payload(origin: Origin, values: Mapping[str, Any], refused: str) -> bytes:
    """A setting as it holds, and why a message that was to change it did not; empty where it did."""
    return write({"schema": SCHEMA, **_names(origin), **values, "refused": refused})


def report_payload(origin: Origin, values: Mapping[str, Any]) -> bytes:
    """What is known of an asset's models."""
    return write({"schema": SCHEMA, **_names(origin), **values})


def stats_payload(node: str, boot: str, numbers: Mapping[str, float]) -> bytes:
    """Counters since the start of the service, and what was measured since the last report."""
    return write({"schema": SCHEMA, "node": node, "boot": boot, **numbers})


def deadletter_payload(id_: str, topic: str, reason: str, payload: bytes) -> bytes:
    """What could not be read, and why; of a long message only the beginning. `id_` is in the log, too."""
    return write(
        {
            "schema": SCHEMA,
            "id": id_,
            "topic": topic[:MAX_TOPIC],
            "reason": reason,
            "size": len(payload),
            "payload": payload[:MAX_EXCERPT].decode("utf-8", "replace"),
        }
    )


def _names(origin: Origin) -> dict[str, str]:
    return {"boot": origin.boot, "asset": origin.asset, "model": origin.model}
