"""One asset's stream of samples: order in time, gaps, sensor states, warm-up, score, alarm and events.

No input or output and no clock: the same samples give the same scores, in a file today or live in two years.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy, Engine
from vcedge.runtime.engine.state import WAKE_NONE, State
from vcedge.runtime.stream.adaptive_threshold import MOST_IMPUTED, AdaptiveThreshold
from vcedge.runtime.stream.compute_budget import ComputeBudget
from vcedge.runtime.stream.events import Event, EventTracker
from vcedge.runtime.stream.explainer import Explainer
from vcedge.runtime.stream.inhibition import Inhibition, RunWhen
from vcedge.runtime.stream.saved_state import restore_state, save_state
from vcedge.runtime.stream.score import UNJUDGED, Score, Status
from vcedge.runtime.stream.score_block import ScoreBlock, Words, leading_channels
from vcedge.runtime.stream.sensor_health import Checked, Mask, SensorHealth, status_of
from vcedge.runtime.stream.state import NEVER, NO_TOP, StreamState
from vcedge.runtime.stream.timeline import Timeline, Verdict
from vcedge.schema import F64, Sample

if TYPE_CHECKING:
    from vcedge.runtime.stream.native_rows import NativeRows

__all__ = ["Score", "Status", "Stream"]
LATE_ROWS = 3
"""Samples in a row that are late make an event of the clock; fewer are the network's reordering."""


class Stream:
    """Turns the samples of one asset into scores and events; all that it remembers is in `record`.

    A `threshold` set by hand stands as it is; the calibrated one follows slow drift unless `adapt` is false.
    """

    def __init__(
        self,
        engine: Engine,
        threshold: float | None = None,
        *,
        adapt: bool = True,
        run_when: RunWhen | None = None,
    ) -> None:
        self._engine = engine
        self._detector: Detector = engine.detector
        self._calibration = self._detector.calibration
        self._words = Words(self._detector)
        self._names = self._detector.schema.names
        self.record = StreamState(self._detector)
        self._numbers = numbers = self.record.numbers
        first = self._updated(1) / max(self._detector.hidden, 1)
        self._budget = ComputeBudget(self._calibration.target_share, first, numbers)
        self._timeline = Timeline(self._detector.schema, numbers)
        self._sensors = SensorHealth(self._detector, self._words, self.record)
        self.inhibition = Inhibition(run_when, numbers)
        self._events = EventTracker("anomaly", self._calibration.events, numbers.events[0], self._words.top)
        self._explainer = Explainer(self._detector, self._words, self.record)
        self._adapt = adapt
        self._set_by_hand(threshold)
        self._adaptive = self._new_adaptive()
        self._adaptive.start()
        self._native: NativeRows | None = None
        self._kernel = getattr(engine, "kernel", None)
        self._one = ScoreBlock(self._words, np.zeros(1, np.int64), 0)
        self._row: F64 = np.zeros((1, len(self._names)))
        """Where a single sample lies for the kernel."""

    @property
    def detector(self) -> Detector:
        """The detector that judges this stream."""
        return self._detector

    @property
    def state(self) -> State:
        """The engine's part of the record."""
        return self.record.engine

    @property
    def contributions(self) -> F64:
        """What each channel (C,) added to the last statistic; valid until the next sample."""
        return self.record.contributions

    @property
    def threshold(self) -> float:
        """What the next sample is judged by, in the unit of `raw`."""
        return self._adaptive.value if self._by_hand is None else self._by_hand

    def count_from(self, seq: int) -> None:
        """Number the next sample as the one after this: the stream takes over from another of the same asset."""
        self._numbers.seq = seq

    @property
    def engine_name(self) -> str:
        """Name of the engine that runs the detector."""
        return self._engine.name

    @property
    def seq(self) -> int:
        """Number of the last sample."""
        return self._numbers.seq

    def set_threshold(self, threshold: float | None, false_alarms_per_day: float | None = None) -> None:
        """Set the threshold by hand, or by the events a day that it promises; with neither go back to the calibrated
        one. What is not set by hand is adapted, anew from here.
        """
        calibration = self._detector.calibration
        if false_alarms_per_day is not None:
            calibration = calibration.with_false_alarms(false_alarms_per_day, self._detector.schema.period_ns)
        self._calibration = calibration
        self._set_by_hand(threshold)
        self._adaptive, self._native = self._new_adaptive(), None
        self._adaptive.start()

    @property
    def adaptive(self) -> AdaptiveThreshold:
        """What was learned of drift."""
        return self._adaptive

    @property
    def in_event(self) -> bool:
        """Whether an anomaly event is open."""
        return self._events.is_open

    @property
    def open_event(self) -> Event | None:
        """The anomaly event that is open, as it was last published."""
        return self._events.open

    @property
    def watermark_ns(self) -> int | None:
        """Time of the last sample that continued the stream; None before the first."""
        return self._timeline.last_ns

    @property
    def budget(self) -> ComputeBudget:
        """What keeps the updated share at its target."""
        return self._budget

    def push(self, sample: Sample, policy: ComputePolicy = AS_TRAINED) -> Score:
        """Score one sample. One whose time does not continue the stream changes no state (status `clock`).

        The kernel, where the engine has one, judges it if nothing but a score follows from it. Raises ValueError for
        values of another shape than (C,).
        """
        if sample.values.shape != (len(self._names),):
            raise ValueError(f"values of shape {sample.values.shape}, expected ({len(self._names)},)")
        native = self._native_rows()
        if native is not None:
            self._one.time_ns[0], self._row[0] = sample.time_ns, sample.values
            if self._judge_natively(native, self._one, self._row, 0, policy):
                return self._one.at(0)._replace(seq=self._numbers.seq)
        return self.push_in_python(sample, policy)

    def push_in_python(self, sample: Sample, policy: ComputePolicy = AS_TRAINED) -> Score:
        """Score one sample without the kernel: the readable form, to which the kernel's is held bit for bit."""
        numbers = self._numbers
        numbers.seq += 1
        verdict = self._timeline.push(sample.time_ns)
        if verdict in (Verdict.LATE, Verdict.WILD):
            return self._result(sample.time_ns, "clock", 0, None, self._clock_events(verdict))
        checked = self._sensors.check(sample.time_ns, sample.values)
        usable_ns = numbers.usable_ns
        gap = usable_ns != NEVER and (
            verdict is Verdict.ANEW or sample.time_ns - usable_ns > self._detector.schema.max_gap_ns
        )
        if not self.inhibition.always and self.inhibition.inhibited(sample.time_ns, checked.values):
            return self._rest(sample.time_ns, checked)
        numbers.resting = 0
        if checked.missing is not None and checked.missing.all():
            return self._blind(sample.time_ns, checked, gap=gap)
        events = self._cut() if gap else []
        if gap:
            self._reset()
        numbers.usable_ns = sample.time_ns
        return self._judge(sample.time_ns, checked, events, policy, gap=gap)

    def push_block(self, time_ns: NDArray[np.int64], values: F64, policy: ComputePolicy = AS_TRAINED) -> ScoreBlock:
        """Score rows at times (N,) with values (N, C): bit for bit what `push` says of one after the other.

        The kernel, where the engine has one, judges the rows that it can in one call. Raises ValueError for values of
        another shape.
        """
        if values.shape != (len(time_ns), len(self._names)):
            raise ValueError(f"values of shape {values.shape}, expected ({len(time_ns)}, {len(self._names)})")
        block = ScoreBlock(self._words, np.ascontiguousarray(time_ns, np.int64), self.seq + 1)
        values, row = np.ascontiguousarray(values, np.float64), 0
        native = self._native_rows()
        while row < len(block):
            if native is not None:
                row = self._judge_natively(native, block, values, row, policy)
            if row < len(block):
                score = self.push_in_python(Sample(int(block.time_ns[row]), values[row]), policy)
                block.put(row, score, in_event=self.in_event)
                row += 1
        return block

    def _judge_natively(
        self, native: NativeRows, block: ScoreBlock, values: F64, row: int, policy: ComputePolicy
    ) -> int:
        """Let the kernel judge rows from `row` on; return the first one that is left for `push`."""
        steady = self._timeline.steady and not self._numbers.resting and self.threshold > 0
        end = row + self.inhibition.count_running(values[row:]) if steady else row
        return native.judge(self.record, block, values, (row, end), policy) if row < end else row

    def _native_rows(self) -> NativeRows | None:
        """Return what calls the kernel for this stream; None where the engine has no kernel."""
        if self._native is None and self._kernel is not None:
            from vcedge.runtime.stream.native_rows import NativeRows, StreamParts, rules_of

            parts = StreamParts(self._adaptive, self._budget, self._sensors, self._explainer.tracker)
            self._native = NativeRows(self._kernel, rules_of(self._detector, self._calibration, parts))
        return self._native

    def _judge(
        self, time_ns: int, checked: Checked, events: list[Event | None], policy: ComputePolicy, *, gap: bool
    ) -> Score:
        """Judge a sample that continues the stream: the engine's step, and what follows from it."""
        numbers, engine = self._numbers, self.record.engine
        stuck, defects = self._sensors.follow(time_ns, checked)
        warming = engine.seen < self._calibration.warmup_rows
        in_event = self.in_event
        asked = ComputePolicy(policy.min_level, policy.logit_bias + self._budget.bias(in_event=in_event))
        numbers.raw, level, contributions = self._engine.step(checked.values, engine, asked)
        self.record.contributions[:] = contributions
        raw = numbers.raw
        if self._detector.levels > 1:
            share = self._above_floor(level, policy.min_level) / self._detector.hidden
            self._budget.spend(share, in_event=in_event, logit_bias=policy.logit_bias)
        top = leading_channels(contributions, raw)
        numbers.top[:] = top
        status: Status = "gap" if gap else status_of(checked, warming=warming, stuck=stuck is not None)
        event = self._events.push(time_ns, raw, self.threshold, top, allowed=not warming)
        wake = engine.wake if level > 0 else WAKE_NONE
        events.append(self._explainer.row(event, engine, wake, is_open=self.in_event))
        score = self._result(time_ns, status, level, checked.missing, [*events, *defects])
        self._count_end(event)
        imputed = 0.0 if checked.missing is None else checked.missing.mean()
        if self._by_hand is None and (status == "ok" or (status == "imputed" and imputed <= MOST_IMPUTED)):
            self._adaptive.learn(raw, in_event=self.in_event)
        return score

    def _blind(self, time_ns: int, checked: Checked, *, gap: bool) -> Score:
        """Count a sample without a usable value: what the sensors lack is an event until one has a value."""
        events = self._end_anomaly() if gap else []
        events += self._sensors.blind(time_ns, checked)
        self._numbers.blind_ns = time_ns
        return self._result(time_ns, "stale", 0, checked.missing, events)

    def _rest(self, time_ns: int, checked: Checked) -> Score:
        """Count a sample of a machine that stands or is being serviced: what was open ends, and the state is empty
        until it runs again (docs/decisions/0020).
        """
        numbers = self._numbers
        events: list[Event | None] = []
        if not numbers.resting:
            events += self._cut()
            self._reset()
        numbers.resting, numbers.usable_ns = 1, time_ns
        self._budget.rest()
        events += self._sensors.rest(time_ns)
        return self._result(time_ns, "inhibited", 0, checked.missing, events)

    def _clock_events(self, verdict: Verdict) -> list[Event | None]:
        """A time far from the last one is an event at once; late samples are once there are several in a row."""
        if verdict is Verdict.LATE and self._timeline.wrong < LATE_ROWS:
            return []
        return [*self._sensors.clock_wrong(self._timeline.last_ns or 0)]

    def _cut(self) -> list[Event | None]:
        """End what was open, as of the last sample."""
        last_ns = max(self._numbers.usable_ns, self._numbers.blind_ns, 0)
        return [*self._end_anomaly(), *self._sensors.close(last_ns)]

    def _end_anomaly(self) -> list[Event | None]:
        """End an anomaly that is open, as of the last usable sample."""
        ended = self._events.close(max(self._numbers.usable_ns, 0))
        self._count_end(ended)
        return [ended and self._explainer.explain(ended)]

    def snapshot(self) -> bytes:
        """Return all that the future depends on, with its format version; `restore` is the inverse.

        A threshold set by hand is not part of it: that belongs to whoever set it.
        """
        return save_state(self.record)

    def restore(self, snapshot: object) -> None:
        """Continue from a snapshot of a stream of the same model: the same samples give the same scores, bit for bit.

        Takes the bytes of `snapshot`, their base64, or the JSON values of format 1. Raises DataError where it cannot be
        of this model; the stream is then of no use.
        """
        restore_state(self.record, snapshot, self._words)
        self._adaptive.update()

    def _named(self, channels: Mask | None) -> tuple[str, ...]:
        return () if channels is None else tuple(self._names[i] for i in np.flatnonzero(channels))

    def _set_by_hand(self, threshold: float | None) -> None:
        self._by_hand = threshold
        self._numbers.by_hand = float("nan") if threshold is None else threshold

    def _new_adaptive(self) -> AdaptiveThreshold:
        adaptive = AdaptiveThreshold(
            self._calibration, self._detector.schema.period_ns, enabled=self._adapt, numbers=self._numbers
        )
        self._numbers.adapts = adaptive.enabled and self._by_hand is None
        return adaptive

    def _count_end(self, event: Event | None) -> None:
        if self._by_hand is None and event is not None and event.type == "end":
            self._adaptive.event_ended()

    def _reset(self) -> None:
        self.record.engine.reset()
        self._explainer.reset()
        self._sensors.reset()
        self._numbers.raw, self._numbers.top[:], self._numbers.blind_ns = 0.0, NO_TOP, 0

    def _result(
        self,
        time_ns: int,
        status: Status,
        level: int,
        missing: Mask | None,
        events: Sequence[Event | None],
    ) -> Score:
        judged = status not in UNJUDGED
        numbers, threshold = self._numbers, self.threshold
        raw = numbers.raw
        return Score(
            time_ns=time_ns,
            seq=numbers.seq,
            raw=raw,
            score=self._calibration.score(raw, threshold),
            alarm=judged and raw > threshold,
            threshold=threshold,
            updated=self._updated(level),
            hidden=self._detector.hidden,
            status=status,
            top=self._words.top(numbers.top[:]),
            wake=self._wake(level),
            missing=self._named(missing),
            events=tuple([event for event in events if event is not None]),
        )

    def _updated(self, level: int) -> int:
        """Hidden dimensions that a level updates."""
        cell = self._detector.cell
        return 0 if cell is None or level == 0 else cell.spec.boundaries[level - 1]

    def _above_floor(self, level: int, floor: int) -> int:
        """Hidden dimensions that a level updates, as if a floor above the first level were that level."""
        floor = min(max(floor, 1), self._detector.levels)
        return self._updated(level) - self._updated(floor) + self._updated(1)

    def _wake(self, level: int) -> str:
        """Why the network computed more than its floor at this level; empty when it did not, or there was no step."""
        return self._words.wake(self.state.wake if level > 0 else WAKE_NONE)
