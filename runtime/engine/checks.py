"""Checks that an engine keeps its contract.

`check_engine` checks the engines of this project, and those that others write. An engine names the checks that it
deliberately fails in `check_exceptions` on its class, never in a test.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vcedge.detector import Detector
from vcedge.runtime.engine.interface import AS_TRAINED, ComputePolicy, Engine
from vcedge.runtime.engine.state import WAKE_SURPRISE, State
from vcedge.schema import F64

LEAK_BYTES = 24
"""Bytes for each row of a recording that three passes over it may leave allocated."""
MakeEngine = Callable[[Detector], Engine]


@dataclass(frozen=True)
class CheckResult:
    """Holds the result of one check; `problem` is empty if it passed."""

    name: str
    problem: str
    us_per_step: float


def check_engine(make: MakeEngine, detector: Detector, values: F64) -> list[CheckResult]:
    """Run every check on engines of a detector with the recording `values` (N, C), N at least 50.

    An error in an engine becomes a problem and is not raised. The checks in its class's `check_exceptions` are skipped.
    """
    results = []
    skipped = getattr(make(detector), "check_exceptions", ())
    for check in CHECKS:
        if check.__name__ in skipped:
            continue
        engine = make(detector)
        began = time.perf_counter()
        try:
            problem = check(engine, values) or ""
        except Exception as error:
            problem = f"raised {type(error).__name__}: {error}"
        results.append(CheckResult(check.__name__, problem, 1e6 * (time.perf_counter() - began) / len(values)))
    return results


def _run(engine: Engine, values: F64, state: State, policy: ComputePolicy = AS_TRAINED) -> F64:
    """Return statistic, level and contributions of each row, (N, 2 + C)."""
    rows = []
    for row in values:
        raw, level, contributions = engine.step(row, state, policy)
        rows.append(np.concatenate(([raw, level], contributions)))
    return np.array(rows)


def same_input_gives_same_output(engine: Engine, values: F64) -> str | None:
    """Check that two new states give the same bits for the same rows."""
    first, second = (_run(engine, values, engine.new_state()) for _ in range(2))
    return None if np.array_equal(first, second) else "two runs from fresh states differ"


def reset_forgets_everything(engine: Engine, values: F64) -> str | None:
    """Check that a reset state is that of a new stream."""
    state = engine.new_state()
    before = _run(engine, values, state)
    state.reset()
    return None if np.array_equal(before, _run(engine, values, state)) else "a reset and a new state differ"


def states_are_independent(engine: Engine, values: F64) -> str | None:
    """Check that two streams stepped in turn do not affect each other."""
    alone = _run(engine, values, engine.new_state())
    state, other = engine.new_state(), engine.new_state()
    together = []
    for row, strange in zip(values, values[::-1], strict=True):
        raw, level, contributions = engine.step(row, state)
        together.append(np.concatenate(([raw, level], contributions)))
        engine.step(strange, other)
    return None if np.array_equal(alone, np.array(together)) else "another stream's steps changed the result"


def state_survives_bytes(engine: Engine, values: F64) -> str | None:
    """Check that a state saved and restored halfway gives the same results."""
    state, half = engine.new_state(), len(values) // 2
    _run(engine, values[:half], state)
    restored = State(state.record.dtype, state.tobytes())
    same = np.array_equal(_run(engine, values[half:], state), _run(engine, values[half:], restored))
    return None if same else "a restored state gives other results than the saved one"


def many_is_the_loop(engine: Engine, values: F64) -> str | None:
    """Check that `step_many` agrees with `step` bit for bit."""
    states = [engine.new_state() for _ in range(3)]
    single = [engine.new_state() for _ in range(3)]
    for start in range(len(values) - 3):
        rows = values[start : start + 3]
        raw, levels, contributions = engine.step_many(rows, states)
        expected = [engine.step(row, state) for row, state in zip(rows, single, strict=True)]
        if any(
            raw[i] != one[0] or levels[i] != one[1] or not np.array_equal(contributions[i], one[2])
            for i, one in enumerate(expected)
        ):
            return f"step_many differs from step at row {start}"
    return None


def input_is_untouched(engine: Engine, values: F64) -> str | None:
    """Check that the engine does not write into its input."""
    row = values[0].copy()
    row.setflags(write=False)
    engine.step(row, engine.new_state())
    return None if np.array_equal(row, values[0]) else "the input was changed"


def missing_values_stay_finite(engine: Engine, values: F64) -> str | None:
    """Check that results and state stay finite if values are NaN or infinite, which both mean missing."""
    rng = np.random.default_rng(0)
    holes = values.copy()
    holes[rng.random(values.shape) < 0.3] = np.nan
    holes[rng.random(values.shape) < 0.05] = np.inf
    holes[0] = np.nan
    state = engine.new_state()
    finite = np.isfinite(_run(engine, holes, state)).all()
    return None if finite and np.isfinite(state.h).all() else "a missing value made the output not finite"


def huge_values_stay_finite(engine: Engine, values: F64) -> str | None:
    """Check that extreme values (1e300) cause no overflow."""
    extreme = values.copy()
    extreme[::7] = 1e300
    return None if np.isfinite(_run(engine, extreme, engine.new_state())).all() else "a huge value overflowed"


def wrong_shape_is_refused(engine: Engine, values: F64) -> str | None:
    """Check that a row of another shape raises ValueError and leaves the state unchanged."""
    state = engine.new_state()
    before = state.tobytes()
    for wrong in (values[0, :-1], np.append(values[0], 0.0), values[:2]):
        try:
            engine.step(wrong, state)
        except ValueError:
            continue
        return f"values of shape {wrong.shape} were accepted"
    return None if state.tobytes() == before else "a refused row changed the state"


def contributions_sum_to_raw(engine: Engine, values: F64) -> str | None:
    """Check that the contributions are not negative and sum to the statistic, or to 0 where that is negative."""
    out = _run(engine, values, engine.new_state())
    close = np.allclose(out[:, 2:].sum(axis=1), np.maximum(out[:, 0], 0.0), rtol=1e-9, atol=1e-12)
    return None if close and (out[:, 2:] >= 0).all() else "contributions do not add up to raw"


def policy_is_obeyed(engine: Engine, values: F64) -> str | None:
    """Check that `min_level` is a floor, a large `logit_bias` opens the gate, and a very negative one closes it."""
    levels = engine.detector.levels
    for floor in range(1, levels + 1):
        if (_run(engine, values, engine.new_state(), ComputePolicy(min_level=floor))[:, 1] < floor).any():
            return f"a level below min_level {floor}"
    if (_run(engine, values, engine.new_state(), ComputePolicy(logit_bias=1e6))[:, 1] != levels).any():
        return "a large logit_bias does not open the gate"
    state = engine.new_state()
    for row in values:
        level = engine.step(row, state, ComputePolicy(logit_bias=-1e6))[1]
        if level > 1 and state.wake != WAKE_SURPRISE:
            return "a very negative logit_bias does not close the gate"
    return None


def memory_is_bounded(engine: Engine, values: F64) -> str | None:
    """Check that steps do not leak memory.

    A leak grows in every round; an allocation that another thread makes once (a buffer, a log line) does not count.
    """
    state = engine.new_state()
    _run(engine, values, state)
    sizes = [0]
    tracemalloc.start()
    try:
        for _ in range(3):
            for row in values:
                engine.step(row, state)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    left = 3 * min(after - before for before, after in pairwise(sizes))
    return None if left < LEAK_BYTES * len(values) else f"{left} bytes are left after {3 * len(values)} steps"


def sleeping_dimensions_keep_their_bits(engine: Engine, values: F64) -> str | None:
    """Check that h[k:] is unchanged by a step that updates k dimensions."""
    cell = engine.detector.cell
    if cell is None:
        return None
    state = engine.new_state()
    for row in values:
        before = state.h.copy()
        _, level, _ = engine.step(row, state)
        k = cell.spec.boundaries[level - 1]
        if before[k:].tobytes() != state.h[k:].tobytes():
            return f"a dimension beyond {k} changed"
    return None


CHECKS: tuple[Callable[[Engine, F64], str | None], ...] = (
    same_input_gives_same_output,
    reset_forgets_everything,
    states_are_independent,
    state_survives_bytes,
    many_is_the_loop,
    input_is_untouched,
    missing_values_stay_finite,
    huge_values_stay_finite,
    wrong_shape_is_refused,
    contributions_sum_to_raw,
    policy_is_obeyed,
    memory_is_bounded,
    sleeping_dimensions_keep_their_bits,
)
