"""When a snapshot is due: a trade-off between flash wear and a stalled broker."""

from __future__ import annotations

from vcedge.runtime.storage.snapshot_schedule import INTERVAL_S, MIN_STALLED, SnapshotSchedule


def simulate(
    schedule: SnapshotSchedule, seconds: float, per_s: float, *windows: int, rtt_s: float = 0.01
) -> tuple[int, int]:
    """Simulate a steady machine and a broker with a window, one size after each snapshot in turn.

    Return the number of snapshots and of messages that arrived.
    """
    step, snapshots, arrived, pending = 1 / per_s, 0, 0, 0
    owed, blocked_until = 0.0, 0.0
    for tick in range(round(seconds / 0.05)):
        now = tick * 0.05
        owed += 0.05 / step
        window = windows[snapshots % len(windows)]
        while owed >= 1 and pending < window and now >= blocked_until:
            owed, pending, arrived = owed - 1, pending + 1, arrived + 1
            schedule.record_arrival(now, pending)
        if schedule.is_due(now, pending, pending):
            schedule.record_snapshot(now, pending)
            snapshots, pending = snapshots + 1, 0
            schedule.record_acknowledged(now + rtt_s)
            blocked_until = now + rtt_s
    return snapshots, arrived


def test_full_window_gives_a_snapshot_each_half_window() -> None:
    snapshots, arrived = simulate(SnapshotSchedule(1000, 0.0), 500, 10, 1000)
    assert arrived >= 4990
    assert snapshots == 10  # every 500 messages


def test_slow_machine_gives_a_snapshot_a_minute() -> None:
    snapshots, _ = simulate(SnapshotSchedule(1000, 0.0), 3600, 0.5, 1000)
    assert snapshots <= 3600 / INTERVAL_S + 1


def test_smaller_window_is_learned_from_two_stalls() -> None:
    """The broker sends only 20: deliveries stop twice and never again."""
    schedule = SnapshotSchedule(1000, 0.0)
    snapshots, arrived = simulate(schedule, 300, 10, 20)
    assert schedule.window == 20
    assert arrived >= 2980
    assert snapshots <= 3000 / MIN_STALLED + 3
    schedule.reset()
    assert schedule.window == 1000


def test_varying_window_is_learned() -> None:
    """A broker sends 100 to 160, as amqtt with flow control: deliveries stop twice for a second, then never."""
    schedule = SnapshotSchedule(1000, 0.0)
    _, arrived = simulate(schedule, 60, 1000, 153, 101, 157, 135)
    assert schedule.window == 101
    assert arrived >= 57_000


def test_pauses_are_not_counted_as_stalls() -> None:
    """With bursts of 30 every 20 seconds, snapshots soon come once a minute."""
    schedule, snapshots, pending = SnapshotSchedule(1000, 0.0), 0, 0
    for tick in range(round(3600 / 0.25)):
        now = tick * 0.25
        if now % 20 == 0:
            pending += 30
            schedule.record_arrival(now, pending)
        if schedule.is_due(now, pending, pending):
            schedule.record_snapshot(now, pending)
            schedule.record_acknowledged(now)
            snapshots, pending = snapshots + 1, 0
    assert schedule.window == 1000
    assert snapshots <= 3600 / INTERVAL_S + 10


def test_no_snapshot_without_a_change() -> None:
    schedule = SnapshotSchedule(1000, 0.0)
    assert not schedule.is_due(10 * INTERVAL_S, 0, 0)
    assert schedule.is_due(10 * INTERVAL_S, 0, 1)


def test_requested_snapshots_come_soon_but_at_most_one_a_second() -> None:
    schedule, taken = SnapshotSchedule(1000, 0.0), []
    for tenth in range(1, 100):
        now_s = tenth / 10
        schedule.record_arrival(now_s, 1)
        schedule.request()
        if schedule.is_due(now_s, 1, 1):
            taken.append(now_s)
            schedule.record_snapshot(now_s, 1)
    assert taken == [float(second) for second in range(1, 10)]
    assert not schedule.is_due(20.0, 0, 0), "nothing has changed"
    assert schedule.is_due(20.0, 0, 1), "it is still asked for"
