"""Inhibition: its configuration, and that it leaves no trace in the stream."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.detectors import recording, samples, tiny_detector
from vcedge import model_file
from vcedge.config.runtime import load_runtime_config
from vcedge.errors import ConfigError
from vcedge.runtime.assets.recipes import Recipe, load_recipes
from vcedge.runtime.engine.registry import load_engine
from vcedge.runtime.stream.inhibition import Inhibition, RunWhen
from vcedge.runtime.stream.state import Numbers
from vcedge.runtime.stream.stream import Score, Stream
from vcedge.schema import NS_PER_S, Sample

ROWS, AT = 400, 150
TIGHT = replace(tiny_detector(), calibration=replace(tiny_detector().calibration, target_share=0.3))
"""Its budget is spent on these recordings, so that there is a debt when inhibition begins."""
PAID = 50
"""Inhibited rows that pay for any debt: `LEAST_BIAS` over the target."""


def recipes_of(folder: Path, **changes: Any) -> dict[str, Recipe]:
    model_file.save(tiny_detector(), folder / "model.vcedge")
    assets = {name: {"model": "model.vcedge", **more} for name, more in changes.pop("assets", {"pump": {}}).items()}
    (folder / "runtime.yaml").write_text(yaml.safe_dump({"node": "n", "assets": assets, **changes}))
    return load_recipes(load_runtime_config(folder / "runtime.yaml", {}))


def test_run_when_of_an_asset_replaces_the_default(tmp_path: Path) -> None:
    own = {"channel": "Channel 2", "below": 7}
    assets = {"pump": {}, "fan": {"run_when": own}, "always": {"run_when": None}}
    recipes = recipes_of(tmp_path, assets=assets, run_when={"channel": "Channel 0", "above": 5, "below": 9.5})
    assert recipes["pump"].run_when == RunWhen(0, 5.0, 9.5)
    assert recipes["fan"].run_when == RunWhen(2, -math.inf, 7.0)
    assert recipes["always"].run_when is None
    assert recipes_of(tmp_path)["pump"].run_when is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"run_when": {"channel": "Chanel 1", "above": 5}},
            "key 'run_when.channel' is 'Chanel 1', which is no channel of the model of 'pump'; "
            "did you mean 'Channel 1'?",
        ),
        (
            {"assets": {"fan": {"run_when": {"channel": "x", "above": 5}}}},
            "key 'assets.fan.run_when.channel' is 'x', which is no channel of the model of 'fan'; expected one of: "
            "Channel 0, Channel 1, Channel 2",
        ),
    ],
)
def test_run_when_rejects_an_unknown_channel(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        recipes_of(tmp_path, **changes)
    assert str(caught.value) == f"{tmp_path / 'runtime.yaml'}: {words}"


def judged(scores: list[Score]) -> list[tuple[Any, ...]]:
    """Return the parts of the state that inhibition must reset."""
    return [(s.raw, s.updated, s.status, s.top, s.wake, s.missing) for s in scores]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 5),
    rest=st.integers(PAID, 120),
    spoiled=st.sampled_from([0.0, np.nan, 1e5, -3.0]),
    by_hand=st.booleans(),
)
def test_a_stream_after_inhibition_equals_a_new_one(seed: int, rest: int, spoiled: float, by_hand: bool) -> None:
    values = recording(seed, ROWS, 3)
    values[AT : AT + rest, 1:] = spoiled
    values[AT - 30 : AT] += 9 * TIGHT.features.scale
    values[:, 0] = np.where(np.abs(np.arange(ROWS) - AT - rest / 2 + 0.5) < rest / 2, -90.0, values[:, 0])
    run_when = None if by_hand else RunWhen(0, above=-80.0)
    stream = Stream(load_engine(TIGHT), 1e9, run_when=run_when)
    rows, scores = samples(values), []
    for index, row in enumerate(rows):
        if by_hand and index == AT:
            stream.inhibition.inhibit(rows[AT + rest].time_ns)
        scores.append(stream.push(row))
    assert {s.status for s in scores[AT : AT + rest]} == {"inhibited"}
    fresh = Stream(load_engine(TIGHT), 1e9, run_when=run_when)
    assert judged(scores[AT + rest :]) == judged([fresh.push(row) for row in rows[AT + rest :]])
    numbers, expected = stream.record.numbers, fresh.record.numbers
    assert (numbers.balance, numbers.spent_rows) == (expected.balance, expected.spent_rows)


def test_a_machine_runs_until_its_channel_has_a_value() -> None:
    stream = Stream(load_engine(TIGHT), run_when=RunWhen(0, above=1.0))
    row = np.array([np.nan, 0.0, 0.0])
    assert stream.push(Sample(NS_PER_S, row)).status == "warmup"
    assert stream.push(Sample(2 * NS_PER_S, np.zeros(3))).status == "inhibited"
    assert stream.push(Sample(3 * NS_PER_S, row)).status == "inhibited"
    assert stream.push(Sample(4 * NS_PER_S, np.full(3, 2.0))).status == "warmup"


READINGS = st.one_of(st.floats(-3, 3), st.sampled_from([np.nan, np.inf, -np.inf, 1.0, -1.0]))


@given(
    told=st.lists(READINGS, max_size=12),
    hidden=st.lists(st.booleans(), min_size=12, max_size=12),
    rule=st.sampled_from([None, RunWhen(1, above=-1.0), RunWhen(1, below=1.0), RunWhen(1, -1.0, 1.0)]),
    first=READINGS,
    until_ns=st.sampled_from([0, 5]),
)
def test_count_running_counts_rows_that_are_not_inhibited(
    told: list[float], hidden: list[bool], rule: RunWhen | None, first: float, until_ns: int
) -> None:
    """Whatever the health of the sensor makes of its readings: it may hide any of them."""
    numbers = Numbers.fresh()
    inhibition = Inhibition(rule, numbers)
    inhibition.inhibit(until_ns)
    inhibition.inhibited(1, np.array([0.0, first]))
    before = bytes(numbers)
    values = np.column_stack((np.zeros(len(told)), np.array(told, np.float64)))
    sure = inhibition.count_running(values)
    for row, hide in zip(values[:sure], hidden, strict=False):
        assert not inhibition.inhibited(2, np.where(hide, np.nan, row))
        assert bytes(numbers) == before
    if 0 < sure < len(told):
        assert inhibition.inhibited(3, values[sure])
