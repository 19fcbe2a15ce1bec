"""Results on disk: a stack that survives restarts, torn writes and a full disk, and is bounded."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vcedge.runtime.storage.result_spool import CLOCK_IS_SET_MS, HEADER, Record, ResultSpool
from vcedge.runtime.storage.state_dir import StateDir

NOW_MS = CLOCK_IS_SET_MS + 10**9
WEEK_S = 7 * 86400.0


RECORDS = st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=50))


def opened(folder: Path, max_bytes: int = 10**6, max_age_s: float = WEEK_S) -> ResultSpool:
    spool = ResultSpool(StateDir(folder), max_bytes, max_age_s)
    spool.open()
    return spool


def batch(number: int, size: int = 3) -> list[Record]:
    return [(f"vcedge/n/é{number}", b'{"seq":%d}' % i) for i in range(size)]


class SpoolMachine(RuleBasedStateMachine):
    """Compares the spool with a list: pushes, pops and restarts in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.spool = opened(Path(self.folder.name), max_bytes=10**5)
        self.model: list[list[Record]] = []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        records=st.lists(
            st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=50)), min_size=1, max_size=5
        )
    )
    def push(self, records: list[Record]) -> None:
        self.spool.push(records, NOW_MS)
        self.model.append(records)

    @rule()
    def pop(self) -> None:
        if self.model:
            assert self.spool.peek(NOW_MS) == self.model.pop()
            self.spool.pop()

    @rule(torn=st.binary(max_size=40))
    def crash(self, torn: bytes) -> None:
        """A partly written batch at the end of a file is dropped."""
        files = sorted((Path(self.folder.name) / "outbox").glob("*.log"))
        if files:
            with files[-1].open("ab") as file:
                file.write(torn)
        self.spool = opened(Path(self.folder.name), max_bytes=10**5)

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "spool"):
            assert len(self.spool) == sum(map(len, self.model))
            assert self.spool.peek(NOW_MS) == (self.model[-1] if self.model else [])


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=40, stateful_step_count=30)


def test_oldest_results_are_deleted_beyond_the_limit(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=4000)
    for number in range(100):
        spool.push(batch(number, size=20), NOW_MS)
    assert spool.size <= 4000
    assert len(spool) + spool.dropped == 2000
    assert spool.peek(NOW_MS) == batch(99, size=20)
    assert sum(file.stat().st_size for file in (tmp_path / "outbox").iterdir()) == spool.size


def test_old_results_are_deleted_only_with_a_valid_clock(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_age_s=60.0)
    spool.push(batch(1), 5_000)  # 1970
    assert spool.peek(NOW_MS) == batch(1)
    spool.push(batch(2), NOW_MS)
    assert spool.peek(NOW_MS + 59_000) == batch(2)
    assert spool.peek(3_000) == batch(2)  # back in 1970
    assert spool.peek(NOW_MS + 61_000) == []
    assert spool.dropped == 6


def test_damaged_batch_is_the_only_one_lost(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.push(batch(1), NOW_MS)
    spool.push(batch(2), NOW_MS)
    path = next((tmp_path / "outbox").iterdir())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    spool = opened(tmp_path)
    assert len(spool) == 6
    assert spool.peek(NOW_MS) == batch(1)
    assert spool.dropped == 3


def test_damaged_header_loses_at_most_its_batch(tmp_path: Path) -> None:
    """Batches before it are kept, and nothing is raised."""
    opened(tmp_path).push(batch(1), NOW_MS)
    path = next((tmp_path / "outbox").iterdir())
    first = path.stat().st_size
    opened(tmp_path).push(batch(2), NOW_MS)
    whole = path.read_bytes()
    for position in range(first, first + HEADER.size):
        data = bytearray(whole)
        data[position] ^= 0x41
        path.write_bytes(data)
        spool = opened(tmp_path)
        found = spool.peek(NOW_MS)
        assert found in (batch(1), batch(2))
        spool.pop()
        assert spool.peek(NOW_MS) == (batch(1) if found == batch(2) else [])


def test_unreadable_file_is_the_only_one_lost(tmp_path: Path) -> None:
    """The file is not overwritten: somebody may recover it later."""
    folder = tmp_path / "outbox"
    (folder / "00000002.log").mkdir(parents=True)
    (folder / "notes.log").write_text("of somebody else")
    opened(tmp_path).push(batch(1), NOW_MS)
    (folder / "00000003.log").rename(folder / "00000001.log")
    spool = opened(tmp_path)
    assert spool.peek(NOW_MS) == batch(1)
    spool.push(batch(2, size=1), NOW_MS)
    (folder / "00000001.log").unlink()
    (folder / "00000001.log").mkdir()  # unreadable from now on
    assert spool.peek(NOW_MS) == []
    assert spool.dropped == 4
    spool.push(batch(3), NOW_MS)
    assert spool.peek(NOW_MS) == batch(3)


def test_full_disk_loses_no_stored_batch(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.push(batch(1), NOW_MS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size + 40, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            spool.push(batch(2, size=500), NOW_MS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.peek(NOW_MS) == batch(1)
    spool.push(batch(3), NOW_MS)
    again = opened(tmp_path)
    assert [again.peek(NOW_MS), len(again)] == [batch(3), 6]
