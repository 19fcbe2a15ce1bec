"""Formats the rows of a benchmark, with the ratio to the fastest dense float peer."""

from __future__ import annotations

from typing import Any

FLOAT_PEERS = ("onnxruntime-gru", "litert-f32", "torch-grucell")


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
