"""The snapshot file and the memory of recent messages: the service starts with any content of the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.detectors import recording, samples, tiny_detector
from tests.support.mosquitto import Mosquitto
from tests.support.mqtt import Peer, payloads, running
from tests.support.service import assert_same, by_seq, configure, offline, publish, wait_online
from vcedge.errors import DataError, Unavailable
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.storage.recent_messages import IN_MEMORY, RecentMessages, message_key
from vcedge.runtime.storage.snapshot import MAGIC, SnapshotStore, decode, encode_line
from vcedge.runtime.storage.state_dir import StateDir
from vcedge.runtime.stream.stream import Stream


def lines(seq: int) -> list[bytes]:
    """Return a snapshot as the service writes it, after so many samples."""
    stream = Stream(load_engine(tiny_detector()))
    for sample in samples(recording(1, seq, 3)):
        stream.push(sample)
    state = {"stream": stream.snapshot(), "settings": {}}
    return [encode_line({"recent": RecentMessages().snapshot()}), b"", encode_line(["pump", "tiny@sha256:0", state])]


def seqs(store: SnapshotStore) -> list[int]:
    found = []
    for contents in store.read():
        stream = Stream(load_engine(tiny_detector()))
        stream.restore(contents.assets["pump"][1]["stream"])
        found.append(stream.seq)
    return found


def test_newest_snapshot_comes_first_and_the_previous_is_kept(tmp_path: Path) -> None:
    store = SnapshotStore(StateDir(tmp_path / "state"))
    assert seqs(store) == []
    for count in (10, 20, 30):
        store.write(lines(count))
    assert seqs(store) == [30, 20]


def test_truncated_snapshot_falls_back_to_the_previous(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SnapshotStore(StateDir(tmp_path))
    store.write(lines(10))
    store.write(lines(20))
    whole = (tmp_path / "snapshot").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "snapshot").write_bytes(whole[:size])
        caplog.clear()
        assert seqs(store) == [10]
        assert len(caplog.records) == 1
        assert "snapshot cannot be used: it is" in caplog.text


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a snapshot."""
    folder = tmp_path_factory.mktemp("snapshot")
    SnapshotStore(StateDir(folder)).write(lines(5))
    return (folder / "snapshot").read_bytes()


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_flipped_byte_is_detected(file: bytes, position: int, flip: int) -> None:
    data = bytearray(file)
    data[position % len(data)] ^= flip
    with pytest.raises(DataError):
        decode(bytes(data))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for content in (data, MAGIC + data):
        with pytest.raises(DataError):
            decode(content)


def test_two_services_do_not_share_a_folder(tmp_path: Path) -> None:
    first, second = StateDir(tmp_path / "state"), StateDir(tmp_path / "state")
    first.open()
    with pytest.raises(Unavailable, match="another vcedge run uses it"):
        second.open()
    first.close()
    second.open()
    second.close()


@given(st.lists(st.integers(0, 5), max_size=200))
def test_only_the_latest_messages_are_remembered(keys: list[int]) -> None:
    recent = RecentMessages(10)
    for key in keys:
        recent.add(key)
    again = RecentMessages(10)
    again.restore(json.loads(json.dumps(recent.snapshot())))
    for key in range(6):
        assert (key in recent) == (key in keys[-10 * IN_MEMORY :])
        assert (key in again) == (key in keys[-10:])


def test_message_key_depends_on_topic_and_payload() -> None:
    assert len({message_key(topic, payload) for topic in ("a", "b") for payload in (b"", b"1", b"2")}) == 6


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["damaged", "gone", "other model"])
def test_unusable_snapshot_is_reported_and_scoring_starts_anew(
    fault: str, shared_broker: Mosquitto, tmp_path: Path
) -> None:
    node = f"anew-{fault.split()[0]}"
    config = configure(tmp_path, node, shared_broker.url)
    rows = samples(recording(4, 80, 3))
    with Peer(shared_broker.url, f"vcedge/{node}/#") as peer:
        with running("run", config) as service:
            wait_online(peer, node)
            publish(peer, f"{node}/{node}", rows[:40])
            peer.scores(node, 40)
            assert service.end() == 0
        detector = tiny_detector()
        if fault == "other model":
            detector = tiny_detector(seed=7)
            configure(tmp_path, node, shared_broker.url, detector)
        elif fault == "damaged":
            (tmp_path / "state" / "snapshot").write_bytes(b"\0" * 5000)
        else:
            (tmp_path / "state" / "snapshot").unlink()
        with running("run", config) as service:
            publish(peer, f"{node}/{node}", rows[40:])
            again = peer.scores(node, 80)[40:]
            assert again[0]["seq"] == 1
            assert again[0]["status"] == "warmup"
            assert_same(again, offline(detector, rows[40:]))
            assert service.end() == 0
            words = {"damaged": "snapshot cannot be used: it is damaged", "other model": "of another model"}
            assert sum(words.get(fault, "assets restored from a snapshot: 0") in line for line in service.lines) == 1


@pytest.mark.slow
def test_duplicates_without_the_duplicate_flag_are_not_scored_twice(shared_broker: Mosquitto, tmp_path: Path) -> None:
    """A late sample that is new gets the status `clock` instead."""
    detector = tiny_detector()
    config = configure(tmp_path, "again", shared_broker.url)
    rows = samples(recording(5, 60, 3))
    late, in_order = rows[20], rows[:20] + rows[21:]
    with Peer(shared_broker.url, "vcedge/again/#") as peer:
        with running("run", config) as service:
            wait_online(peer, "again")
            publish(peer, "again/again", in_order[:30])
            publish(peer, "again/again", [*in_order[10:30], late, late])
            peer.scores("again", 31)
            assert service.end() == 0
        with running("run", config):
            publish(peer, "again/again", [*in_order[25:30], late, *in_order[30:]])
            published = by_seq(peer.scores("again", len(rows)))
    assert_same(published, offline(detector, [*in_order[:30], late, *in_order[30:]]))
    assert [s["status"] for s in published].count("clock") == 1
    assert len(payloads(peer.messages, "again", "score")) == len(rows)
