"""Measures all rows of `vcedge bench` in one run, compares them with the CPU's limits, and formats them."""

from __future__ import annotations

from typing import Any

import numpy as np

from vcedge.bench import peers
from vcedge.bench.cells import CellUnderTest
from vcedge.bench.timing import TimedCall, interleaved, machine
from vcedge.errors import Unavailable
from vcedge.pinning import one_core
from vcedge.runtime.engine.native_support import require_native

ROUNDS = 101
STREAMS = 256
MEAN_SHARE = 0.25
FLOAT_PEERS = ("onnxruntime-gru", "litert-f32", "torch-grucell")


def measure(subject: CellUnderTest, extra: list[TimedCall] | None = None, rounds: int = ROUNDS) -> dict[str, Any]:
    """Time the kernel and its peers, interleaved; return {"machine", "missing", "rows"} as in `bench --json`."""
    result: dict[str, Any] = {"machine": machine(), "missing": peers.missing()}
    runs = [*peers.dense_runs(subject), *peers.dense_runs(subject, STREAMS), *peers.numpy_runs(subject), *(extra or [])]
    try:
        runs += _native_runs(subject)
    except Unavailable as error:
        result["missing"] = [*peers.missing(), str(error)]
    with one_core():
        times = interleaved(runs, rounds)
    spec = subject.cell.spec
    rows = []
    for run, us in zip(runs, times, strict=True):
        if "limit" not in run.row:
            rows.append({**run.row, "hidden": spec.hidden, "inputs": spec.inputs, **_summary(us.tolist())})
    _add_limits(subject, runs, [float(np.median(us)) for us in times], rows)
    return {**result, "rows": rows}


def _native_runs(subject: CellUnderTest) -> list[TimedCall]:
    require_native()
    from vcedge.bench import native

    runs = [*native.runs(subject), *native.runs(subject, int8=True), native.fma_run()]
    runs += [native.read_run(native.weight_bytes(subject, share)) for _, share in subject.levels]
    if subject.cell.spec.levels > 1:
        runs += [native.many_run(subject, STREAMS, MEAN_SHARE, int8=int8) for int8 in (False, True)]
    return runs


def _summary(us: list[float]) -> dict[str, float]:
    return {"us": float(np.median(us)), "p99_us": float(np.quantile(us, 0.99))}


def _add_limits(
    subject: CellUnderTest, runs: list[TimedCall], medians: list[float], rows: list[dict[str, Any]]
) -> None:
    """Add to each float32 row in C its multiply-accumulates, the CPU's limit for them, and the ratio to the limit.

    The limit is the larger of two times: reading the weights once, at the rate of a loop that only reads that
    many bytes, and the multiply-adds, at the peak rate of a loop in registers.
    """
    fma = [us for run, us in zip(runs, medians, strict=True) if run.row.get("limit") == "fma"]
    if not fma:
        return
    from vcedge.bench.native import macs

    read = {
        run.row["bytes"]: us * run.row["scale"]
        for run, us in zip(runs, medians, strict=True)
        if run.row.get("limit") == "read"
    }
    for row in rows:
        if row["where"] == "c" and row["engine"] == "native-f32":
            work = macs(subject, row["level"])
            limit = max(read[row["weight_bytes"]], work * fma[0])
            row.update(macs=work, limit_us=limit, of_limit=row["us"] / limit)


def fastest_peer(rows: list[dict[str, Any]], streams: int) -> float | None:
    """Return the microseconds of the fastest dense float peer for this number of streams, or None."""
    times = [row["us"] for row in rows if row["engine"] in FLOAT_PEERS and row["streams"] == streams]
    return min(times, default=None)


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return a header and one line for each row, sorted by streams, level and time."""
    lines = [f"{'engine':<24}{'streams':>8}{'level':>8}{'in':>8}{'us':>10}{'p99':>10}{'peer/this':>11}{'of limit':>10}"]
    for row in sorted(rows, key=lambda row: (row.get("step", ""), row["streams"], row["level"], row["us"])):
        peer = None if row.get("step") else fastest_peer(rows, row["streams"])
        ratio = "" if peer is None else f"{peer / row['us']:.1f}x"
        limit = f"{row['of_limit']:.2f}x" if "of_limit" in row else ""
        name = " ".join(row[key] for key in ("engine", "step", "policy") if key in row)
        lines.append(
            f"{name:<24}{row['streams']:>8}{row['level']:>8.1%}{row['where']:>8}"
            f"{row['us']:>10.3f}{row['p99_us']:>10.3f}{ratio:>11}{limit:>10}"
        )
    return lines
