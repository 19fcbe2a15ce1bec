"""One asset's stream of samples: order in time, gaps, sensor states, warm-up, score, alarm and events.

No input or output and no clock: the same samples give the same scores, in a file today or live in two years.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector
from vcedge.errors import DataError
from vcedge.packed import pack_bytes, unpack_bytes
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy, Engine
from vcedge.runtime.engine.state import WAKE_NONE, State
from vcedge.runtime.stream.adaptive_threshold import MOST_IMPUTED, AdaptiveThreshold
from vcedge.runtime.stream.compute_budget import Budget
from vcedge.runtime.stream.events import Event, EventTracker, Top, top_of
from vcedge.runtime.stream.explainer import Explainer
from vcedge.runtime.stream.inhibition import Operation, RunWhen
from vcedge.runtime.stream.score import UNJUDGED, Score, Status
from vcedge.runtime.stream.score_block import TOP_CHANNELS, ScoreBlock, Words
from vcedge.runtime.stream.sensor_health import Checked, Mask, SensorHealth, status_of
from vcedge.runtime.stream.timeline import Timeline, Verdict
from vcedge.schema import F64, Sample

if TYPE_CHECKING:
    from vcedge.runtime.stream.native_rows import NativeJudge

__all__ = ["Score", "Status", "Stream"]
LATE_ROWS = 3
"""Samples in a row that are late make an event of the clock; fewer are the network's reordering."""


class Stream:
    """Owns the state of one asset and turns samples into scores.

    A `threshold` set by hand stands as it is; the calibrated one follows slow drift unless `adapt` is false.
    """

    def __init__(
        self,
        engine: Engine,
        threshold: float | None = None,
        adapt: bool = True,
        run_when: RunWhen | None = None,
    ) -> None:
        self._engine = engine
        self._detector: Detector = engine.detector
        self._calibration = self._detector.calibration
        self._by_hand = threshold
        self._adapt = adapt
        self._adaptive = self._new_adaptive()
        first = self._updated(1) / max(self._detector.hidden, 1)
        self._budget = Budget(self._calibration.target_share, first)
        self.state = engine.new_state()
        self._timeline = Timeline(self._detector.schema)
        self._sensors = SensorHealth(self._detector)
        self.operation = Operation(run_when)
        self._events = EventTracker("anomaly", self._calibration.events)
        self._explainer = Explainer(self._detector)
        self._names = self._detector.schema.names
        self._words = Words(self._detector)
        self._many = self._new_judge()
        self._usable_ns: int | None = None
        """Time of the last sample that was not `stale`: what a gap is measured from."""
        self._blind_ns = 0
        """Time of the last sample that was `stale`, if no gap came after it."""
        self._resting = False
        """Whether the machine stands or is being serviced: the state is then empty."""
        self._seq = 0
        self._raw = 0.0
        self._top: Top = ()
        self.contributions: F64 = np.zeros(self._detector.channels)
        """What each channel (C,) added to the last statistic."""

    @property
    def detector(self) -> Detector:
        """What this stream is judged by."""
        return self._detector

    @property
    def threshold(self) -> float:
        """What the next sample is judged by, in the unit of `raw`."""
        return self._adaptive.value if self._by_hand is None else self._by_hand

    def count_from(self, seq: int) -> None:
        """Number the next sample as the one after this: the stream takes over from another of the same asset."""
        self._seq = seq

    @property
    def engine_name(self) -> str:
        """Of the engine that judges."""
        return self._engine.name

    @property
    def seq(self) -> int:
        """Number of the last sample."""
        return self._seq

    def set_threshold(self, threshold: float | None, false_alarms_per_day: float | None = None) -> None:
        """Set the threshold by hand, or by the events a day that it promises; with neither go back to the calibrated
        one. What is not set by hand is adapted, anew from here."""
        calibration = self._detector.calibration
        if false_alarms_per_day is not None:
            calibration = calibration.with_false_alarms(false_alarms_per_day, self._detector.schema.period_ns)
        self._by_hand, self._calibration = threshold, calibration
        self._adaptive, self._many = self._new_adaptive(), self._new_judge()

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
    def budget(self) -> Budget:
        """What keeps the updated share at its target."""
        return self._budget

    def push(self, sample: Sample, policy: ComputePolicy = AS_TRAINED) -> Score:
        """Score one sample. One whose time does not continue the stream changes no state (status `clock`).

        Raises ValueError for values of another shape than (C,).
        """
        if sample.values.shape != self.contributions.shape:
            raise ValueError(f"values of shape {sample.values.shape}, expected {self.contributions.shape}")
        self._seq += 1
        verdict = self._timeline.push(sample.time_ns)
        if verdict in (Verdict.LATE, Verdict.WILD):
            return self._result(sample.time_ns, "clock", 0, None, self._clock_events(verdict))
        checked = self._sensors.check(sample.time_ns, sample.values)
        events: list[Event | None] = []
        gap = self._usable_ns is not None and (
            verdict is Verdict.ANEW or sample.time_ns - self._usable_ns > self._detector.schema.max_gap_ns
        )
        if not self.operation.always and self.operation.inhibited(sample.time_ns, checked.values):
            return self._rest(sample.time_ns, checked)
        self._resting = False
        if checked.missing is not None and checked.missing.all():
            return self._blind(sample.time_ns, checked, gap)
        if gap:
            events += self._cut()
            self._reset()
        self._usable_ns = sample.time_ns
        return self._judge(sample.time_ns, checked, gap, events, policy)

    def push_block(self, time_ns: NDArray[np.int64], values: F64, policy: ComputePolicy = AS_TRAINED) -> ScoreBlock:
        """Score rows at times (N,) with values (N, C): bit for bit what `push` says of one after the other.

        An engine that can judge rows does those that it can in one go. Raises ValueError for values of another shape.
        """
        if values.shape != (len(time_ns), len(self._names)):
            raise ValueError(f"values of shape {values.shape}, expected ({len(time_ns)}, {len(self._names)})")
        block = ScoreBlock(self._words, np.ascontiguousarray(time_ns, np.int64), self._seq + 1)
        values, row = np.ascontiguousarray(values, np.float64), 0
        while row < len(block):
            if self._many is not None:
                row = self._many.judge(self, block, values, row, policy)
            if row < len(block):
                score = self.push(Sample(int(block.time_ns[row]), values[row]), policy)
                block.put(row, score, self.in_event)
                row += 1
        return block

    def _judge(
        self, time_ns: int, checked: Checked, gap: bool, events: list[Event | None], policy: ComputePolicy
    ) -> Score:
        """A sample that continues the stream: the engine's step, and what follows from it."""
        stuck, defects = self._sensors.follow(time_ns, checked)
        warming = self.state.seen < self._calibration.warmup_rows
        in_event = self.in_event
        asked = ComputePolicy(policy.min_level, policy.logit_bias + self._budget.bias(in_event))
        self._raw, level, self.contributions = self._engine.step(checked.values, self.state, asked)
        if self._detector.levels > 1:
            share = self._above_floor(level, policy.min_level) / self._detector.hidden
            self._budget.spend(share, in_event, policy.logit_bias)
        self._top = self._top_channels(self.contributions, self._raw)
        status: Status = "gap" if gap else status_of(checked, warming, stuck is not None)
        event = self._events.push(time_ns, self._raw, self.threshold, self._top, not warming)
        events.append(self._explainer.row(event, self.state, self._wake(level), self.in_event))
        score = self._result(time_ns, status, level, checked.missing, [*events, *defects])
        self._count_end(event)
        imputed = 0.0 if checked.missing is None else checked.missing.mean()
        if self._by_hand is None and (status == "ok" or (status == "imputed" and imputed <= MOST_IMPUTED)):
            self._adaptive.learn(self._raw, self.in_event)
        return score

    def _blind(self, time_ns: int, checked: Checked, gap: bool) -> Score:
        """A sample without a usable value: what the sensors lack is an event that goes on until one has a value."""
        events = self._end_anomaly() if gap else []
        events += self._sensors.blind(time_ns, checked)
        self._blind_ns = time_ns
        return self._result(time_ns, "stale", 0, checked.missing, events)

    def _rest(self, time_ns: int, checked: Checked) -> Score:
        """A sample of a machine that stands or is being serviced: what was open ends, and the state is empty until it
        runs again (docs/decisions/0020)."""
        events: list[Event | None] = []
        if not self._resting:
            events += self._cut()
            self._reset()
        self._resting, self._usable_ns = True, time_ns
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
        return [*self._end_anomaly(), *self._sensors.close(max(self._usable_ns or 0, self._blind_ns))]

    def _end_anomaly(self) -> list[Event | None]:
        """End an anomaly that is open, as of the last usable sample."""
        ended = self._events.close(self._usable_ns or 0)
        self._count_end(ended)
        return [ended and self._explainer.explain(ended)]

    def snapshot(self) -> dict[str, Any]:
        """All that the future depends on, as JSON values; `restore` is the inverse.

        A threshold set by hand is not part of it: that belongs to whoever set it.
        """
        return {
            "seq": self._seq,
            "timeline": self._timeline.snapshot(),
            "usable_ns": self._usable_ns,
            "raw": self._raw,
            "top": self._top,
            "state": pack_bytes(self.state.tobytes()),
            "budget": self._budget.snapshot(),
            "adaptive": self._adaptive.snapshot(),
            "sensors": self._sensors.snapshot(),
            "operation": self.operation.snapshot(),
            "blind_ns": self._blind_ns,
            "resting": self._resting,
            "events": self._events.snapshot(),
            "explainer": self._explainer.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of a stream of the same model: the same samples then give the same scores, bit for bit.

        Raises DataError where it cannot be of this model; the stream is then of no use.
        """
        try:
            self._seq, self._usable_ns, self._resting = snapshot["seq"], snapshot["usable_ns"], snapshot["resting"]
            self._blind_ns = snapshot["blind_ns"]
            self._timeline.restore(snapshot["timeline"])
            self._raw, self._top = snapshot["raw"], top_of(snapshot["top"])
            self.state = State(self.state.record.dtype, unpack_bytes(snapshot["state"]))
            self._budget.restore(snapshot["budget"])
            self._adaptive.restore(snapshot["adaptive"])
            self._sensors.restore(snapshot["sensors"])
            self.operation.restore(snapshot["operation"])
            self._events.restore(snapshot["events"])
            self._explainer.restore(snapshot["explainer"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"a snapshot of something else: {type(error).__name__}: {error}") from None

    def _named(self, channels: Mask | None) -> tuple[str, ...]:
        return () if channels is None else tuple(self._names[i] for i in np.flatnonzero(channels))

    def _new_adaptive(self) -> AdaptiveThreshold:
        return AdaptiveThreshold(self._calibration, self._detector.schema.period_ns, self._adapt)

    def _new_judge(self) -> NativeJudge | None:
        kernel = getattr(self._engine, "kernel", None)
        if kernel is None:
            return None
        from vcedge.runtime.stream.native_rows import NativeJudge

        return NativeJudge(kernel)

    def _count_end(self, event: Event | None) -> None:
        if self._by_hand is None and event is not None and event.type == "end":
            self._adaptive.event_ended()

    def _reset(self) -> None:
        self.state.reset()
        self._explainer.reset()
        self._sensors.reset()
        self._raw, self._top, self._blind_ns = 0.0, (), 0

    def _result(
        self,
        time_ns: int,
        status: Status,
        level: int,
        missing: Mask | None,
        events: Sequence[Event | None],
    ) -> Score:
        judged = status not in UNJUDGED
        return Score(
            time_ns=time_ns,
            seq=self._seq,
            raw=self._raw,
            score=self._calibration.score(self._raw, self.threshold),
            alarm=judged and self._raw > self.threshold,
            threshold=self.threshold,
            updated=self._updated(level),
            hidden=self._detector.hidden,
            status=status,
            top=self._top,
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

    def _top_channels(self, contributions: F64, raw: float) -> Top:
        """Up to three channels with the largest shares of the statistic, rounded as they are published."""
        if raw <= 0.0:
            return ()
        values = contributions.tolist()
        order = (-contributions).argsort(kind="stable").tolist()[:TOP_CHANNELS]
        shares = [(self._names[i], round(values[i] / raw, 2)) for i in order]
        return tuple([named for named in shares if named[1] > 0.0])
