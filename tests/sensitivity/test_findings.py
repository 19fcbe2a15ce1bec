"""Descriptions of detectable faults: sentences, JSON, sizes and lengths of time."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vcedge.sensitivity.findings import DetectionLimit, Sensitivity, sentence, size_words
from vcedge.wording import duration

DRIFT = DetectionLimit("Pressure", "bar", "drift", 4.0, 0.3, 30.0, 0.05, 1320.0, 2400.0, None, 1.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "A drift of 0.3 bar an hour in Pressure is found after 22 min."),
        ({"size": None, "delay_s": None}, "A drift of up to 2.2 bar an hour in Pressure is not found within 40 min."),
        ({"unit": ""}, "A drift of 0.3 an hour in Pressure is found after 22 min."),
        ({"watched_s": 50.0}, "A drift of 0.24 bar a minute in Pressure is found after 22 min."),
        ({"watched_s": 1e6}, "A drift of 0.017 bar a day in Pressure is found after 22 min."),
        ({"kind": "stuck", "size": 1.0, "delay_s": 30.0}, "A stuck Pressure is found after 30 s."),
        ({"kind": "stuck", "size": None}, "A stuck Pressure is not found within 40 min."),
        ({"kind": "offset", "delay_s": 0.0}, "An offset of 0.2 bar in Pressure is found at once."),
        ({"kind": "offset", "size": None, "largest": 160.0}, "An offset of up to 8 bar in Pressure is not found"),
        ({"kind": "noise", "size": 1.5}, "A noise of 2.5 times the usual in Pressure is found after 22 min."),
        ({"kind": "gain", "size": 0.4}, "A loss of 40% of the movement in Pressure is found after 22 min."),
        ({"kind": "delay", "size": 12.0}, "A delay of 12 s in Pressure is found after 22 min."),
        ({"kind": "delay", "size": None}, "A delay of up to 30 s in Pressure is not found within 40 min."),
        ({"kind": "spike"}, "A series of spikes of 0.2 bar in Pressure is found after 22 min."),
        ({"kind": "swap", "size": 1.0}, "A swap of Pressure with another channel is found after 22 min."),
        (
            {"kind": "oscillation", "period_s": 90.0},
            "An oscillation of 0.2 bar in Pressure, with a period of 90 s, is",
        ),
        ({"kind": "decoupled", "size": 1.0}, "A reading of Pressure that does not follow the other channels is found"),
    ],
)
def test_sentence_describes_a_detectable_fault(changes: dict[str, object], words: str) -> None:
    assert sentence(replace(DRIFT, **changes)).startswith(words)  # type: ignore[arg-type]


def test_json_holds_the_numbers_in_the_channels_unit() -> None:
    finding = Sensitivity((DRIFT,), 5, 600.0, 2400.0).to_json()["findings"][0]
    assert finding["size"] == pytest.approx(0.3)
    assert finding["largest"] == pytest.approx(2.25)
    assert finding["unit"] == "bar an hour"
    assert json.loads(json.dumps(finding))["words"] == sentence(DRIFT)


def test_sizes_have_few_digits() -> None:
    assert size_words(replace(DRIFT, kind="offset", noise=123.456), 10.0) == "1,200 bar"
    assert size_words(replace(DRIFT, kind="offset", noise=1e-6), 2.0) == "2e-06 bar"
    assert size_words(replace(DRIFT, kind="offset", noise=1.0), 42.4) == "42 bar"


def test_ease_is_one_for_the_smallest_size_and_zero_for_the_largest() -> None:
    assert [replace(DRIFT, size=size).ease for size in (0.3, 3.0, 30.0)] == pytest.approx([1, 0.5, 0])
    assert replace(DRIFT, size=None).ease == 0
    assert replace(DRIFT, kind="stuck", size=1.0, smallest=1.0, largest=1.0).ease == 1


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.05, "50 ms"), (1.0, "1 s"), (23.5, "24 s"), (89.0, "89 s"), (118.0, "120 s"), (1734.0, "29 min"),
     (5400.0, "90 min"), (90_000.0, "25 h"), (2e7, "230 days")],
)  # fmt: skip
def test_lengths_of_time_have_two_digits(seconds: float, words: str) -> None:
    assert duration(seconds, 2) == words
