"""Snapshots of every released format: an asset continues from them as if nothing had happened.

The files were written by the kernel's strict build. It has the same bits on every processor, so that the future of a
stream is the same to the last bit; other engines round differently and agree within a tolerance.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.golden.snapshots.cases import CASES, FOLDER, new_asset, prepare, rows_of, strict_stream
from vcedge.errors import DataError
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.storage.snapshot import decode
from vcedge.runtime.stream.saved_state import FORMAT

TOLERANCE = 1e-4


@pytest.mark.skipif(native_problem() is not None, reason=f"native kernel: {native_problem()}")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_scores_after_a_restore_are_the_same_to_the_last_bit(number: int, case: str) -> None:
    _, state = decode((FOLDER / f"format-{number}.snapshot").read_bytes()).assets[case]
    restored, undisturbed = strict_stream(), strict_stream()
    restored.restore(state["stream"])
    prepare(case, undisturbed)
    assert restored.threshold == undisturbed.threshold
    # Formats 1 and 2 were written before an event was published again when its name is settled.
    published = [event and replace(event, time_ns=0) for event in (restored.open_event, undisturbed.open_event)]
    assert published[0] == published[1]
    for row in rows_of(case)[CASES[case] :]:
        assert restored.push(row) == undisturbed.push(row)
    assert restored.snapshot() == undisturbed.snapshot()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_asset_continues_from_a_snapshot_of_each_format(number: int, case: str) -> None:
    model, state = decode((FOLDER / f"format-{number}.snapshot").read_bytes()).assets[case]
    restored, undisturbed = new_asset(case), new_asset(case)
    if number == FORMAT:  # the model file has another format since the last one, and thus another id
        assert model == restored.origin.model
    restored.restore(state)
    prepare(case, undisturbed.stream)
    assert restored.stream.threshold == pytest.approx(undisturbed.stream.threshold, rel=TOLERANCE)
    for row in rows_of(case)[CASES[case] :]:
        found, expected = restored.stream.push(row), undisturbed.stream.push(row)
        assert found.raw == pytest.approx(expected.raw, rel=TOLERANCE)
        assert (found.seq, found.status, found.alarm, found.missing) == (
            expected.seq,
            expected.status,
            expected.alarm,
            expected.missing,
        )
        assert [(e.id, e.type, e.time_ns) for e in found.events] == [(e.id, e.type, e.time_ns) for e in expected.events]


@pytest.mark.parametrize("key", decode((FOLDER / "format-1.snapshot").read_bytes()).assets["running"][1]["stream"])
@pytest.mark.parametrize("value", [None, "x", [], {"seq": 1}])
def test_restore_rejects_a_damaged_snapshot_of_format_1(key: str, value: object) -> None:
    stream_state = decode((FOLDER / "format-1.snapshot").read_bytes()).assets["running"][1]["stream"]
    without = {name: content for name, content in stream_state.items() if name != key}
    with pytest.raises(DataError):
        new_asset("running").stream.restore(without)
    if isinstance(stream_state[key], dict | str):
        with pytest.raises(DataError):
            new_asset("running").stream.restore({**stream_state, key: value})
