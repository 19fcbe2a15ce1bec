"""The snapshot of each released format: an asset continues from it as if nothing had happened.

The file was written by the kernel's strict build. It has the same bits on every processor, so that the future of a
stream is the same to the last bit; other engines round differently and agree within a tolerance.
"""

from __future__ import annotations

import pytest

from tests.golden.snapshots.cases import CASES, FOLDER, new_asset, prepare, rows_of, strict_stream
from vcedge.runtime.engine.native_support import native_problem
from vcedge.runtime.storage.snapshot import decode
from vcedge.runtime.stream.saved_state import FORMAT

TOLERANCE = 1e-4
SNAPSHOT = (FOLDER / f"format-{FORMAT}.snapshot").read_bytes()


@pytest.mark.skipif(native_problem() is not None, reason=f"native kernel: {native_problem()}")
@pytest.mark.parametrize("case", CASES)
def test_scores_after_a_restore_are_the_same_to_the_last_bit(case: str) -> None:
    _, state = decode(SNAPSHOT).assets[case]
    restored, undisturbed = strict_stream(), strict_stream()
    restored.restore(state["stream"])
    prepare(case, undisturbed)
    assert restored.in_event or case != "event"
    assert restored.threshold == undisturbed.threshold
    assert restored.open_event == undisturbed.open_event
    for row in rows_of(case)[CASES[case] :]:
        assert restored.push(row) == undisturbed.push(row)
    assert restored.snapshot() == undisturbed.snapshot()


@pytest.mark.parametrize("case", CASES)
def test_an_asset_continues_from_the_snapshot(case: str) -> None:
    model, state = decode(SNAPSHOT).assets[case]
    restored, undisturbed = new_asset(case), new_asset(case)
    assert model == restored.origin.model
    restored.restore(state)
    prepare(case, undisturbed.stream)
    assert restored.stream.threshold == pytest.approx(undisturbed.stream.threshold, rel=TOLERANCE)
    for row in rows_of(case)[CASES[case] :]:
        found, expected = restored.stream.push(row), undisturbed.stream.push(row)
        assert found.raw == pytest.approx(expected.raw, rel=TOLERANCE, abs=TOLERANCE)
        assert (found.seq, found.status, found.alarm, found.missing) == (
            expected.seq,
            expected.status,
            expected.alarm,
            expected.missing,
        )
        assert [(e.id, e.type, e.time_ns) for e in found.events] == [(e.id, e.type, e.time_ns) for e in expected.events]
