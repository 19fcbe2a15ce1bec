"""Assets in several states, whose snapshots are committed: see README.md."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden.generate import MODEL, tiny_input
from vcedge.model_file import load
from vcedge.runtime.assets.asset import Asset
from vcedge.runtime.assets.recipes import load_recipe
from vcedge.runtime.storage.snapshot import SnapshotStore, encode_line
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.stream.stream import Stream
from vcedge.schema import Sample

FOLDER = Path(__file__).parent
CASES = {"warming": 5, "running": 100, "event": 150, "stuck": 190, "inhibited": 90, "blind": 131, "gap": 201}
"""Rows that each asset had seen."""


def rows_of(case: str) -> list[Sample]:
    """Return all rows of a case, those before and after its snapshot."""
    times, values = tiny_input()
    if case == "event":
        values[140:160, 1] += 60
    if case == "stuck":
        values[120:200, 2] = values[119, 2]
    return [Sample(time_ns, row) for time_ns, row in zip(times, values, strict=True)]


def prepare(case: str, stream: Stream) -> None:
    """Push the rows of a case up to its snapshot."""
    rows = rows_of(case)
    if case == "inhibited":
        stream.inhibition.inhibit(rows[120].time_ns)
    for row in rows[: CASES[case]]:
        stream.push(row)


def new_asset(case: str) -> Asset:
    """Return an asset of the tiny model that has seen nothing."""
    return Asset(case, load_recipe(MODEL, "auto", case), "boot")


def strict_stream() -> Stream:
    """Return a stream of the kernel's strict build, which has the same bits on every processor."""
    from vcedge.runtime.engine.native_engine import NativeEngine

    return Stream(NativeEngine(load(MODEL), "strict"))


def write() -> None:
    """Write the snapshot of the present format."""
    with TemporaryDirectory() as folder:
        assets = [new_asset(case) for case in CASES]
        for asset in assets:
            asset.stream = strict_stream()
            prepare(asset.name, asset.stream)
            asset.mark_changed()
        SnapshotStore(StateDir(Path(folder))).write(
            [encode_line({"recent": {}}), *(asset.snapshot_line() for asset in assets)]
        )
        (FOLDER / "format-4.snapshot").write_bytes((Path(folder) / "snapshot").read_bytes())


if __name__ == "__main__":
    write()
