"""When a snapshot is due: wear on one side, a broker that waits on the other."""

from __future__ import annotations

from vcedge.runtime.storage.snapshot_schedule import EVERY_S, LEAST, Cadence


def work(cadence: Cadence, seconds: float, per_s: float, *windows: int, rtt_s: float = 0.01) -> tuple[int, int]:
    """A machine that sends steadily through a broker with a window, one after each snapshot in turn.

    (snapshots, messages that arrived)
    """
    step, snapshots, arrived, pending = 1 / per_s, 0, 0, 0
    owed, blocked_until = 0.0, 0.0
    for tick in range(round(seconds / 0.05)):
        now = tick * 0.05
        owed += 0.05 / step
        window = windows[snapshots % len(windows)]
        while owed >= 1 and pending < window and now >= blocked_until:
            owed, pending, arrived = owed - 1, pending + 1, arrived + 1
            cadence.arrived(now, pending)
        if cadence.due(now, pending, pending):
            cadence.taken(now, pending)
            snapshots, pending = snapshots + 1, 0
            cadence.released(now + rtt_s)
            blocked_until = now + rtt_s
    return snapshots, arrived


def test_a_window_that_is_kept_to_means_a_snapshot_for_half_of_it() -> None:
    snapshots, arrived = work(Cadence(1000, 0.0), 500, 10, 1000)
    assert arrived >= 4990
    assert snapshots == 10  # every 500 messages


def test_a_slow_machine_means_a_snapshot_a_minute() -> None:
    snapshots, _ = work(Cadence(1000, 0.0), 3600, 0.5, 1000)
    assert snapshots <= 3600 / EVERY_S + 1


def test_a_smaller_window_is_learned_from_two_stalls() -> None:
    """The broker sends 20 and no more: deliveries stop twice, and never again."""
    cadence = Cadence(1000, 0.0)
    snapshots, arrived = work(cadence, 300, 10, 20)
    assert cadence.window == 20
    assert arrived >= 2980
    assert snapshots <= 3000 / LEAST + 3
    cadence.connected()
    assert cadence.window == 1000


def test_a_window_that_is_not_kept_to_exactly_is_learned_too() -> None:
    """A broker that sends 100 to 160, as amqtt with flow control does: a second's stall twice, and never again."""
    cadence = Cadence(1000, 0.0)
    _, arrived = work(cadence, 60, 1000, 153, 101, 157, 135)
    assert cadence.window == 101
    assert arrived >= 57_000


def test_pauses_are_no_stalls() -> None:
    """Bursts of 30 every 20 seconds: soon no pause is taken for a stall, and only the minute counts."""
    cadence, snapshots, pending = Cadence(1000, 0.0), 0, 0
    for tick in range(round(3600 / 0.25)):
        now = tick * 0.25
        if now % 20 == 0:
            pending += 30
            cadence.arrived(now, pending)
        if cadence.due(now, pending, pending):
            cadence.taken(now, pending)
            cadence.released(now)
            snapshots, pending = snapshots + 1, 0
    assert cadence.window == 1000
    assert snapshots <= 3600 / EVERY_S + 10


def test_nothing_new_needs_no_snapshot() -> None:
    cadence = Cadence(1000, 0.0)
    assert not cadence.due(10 * EVERY_S, 0, 0)
    assert cadence.due(10 * EVERY_S, 0, 1)


def test_a_snapshot_that_is_asked_for_comes_soon_and_not_all_the_time() -> None:
    cadence, taken = Cadence(1000, 0.0), []
    for tenth in range(1, 100):
        now_s = tenth / 10
        cadence.arrived(now_s, 1)
        cadence.hurry()
        if cadence.due(now_s, 1, 1):
            taken.append(now_s)
            cadence.taken(now_s, 1)
    assert taken == [float(second) for second in range(1, 10)]
    assert not cadence.due(20.0, 0, 0), "nothing has changed"
    assert cadence.due(20.0, 0, 1), "it is still asked for"
