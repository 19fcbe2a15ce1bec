"""Runs every method on the same rows, with the same calibration and the same alarm logic."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import TrainConfig
from vcedge.evaluation.measure import LabelledScores, Measures, mean_of, measure
from vcedge.evaluation.replay import alarm_spans
from vcedge.evaluation.vus import dominant_period, segments
from vcedge.history import Recording
from vcedge.schema import F64
from vcedge.train.compare.cases import Case, ComparisonInput, with_faults
from vcedge.train.compare.cost import energy_of_ticks, time_ticks
from vcedge.train.compare.fitting import Progress, train_methods
from vcedge.train.compare.methods import MAIN, OFF, Method, MethodScores, NetworkMethod
from vcedge.train.pipeline import Trained

TIMED_ROWS = 2000
"""Rows on which the time of one row is measured."""
ON_CLEAN_ROWS = ("false_alarms", "normal_days", "false_alarms_per_day", "false_alarms_per_10k", "updated_normal")
"""Measures of recordings without injected faults: the normal rows of the copies would count the same rows twice."""
REGIMES = ("quiet", "middle", "lively")
"""Thirds of the normal rows by how much the input changes."""


@dataclass(frozen=True)
class MethodResult:
    """Holds the scores, decisions and measures of one method on all cases."""

    method: Method
    scores: tuple[MethodScores, ...]
    decisions: tuple[LabelledScores, ...]
    each: tuple[Measures, ...]
    mean: Measures
    us: float
    """Microseconds for one row, measured in this run."""
    energy_uj: float | None

    @property
    def macs(self) -> float:
        """Mean multiply-accumulates of a row over all cases."""
        return float(np.average([one.macs for one in self.scores], weights=[len(one.raw) for one in self.scores]))


@dataclass(frozen=True)
class EventOutcome:
    """Holds the main method's result on one event of the truth, or one false alarm in a recording without events."""

    case: int
    rows: tuple[int, int]
    real: bool
    """True for an event of the truth, False for a false alarm."""
    truth: str
    """The injected faults; empty if the truth is a label."""
    delay_rows: int | None
    """Rows from the start to the first alarm; None if none was raised."""
    top: tuple[tuple[str, float], ...]
    """Channels with the largest shares of the statistic at its peak."""


@dataclass(frozen=True)
class Comparison:
    """Holds the results from which the page and compare.json are made."""

    config: TrainConfig
    trained: Trained
    cases: tuple[Case, ...]
    labelled: bool
    results: tuple[MethodResult, ...]
    regimes: dict[str, tuple[float, ...]]
    """Mean updated share of each network in each of REGIMES."""
    outcomes: tuple[EventOutcome, ...]

    @property
    def promised_per_day(self) -> float:
        """False alarms a day that the detector's threshold promises."""
        return self.trained.detector.calibration.false_alarms_per_day

    @property
    def main(self) -> MethodResult:
        """The result of the detector that the others are compared with."""
        return self.of(MAIN)

    def of(self, name: str) -> MethodResult:
        """Return the result of the method of this name."""
        return next(result for result in self.results if result.method.name == name)


def compare(config: TrainConfig, test: ComparisonInput, progress: Progress = lambda done, text: None) -> Comparison:
    """Train, score and measure every method.

    Raises:
        DataError: The recording is too short or has too many gaps.
    """
    methods, trained = train_methods(config, test.training, lambda done, text: progress(0.7 * done, text))
    cases = list(test.cases)
    if not any(case.labels.any() for case in cases) and not test.labelled:
        off = next(method for method in methods if isinstance(method, NetworkMethod) and method.name == OFF)
        cases += [copy for case in test.cases for copy in with_faults(case, off.detector, config.train.seed)]
    results = []
    for number, method in enumerate(methods):
        progress(0.7 + 0.25 * number / len(methods), f"scoring: {method.name}")
        results.append(_result(method, cases, trained))
    progress(0.95, "timing")
    results = _with_costs(results, cases[0].values[:TIMED_ROWS])
    main = next(result for result in results if result.method.name == MAIN)
    return Comparison(
        config=config,
        trained=trained,
        cases=tuple(cases),
        labelled=test.labelled,
        results=tuple(results),
        regimes={r.method.name: _by_regime(r, cases, trained) for r in results if r.method.hidden},
        outcomes=tuple(_outcomes(main, cases, test.training)),
    )


def decide(method: Method, scores: MethodScores, case: Case, warmup: int, period_ns: int) -> LabelledScores:
    """Return the alarms and events of one case, none during warm-up: those of the stream, or at a fixed threshold."""
    settled = np.zeros(len(case.values), bool)
    alarms: list[tuple[int, int]] = []
    for start, stop in case.ranges:
        settled[start + warmup : stop] = True
        if scores.stream is None:
            spans = alarm_spans(scores.raw[start:stop], settled[start:stop], method.threshold, method.rule)
        else:
            spans = segments(scores.stream.in_event[start:stop])
        alarms += [(start + first, start + after) for first, after in spans]
    above = scores.raw > method.threshold if scores.stream is None else scores.stream.alarm
    return LabelledScores(
        raw=scores.raw,
        alarm=settled & above,
        labels=case.labels,
        alarms=alarms,
        share=scores.share,
        eligible=settled,
        time_ns=case.time_ns,
        period_ns=period_ns,
        window=dominant_period(case.values[:, 0]),
    )


def _result(method: Method, cases: list[Case], trained: Trained) -> MethodResult:
    schema, warmup = trained.detector.schema, trained.detector.calibration.warmup_rows
    scores = tuple(method.score(case.values, case.ranges) for case in cases)
    pairs = zip(scores, cases, strict=True)
    decisions = tuple(decide(method, one, case, warmup, schema.period_ns) for one, case in pairs)
    each = tuple(measure(one) for one in decisions)
    mean = mean_of(each)
    if any(case.faults for case in cases):
        clean = mean_of([one for one, case in zip(each, cases, strict=True) if not case.faults])
        mean |= {name: clean[name] for name in ON_CLEAN_ROWS}
    return MethodResult(method, scores, decisions, each, mean, us=np.nan, energy_uj=None)


def _with_costs(results: list[MethodResult], values: F64) -> list[MethodResult]:
    """Return the results with time and energy of one row, all measured in one run."""
    tickers = {result.method.name: result.method.ticker(values) for result in results}
    times, energy = time_ticks(tickers), energy_of_ticks(tickers)
    return [
        replace(one, us=times[one.method.name], energy_uj=None if energy is None else energy[one.method.name])
        for one in results
    ]


def _by_regime(result: MethodResult, cases: list[Case], trained: Trained) -> tuple[float, ...]:
    """Return the mean updated share in each of REGIMES, on normal rows without injected faults."""
    clean = [(case, one.share) for case, one in zip(cases, result.scores, strict=True) if not case.faults]
    change = np.concatenate([input_change(case, trained) for case, _ in clean])
    share = np.concatenate([share for _, share in clean])
    normal = ~np.concatenate([case.labels for case, _ in clean]) & np.isfinite(change)
    if not normal.any():
        return tuple(np.nan for _ in REGIMES)
    order = np.argsort(change[normal], kind="stable")
    return tuple(float(part.mean()) if len(part) else np.nan for part in np.array_split(share[normal][order], 3))


def input_change(case: Case, trained: Trained) -> F64:
    """Return the mean over channels of the absolute change since the last row (N,), over its root mean square."""
    features = trained.detector.features
    z = (case.values - features.center) / features.scale
    change = np.full(z.shape, np.nan)
    for start, stop in case.ranges:
        change[start + 1 : stop] = np.abs(np.diff(z[start:stop], axis=0)) / features.change_scale
    known = np.isfinite(change)
    mean = np.where(known, change, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), mean, np.nan)


def _outcomes(main: MethodResult, cases: list[Case], recording: Recording) -> list[EventOutcome]:
    """Return the outcome of each event of the truth or, in a case without any, of each reported event."""
    names, outcomes = recording.schema.names, []
    for number, (case, decisions, scores) in enumerate(zip(cases, main.decisions, main.scores, strict=True)):
        real = segments(case.labels)
        for start, stop in real or decisions.alarms:
            raised = np.flatnonzero(decisions.alarm[start:stop])
            delay = int(raised[0]) if len(raised) else None
            truth = _truth(case, start, stop, names)
            top = _top(scores, start + int(np.argmax(decisions.raw[start:stop])), names)
            outcomes.append(EventOutcome(number, (start, stop), bool(real), truth, delay, top))
    return outcomes


def _truth(case: Case, start: int, stop: int, names: tuple[str, ...]) -> str:
    inside = [fault for fault in case.faults if fault.start < stop and fault.stop > start]
    return "; ".join(f"{fault.kind} of {names[fault.channel]}" for fault in inside)


def _top(scores: MethodScores, row: int, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    assert scores.stream is not None
    parts: NDArray[np.float32] = scores.stream.contributions[row]
    total = float(parts.sum())
    if total <= 0:
        return ()
    order = np.argsort(-parts, kind="stable")[:3]
    return tuple((names[i], float(parts[i]) / total) for i in order.tolist() if parts[i] > 0)
