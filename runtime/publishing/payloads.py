"""Encodes results as payloads. No input or output, and no clock. Each payload has a schema in `schemas/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vcedge.runtime.assets.asset import Origin
from vcedge.runtime.assets.scored_rows import ScoredRows
from vcedge.runtime.codecs.fast_json import write
from vcedge.runtime.codecs.timestamps import NS_PER_MS as _NS_PER_MS
from vcedge.runtime.codecs.timestamps import milliseconds
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.score_block import STATUSES, ScoreBlock
from vcedge.runtime.stream.stream import Score

SCHEMA = 1
MAX_EXCERPT = 512
"""Bytes of a message that its dead letter repeats."""
MAX_TOPIC = 256
"""Characters of a topic that a dead letter repeats."""


def _all_milliseconds(time_ns: NDArray[np.int64]) -> list[int] | list[int | float]:
    """Return times (N,) in milliseconds since 1970."""
    whole, rest = np.divmod(time_ns, _NS_PER_MS)
    return whole.tolist() if not rest.any() else list(map(milliseconds, time_ns.tolist()))


def score_payload(rows: ScoredRows, origin: Origin) -> bytes:
    """Encode the scores of one message; of a block each field that varies is a list."""
    scores, samples = rows.scores, rows.samples
    varying = _lists(scores) if samples.block else _varying(scores[0])
    fixed = {
        "hidden": scores[0].hidden,
        "us": round(rows.us),
        "replayed": False,
        "ts_source": "sample" if samples.timed else "arrival",
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
    """Return the fields of a block, each as a list."""
    if type(scores) is not ScoreBlock:
        rows = [_varying(score) for score in scores]
        return {key: [row[key] for row in rows] for key in rows[0]}
    names = scores.names
    return {
        "ts": _all_milliseconds(scores.time_ns),
        "seq": list(range(scores.first_seq, scores.first_seq + len(scores))),
        "status": [STATUSES[code] for code in scores.status.tolist()],
        "score": scores.score.tolist(),
        "raw": scores.raw.tolist(),
        "alarm": scores.alarm.astype(bool).tolist(),
        "threshold": scores.threshold.tolist(),
        "top": names.tops(scores.top),
        "updated": scores.updated.tolist(),
        "wake": list(map(names.wake, scores.wake.tolist())),
    }


def as_replayed(payload: bytes) -> bytes:
    """Mark the payload of a score or an event as replayed."""
    # No JSON string can hold this text: its quotes would be escaped.
    return payload.replace(b'"replayed":false', b'"replayed":true', 1)


def event_payload(event: Event, origin: Origin) -> bytes:
    """Encode one change of an event: it begins, grows or ends."""
    values = {
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
        "text": event.text,
        "replayed": False,
    }
    return state_payload(origin, values)


def state_payload(origin: Origin, values: Mapping[str, Any]) -> bytes:
    """Encode a state of an asset: its health, a setting, its models, or their agreement."""
    return write({"schema": SCHEMA, **_names(origin), **values})


def stats_payload(node: str, boot: str, numbers: Mapping[str, float]) -> bytes:
    """Encode counters since the start of the service, and means since the last report."""
    return write({"schema": SCHEMA, "node": node, "boot": boot, **numbers})


def deadletter_payload(id_: str, topic: str, reason: str, payload: bytes) -> bytes:
    """Encode why a message is not used, with the message's beginning. `id_` is the message's id in the log."""
    excerpt = payload[:MAX_EXCERPT].decode("utf-8", "replace")
    values = {"id": id_, "topic": topic[:MAX_TOPIC], "reason": reason, "size": len(payload), "payload": excerpt}
    return write({"schema": SCHEMA, **values})


def _names(origin: Origin) -> dict[str, str]:
    return {"boot": origin.boot, "asset": origin.asset, "model": origin.model}
