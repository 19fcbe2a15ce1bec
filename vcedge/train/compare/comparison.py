"""The proof of concept: every method on the same rows, with the same calibration and the same alarm logic."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vcedge.config.train import TrainConfig
from vcedge.evaluation.measure import LabelledScores, Measures, mean_of, measure
from vcedge.evaluation.metrics import dominant_period, segments
from vcedge.evaluation.replay import alarm_spans
from vcedge.history import Recording
from vcedge.schema import F64
from vcedge.train.compare.cases import Case, Test, with_faults
from vcedge.train.compare.cost import energy_of_ticks, time_ticks
from vcedge.train.compare.fitting import Progress, train_methods
from vcedge.train.compare.methods import MAIN, OFF, Method, NetworkMethod, Scored
from vcedge.train.pipeline import Trained

TIMED_ROWS = 2000
ON_CLEAN_ROWS = ("false_alarms", "normal_days", "false_alarms_per_day", "false_alarms_per_10k", "updated_normal")
"""Measures that copies with injected faults say nothing about: their normal rows are the same ones again."""
REGIMES = ("quiet", "middle", "lively")


@dataclass(frozen=True)
class Result:
    """One method on all cases."""

    method: Method
    scored: tuple[Scored, ...]
    judged: tuple[LabelledScores, ...]
    each: tuple[Measures, ...]
    mean: Measures
    us: float
    """Microseconds a tick in this run."""
    energy_uj: float | None

    @property
    def macs(self) -> float:
        """Mean multiply-accumulates of a row over all cases."""
        return float(np.average([one.macs for one in self.scored], weights=[len(one.raw) for one in self.scored]))


@dataclass(frozen=True)
class Found:
    """What the main method says of one event of the truth, or one of its reports where nothing is wrong."""

    case: int
    rows: tuple[int, int]
    real: bool
    """Whether something was wrong; otherwise it is a report in a recording in which nothing was."""
    truth: str
    """What was injected; empty where a label says only that something is wrong."""
    delay_rows: int | None
    """From the start to the first alarm; None where none was raised."""
    top: tuple[tuple[str, float], ...]
    """Channels with the largest shares of the statistic where it peaks."""


@dataclass(frozen=True)
class Comparison:
    """All that the page and compare.json are made of."""

    config: TrainConfig
    trained: Trained
    cases: tuple[Case, ...]
    labelled: bool
    results: tuple[Result, ...]
    regimes: dict[str, tuple[float, ...]]
    """Mean updated share of each network by tertile of the input's change."""
    found: tuple[Found, ...]

    @property
    def main(self) -> Result:
        """The result of the detector that all is about."""
        return self.of(MAIN)

    def of(self, name: str) -> Result:
        """The result of one method."""
        return next(result for result in self.results if result.method.name == name)


def compare(config: TrainConfig, test: Test, progress: Progress = lambda done, words: None) -> Comparison:
    """Train, score and measure everything. `progress` is told of shares up to 1.

    Raises DataError where the recording is too short or too broken.
    """
    methods, trained = train_methods(config, test.training, lambda done, words: progress(0.7 * done, words))
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
        found=tuple(_findings(main, cases, test.training)),
    )


def judge(method: Method, scored: Scored, case: Case, warmup: int, period_ns: int) -> LabelledScores:
    """Rows of one case as alarms and events: for every method by the same logic, and none while it warms up."""
    settled = np.zeros(len(case.values), bool)
    alarms: list[tuple[int, int]] = []
    for start, stop in case.ranges:
        settled[start + warmup : stop] = True
        spans = alarm_spans(scored.raw[start:stop], settled[start:stop], method.threshold, method.rule)
        alarms += [(start + first, start + after) for first, after in spans]
    return LabelledScores(
        raw=scored.raw,
        alarm=settled & (scored.raw > method.threshold),
        labels=case.labels,
        alarms=alarms,
        share=scored.share,
        eligible=settled,
        time_ns=case.time_ns,
        period_ns=period_ns,
        window=dominant_period(case.values[:, 0]),
    )


def _result(method: Method, cases: list[Case], trained: Trained) -> Result:
    schema, warmup = trained.detector.schema, trained.detector.calibration.warmup_rows
    scored = tuple(method.score(case.values, case.ranges) for case in cases)
    judged = tuple(judge(method, one, case, warmup, schema.period_ns) for one, case in zip(scored, cases, strict=True))
    each = tuple(measure(one) for one in judged)
    mean = mean_of(each)
    if any(case.faults for case in cases):
        clean = mean_of([one for one, case in zip(each, cases, strict=True) if not case.faults])
        mean |= {name: clean[name] for name in ON_CLEAN_ROWS}
    return Result(method, scored, judged, each, mean, us=np.nan, energy_uj=None)


def _with_costs(results: list[Result], values: F64) -> list[Result]:
    """The same results with the time and energy of a tick, all measured in one go."""
    tickers = {result.method.name: result.method.ticker(values) for result in results}
    times, energy = time_ticks(tickers), energy_of_ticks(tickers)
    return [
        replace(one, us=times[one.method.name], energy_uj=None if energy is None else energy[one.method.name])
        for one in results
    ]


def _by_regime(result: Result, cases: list[Case], trained: Trained) -> tuple[float, ...]:
    """Mean updated share where the input changes little, as usual, and much; on normal rows."""
    clean = [(case, one.share) for case, one in zip(cases, result.scored, strict=True) if not case.faults]
    change = np.concatenate([input_change(case, trained) for case, _ in clean])
    share = np.concatenate([share for _, share in clean])
    normal = ~np.concatenate([case.labels for case, _ in clean]) & np.isfinite(change)
    if not normal.any():
        return tuple(np.nan for _ in REGIMES)
    order = np.argsort(change[normal], kind="stable")
    return tuple(float(part.mean()) if len(part) else np.nan for part in np.array_split(share[normal][order], 3))


def input_change(case: Case, trained: Trained) -> F64:
    """Mean over channels of the absolute change since the last row (N,), 1 for the usual size; NaN without one."""
    features = trained.detector.features
    z = (case.values - features.center) / features.scale
    change = np.full(z.shape, np.nan)
    for start, stop in case.ranges:
        change[start + 1 : stop] = np.abs(np.diff(z[start:stop], axis=0)) / features.change_scale
    known = np.isfinite(change)
    mean = np.where(known, change, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), mean, np.nan)


def _findings(main: Result, cases: list[Case], recording: Recording) -> list[Found]:
    """Each event of the truth; where a case has none, each event that was reported."""
    names, found = recording.schema.names, []
    for number, (case, judged, scored) in enumerate(zip(cases, main.judged, main.scored, strict=True)):
        real = segments(case.labels)
        for start, stop in real or judged.alarms:
            raised = np.flatnonzero(judged.alarm[start:stop])
            at = start + int(np.argmax(judged.raw[start:stop]))
            found.append(
                Found(
                    number,
                    (start, stop),
                    bool(real),
                    _truth(case, start, stop, names),
                    int(raised[0]) if len(raised) else None,
                    _top(scored, at, names),
                )
            )
    return found


def _truth(case: Case, start: int, stop: int, names: tuple[str, ...]) -> str:
    inside = [fault for fault in case.faults if fault.start < stop and fault.stop > start]
    return "; ".join(f"{fault.kind} of {names[fault.channel]}" for fault in inside)


def _top(scored: Scored, row: int, names: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    assert scored.contributions is not None
    parts: NDArray[np.float32] = scored.contributions[row]
    total = float(parts.sum())
    if total <= 0:
        return ()
    order = np.argsort(-parts, kind="stable")[:3]
    return tuple((names[i], float(parts[i]) / total) for i in order.tolist() if parts[i] > 0)
