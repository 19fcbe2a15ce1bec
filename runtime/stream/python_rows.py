"""Scores rows of a stream in Python: all that happens to a sample, and the reference for the kernel's rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vcedge.runtime.engine.interface import ComputePolicy, Engine
from vcedge.runtime.engine.state import WAKE_NONE
from vcedge.runtime.stream.adaptive_threshold import MOST_IMPUTED
from vcedge.runtime.stream.events import Event
from vcedge.runtime.stream.parts import StreamParts
from vcedge.runtime.stream.score import UNJUDGED, Score, Status
from vcedge.runtime.stream.score_names import leading_channels
from vcedge.runtime.stream.sensor_health import Checked, Mask, status_of
from vcedge.runtime.stream.state import NEVER, NO_TOP
from vcedge.runtime.stream.timeline import Verdict
from vcedge.schema import Sample

LATE_ROWS = 3
"""Number of consecutive late samples that make an event of the clock; fewer are reordering by the network."""


class PythonRows:
    """Scores samples of one stream; the kernel gives the same scores and the same record bit for bit."""

    def __init__(self, engine: Engine, parts: StreamParts) -> None:
        self._engine, self._parts = engine, parts
        self._numbers = parts.numbers
        self._max_gap_ns = parts.detector.schema.max_gap_ns

    def score(self, sample: Sample, policy: ComputePolicy) -> Score:
        """Score one sample. One whose time does not continue the stream changes no other state (status `clock`)."""
        parts, numbers = self._parts, self._numbers
        numbers.seq += 1
        verdict = parts.timeline.push(sample.time_ns)
        if verdict in (Verdict.LATE, Verdict.OUTLIER):
            return self._result(sample.time_ns, "clock", 0, None, self._clock_events(verdict))
        checked = parts.sensors.check(sample.time_ns, sample.values)
        usable_ns = numbers.usable_ns
        gap = usable_ns != NEVER and (verdict is Verdict.RESTART or sample.time_ns - usable_ns > self._max_gap_ns)
        if parts.inhibition.possible and parts.inhibition.inhibited(sample.time_ns, checked.values):
            return self._inhibited(sample.time_ns, checked)
        numbers.inhibited = 0
        if checked.missing is not None and checked.missing.all():
            return self._stale(sample.time_ns, checked, gap=gap)
        events = self._end_events() if gap else []
        if gap:
            self._reset()
        numbers.usable_ns = sample.time_ns
        return self._usable(sample.time_ns, checked, events, policy, gap=gap)

    def _usable(
        self, time_ns: int, checked: Checked, events: list[Event | None], policy: ComputePolicy, *, gap: bool
    ) -> Score:
        """Score a sample with the engine, and decide what follows from the statistic."""
        parts, numbers, engine = self._parts, self._numbers, self._parts.record.engine
        stuck, defects = parts.sensors.push(time_ns, checked)
        warming = engine.seen < parts.calibration.warmup_rows
        in_event, named = parts.events.is_open, parts.explainer.names_next
        biased = ComputePolicy(policy.min_level, policy.logit_bias + parts.budget.bias(in_event=in_event))
        numbers.raw, level, contributions = self._engine.step(checked.values, engine, biased)
        parts.record.contributions[:] = contributions
        raw = numbers.raw
        if parts.detector.levels > 1:
            share = self._scheduled(level, policy.min_level) / parts.detector.hidden
            parts.budget.spend(share, in_event=in_event, logit_bias=policy.logit_bias)
        numbers.top[:] = top = leading_channels(contributions, raw)
        status: Status = "gap" if gap else status_of(checked, warming=warming, stuck=stuck is not None)
        evidence = parts.adaptive.evidence(raw)
        event = parts.events.push(time_ns, evidence, parts.threshold, top, allowed=not warming)
        if event is None and named and parts.events.is_open:
            event = parts.events.publish_again(time_ns)
        wake = engine.wake if level > 0 else WAKE_NONE
        events.append(parts.explainer.push(event, engine, wake, is_open=parts.events.is_open))
        events += [parts.range.push(time_ns, checked.values), *defects]
        score = self._result(time_ns, status, level, checked.missing, events)
        imputed = 0.0 if checked.missing is None else checked.missing.mean()
        if parts.manual is None and status not in UNJUDGED and imputed <= MOST_IMPUTED:
            parts.adaptive.learn(raw)
        return score

    def _stale(self, time_ns: int, checked: Checked, *, gap: bool) -> Score:
        """Count a sample without a usable value."""
        events = self._end_machine_events() if gap else []
        events += self._parts.sensors.push_stale(time_ns, checked)
        self._numbers.stale_ns = time_ns
        return self._result(time_ns, "stale", 0, checked.missing, events)

    def _inhibited(self, time_ns: int, checked: Checked) -> Score:
        """Count an inhibited sample: open events end, and the state is empty until the machine runs again."""
        parts, numbers = self._parts, self._numbers
        events: list[Event | None] = []
        if not numbers.inhibited:
            events += self._end_events()
            self._reset()
        numbers.inhibited, numbers.usable_ns = 1, time_ns
        parts.budget.repay()
        events += parts.sensors.push_inhibited(time_ns)
        return self._result(time_ns, "inhibited", 0, checked.missing, events)

    def _clock_events(self, verdict: Verdict) -> list[Event | None]:
        """Return the events of a wrong time: an outlier is an event at once, late samples if there are several."""
        timeline = self._parts.timeline
        if verdict is Verdict.LATE and timeline.rejected_rows < LATE_ROWS:
            return []
        return [*self._parts.sensors.push_clock_error(timeline.last_ns or 0)]

    def _end_events(self) -> list[Event | None]:
        """End all open events at the last sample."""
        last_ns = max(self._numbers.usable_ns, self._numbers.stale_ns, 0)
        return [*self._end_machine_events(), *self._parts.sensors.close(last_ns)]

    def _end_machine_events(self) -> list[Event | None]:
        """End the events of the machine, anomaly and range, at the last usable sample."""
        last_ns = max(self._numbers.usable_ns, 0)
        ended = self._parts.events.close(last_ns)
        return [ended and self._parts.explainer.explain(ended), self._parts.range.close(last_ns)]

    def _reset(self) -> None:
        """Reset the state to that of a new stream, except for what was learned."""
        parts, numbers = self._parts, self._numbers
        parts.record.engine.reset()
        parts.adaptive.restart()
        parts.explainer.reset()
        parts.sensors.reset()
        numbers.raw, numbers.top[:], numbers.stale_ns = 0.0, NO_TOP, 0

    def _result(
        self, time_ns: int, status: Status, level: int, missing: Mask | None, events: Sequence[Event | None]
    ) -> Score:
        parts, numbers, threshold = self._parts, self._numbers, self._parts.threshold
        channels, raw = parts.names.channels, numbers.raw
        evidence = parts.adaptive.evidence(raw)
        return Score(
            time_ns=time_ns,
            seq=numbers.seq,
            raw=raw,
            score=parts.calibration.score(evidence, threshold),
            alarm=status not in UNJUDGED and evidence > threshold,
            threshold=threshold,
            updated=parts.updated(level),
            hidden=parts.detector.hidden,
            status=status,
            top=parts.names.top(numbers.top[:]),
            wake=parts.names.wake(parts.record.engine.wake if level > 0 else WAKE_NONE),
            missing=() if missing is None else tuple(channels[i] for i in np.flatnonzero(missing)),
            events=tuple([event for event in events if event is not None]),
        )

    def _scheduled(self, level: int, floor: int) -> int:
        """Return the hidden dimensions that a level updates, counting a floor above the first level as the first."""
        updated = self._parts.updated
        floor = min(max(floor, 1), self._parts.detector.levels)
        return updated(level) - updated(floor) + updated(1)
