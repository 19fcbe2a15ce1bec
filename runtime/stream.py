"""One asset's stream of samples: order in time, gaps, sensor states, warm-up, score, alarm and events.

No input or output and no clock: the same samples give the same scores, in a file today or live in two years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vcedge.detector import Detector, scheduler_inputs
from vcedge.errors import DataError
from vcedge.packed import pack, pack_bytes, unpack, unpack_bytes
from vcedge.runtime.adaptive import AdaptiveThreshold
from vcedge.runtime.budget import Budget
from vcedge.runtime.engine import Engine
from vcedge.runtime.events import Event, EventTracker, Top, top_of
from vcedge.runtime.explainer import Explainer
from vcedge.runtime.state import WAKE_MEMORY, WAKE_NONE, WAKE_SURPRISE, State
from vcedge.schema import F64, Sample, beyond_limits

Status = Literal["warmup", "ok", "imputed", "stale", "gap", "stuck", "limit", "clock", "inhibited"]
TOP_CHANNELS = 3
WAKE_WORDS = {WAKE_NONE: "", WAKE_SURPRISE: "surprise", WAKE_MEMORY: "memory"}
MOST_IMPUTED = 0.25
"""Largest share of missing channels with which a row still tells what normal is."""


@dataclass(frozen=True)
class Score:
    """What is known after one sample. `raw` is what alarms are decided on, `score` the same in [0, 1]."""

    time_ns: int
    seq: int
    raw: float
    score: float
    alarm: bool
    threshold: float
    updated: int
    hidden: int
    status: Status
    top: Top
    wake: str
    missing: tuple[str, ...]
    events: tuple[Event, ...]


class StuckCounter:
    """Counts how long each channel has stood still to the last bit; a run longer than in training is a defect."""

    def __init__(self, limits: tuple[int, ...]) -> None:
        self._limits = np.array(limits)
        self._last: F64 = np.full(len(limits), np.nan)
        self._run = np.zeros(len(limits), np.int64)
        self._moving = True
        """Whether all runs are 0."""
        self._none = np.zeros(len(limits), bool)

    def push(self, values: F64, whole: bool = False) -> NDArray[np.bool_]:
        """Which channels (C,) are stuck after this sample. A missing value neither counts nor resets; `whole` says that
        none is missing.
        """
        same = values == self._last
        if whole and not np.count_nonzero(same):  # the usual row, and so a quick one
            self._last[:] = values
            if not self._moving:
                self._run[:], self._moving = 0, True
            return self._none
        present = np.isfinite(values)
        self._run[:] = np.where(present, np.where(same, self._run + 1, 0), self._run)
        self._last[:] = np.where(present, values, self._last)
        self._moving = False
        return np.asarray((self._limits > 0) & (self._run >= self._limits))

    def reset(self) -> None:
        """Forget all runs, as after a gap."""
        self._last[:] = np.nan
        self._run[:], self._moving = 0, True

    def snapshot(self) -> dict[str, Any]:
        """The memory as JSON values; `restore` is the inverse."""
        return {"last": pack(self._last), "run": pack(self._run)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of as many channels. Raises DataError for another one's."""
        self._last, self._run = unpack(snapshot["last"], self._last), unpack(snapshot["run"], self._run)
        self._moving = False  # all runs may be 0, and are then found to be


class Stream:
    """Owns the state of one asset and turns samples into scores.

    A `threshold` set by hand stands as it is; the calibrated one follows slow drift unless `adapt` is false.
    """

    def __init__(self, engine: Engine, threshold: float | None = None, adapt: bool = True) -> None:
        self._engine = engine
        self._detector: Detector = engine.detector
        self._calibration = self._detector.calibration
        self._by_hand = threshold
        self._adapt = adapt
        self._adaptive = self._new_adaptive()
        self._budget = Budget(self._calibration.target_share)
        self.state = engine.new_state()
        self._low, self._high = self._detector.schema.limits()
        self._stuck = StuckCounter(self._calibration.stuck_rows)
        self._events = EventTracker("anomaly", self._calibration.events)
        self._stuck_events = EventTracker("stuck")
        self._explainer = Explainer(self._detector)
        self._names = self._detector.schema.names
        self._wakes = scheduler_inputs(self._detector.schema, self._detector.features.flags)
        self._last_ns: int | None = None
        self._usable_ns: int | None = None
        """Time of the last sample that was not `stale`: what a gap is measured from."""
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

    def set_threshold(self, threshold: float | None) -> None:
        """Set the threshold by hand, or with None go back to the calibrated one and adapt it anew."""
        self._by_hand = threshold
        self._adaptive = self._new_adaptive()

    @property
    def adaptive(self) -> AdaptiveThreshold:
        """What was learned of drift."""
        return self._adaptive

    @property
    def in_event(self) -> bool:
        """Whether an anomaly event is open."""
        return self._events.is_open

    @property
    def budget(self) -> Budget:
        """What keeps the updated share at its target."""
        return self._budget

    def push(self, sample: Sample, min_level: int = 1, logit_bias: float = 0.0) -> Score:
        """Score one sample. A sample that is not later than the last one, or from before 1970, changes no state
        (status `clock`).

        Raises ValueError for values of another shape than (C,).
        """
        if sample.values.shape != self._low.shape:
            raise ValueError(f"values of shape {sample.values.shape}, expected {self._low.shape}")
        self._seq += 1
        if sample.time_ns < 0 or (self._last_ns is not None and sample.time_ns <= self._last_ns):
            return self._result(sample.time_ns, "clock", 0, None, ())
        self._last_ns = sample.time_ns
        values, beyond, missing = self._usable(sample.values)
        events: list[Event | None] = []
        gap = self._usable_ns is not None and sample.time_ns - self._usable_ns > self._detector.schema.max_gap_ns
        if gap and self._usable_ns is not None:
            ended = self._events.close(self._usable_ns)
            events += [ended and self._explainer.explain(ended), self._stuck_events.close(self._usable_ns)]
            self._count_end(ended)
        if missing is not None and missing.all():
            return self._result(sample.time_ns, "stale", 0, missing, events)
        if gap:
            self._reset()
        self._usable_ns = sample.time_ns
        stopped = self._stuck.push(values, missing is None)
        stuck = stopped if np.count_nonzero(stopped) else None

        warming = self.state.seen < self._calibration.warmup_rows
        in_event = self.in_event
        bias = logit_bias + self._budget.bias(in_event)
        self._raw, level, self.contributions = self._engine.step(values, self.state, min_level, bias)
        if self._detector.levels > 1:
            self._budget.spend(self._updated(level) / self._detector.hidden, in_event)
        self._top = self._top_channels(self.contributions, self._raw)
        status: Status = "gap" if gap else _status(warming, beyond, stuck is not None, missing is not None)
        event = self._events.push(sample.time_ns, self._raw, self.threshold, self._top, not warming)
        events.append(self._explainer.row(event, self.state, self._wake(level), self.in_event))
        stuck_top = tuple((name, 1.0) for name in self._named(stuck)[:TOP_CHANNELS])
        events.append(self._stuck_events.push(sample.time_ns, float(stuck is not None), 0.5, stuck_top))
        score = self._result(sample.time_ns, status, level, missing, events)
        self._count_end(event)
        imputed = 0.0 if missing is None else missing.mean()
        if self._by_hand is None and (status == "ok" or (status == "imputed" and imputed <= MOST_IMPUTED)):
            self._adaptive.learn(self._raw, self.in_event)
        return score

    def snapshot(self) -> dict[str, Any]:
        """All that the future depends on, as JSON values; `restore` is the inverse.

        A threshold set by hand is not part of it: that belongs to whoever set it.
        """
        return {
            "seq": self._seq,
            "last_ns": self._last_ns,
            "usable_ns": self._usable_ns,
            "raw": self._raw,
            "top": self._top,
            "state": pack_bytes(self.state.tobytes()),
            "budget": self._budget.snapshot(),
            "adaptive": self._adaptive.snapshot(),
            "stuck": self._stuck.snapshot(),
            "events": self._events.snapshot(),
            "stuck_events": self._stuck_events.snapshot(),
            "explainer": self._explainer.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from a snapshot of a stream of the same model: the same samples then give the same scores, bit for bit.

        Raises DataError where it cannot be of this model; the stream is then of no use.
        """
        try:
            self._seq, self._last_ns, self._usable_ns = snapshot["seq"], snapshot["last_ns"], snapshot["usable_ns"]
            self._raw, self._top = snapshot["raw"], top_of(snapshot["top"])
            self.state = State(self.state.record.dtype, unpack_bytes(snapshot["state"]))
            self._budget.restore(snapshot["budget"])
            self._adaptive.restore(snapshot["adaptive"])
            self._stuck.restore(snapshot["stuck"])
            self._events.restore(snapshot["events"])
            self._stuck_events.restore(snapshot["stuck_events"])
            self._explainer.restore(snapshot["explainer"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"a snapshot of something else: {type(error).__name__}: {error}") from None

    def _usable(self, values: F64) -> tuple[F64, bool, NDArray[np.bool_] | None]:
        """Values (C,) with NaN where they are missing or beyond a limit, whether one is beyond, and where they are NaN;
        None: nowhere."""
        if np.count_nonzero((values >= self._low) & (values <= self._high)) == len(values):
            return values, False, None  # the usual row, and so a quick one
        beyond = beyond_limits(values, self._low, self._high)
        missing = np.asarray(beyond | ~np.isfinite(values))
        return np.where(missing, np.nan, values), bool(beyond.any()), missing

    def _named(self, channels: NDArray[np.bool_] | None) -> tuple[str, ...]:
        return () if channels is None else tuple(self._names[i] for i in np.flatnonzero(channels))

    def _new_adaptive(self) -> AdaptiveThreshold:
        return AdaptiveThreshold(self._calibration, self._detector.schema.period_ns, self._adapt)

    def _count_end(self, event: Event | None) -> None:
        if self._by_hand is None and event is not None and event.type == "end":
            self._adaptive.event_ended()

    def _reset(self) -> None:
        self.state.reset()
        self._explainer.reset()
        self._stuck.reset()
        self._raw, self._top = 0.0, ()

    def _result(
        self,
        time_ns: int,
        status: Status,
        level: int,
        missing: NDArray[np.bool_] | None,
        events: list[Event | None] | tuple[()],
    ) -> Score:
        judged = status not in ("clock", "stale", "gap", "warmup")
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

    def _wake(self, level: int) -> str:
        """Why the network computed more than its floor at this level; empty when it did not, or there was no step."""
        wake = self.state.wake if level > 0 else WAKE_NONE
        return WAKE_WORDS[wake] if wake < 0 else self._wakes[wake]

    def _top_channels(self, contributions: F64, raw: float) -> Top:
        """Up to three channels with the largest shares of the statistic, rounded as they are published."""
        if raw <= 0.0:
            return ()
        values = contributions.tolist()
        order = (-contributions).argsort(kind="stable").tolist()[:TOP_CHANNELS]
        shares = [(self._names[i], round(values[i] / raw, 2)) for i in order]
        return tuple([named for named in shares if named[1] > 0.0])


def _status(warming: bool, beyond: bool, stuck: bool, missing: bool) -> Status:
    """The one status of a sample that was scored: the most serious first."""
    if warming:
        return "warmup"
    if beyond:
        return "limit"
    if stuck:
        return "stuck"
    return "imputed" if missing else "ok"
