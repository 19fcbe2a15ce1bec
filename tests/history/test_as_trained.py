"""Settings for reading files that a model stores, and overrides of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.detectors import tiny_detector
from vcedge.errors import ConfigError, UsageError
from vcedge.history.as_trained import data_config, reading_config

STORED = {"time": {"column": "When", "format": "%H"}, "table": {"transpose": True, "decimal": ","}}
DETECTOR = replace(tiny_detector(), reading=STORED)


def test_stored_settings_and_the_models_own_period() -> None:
    reading = reading_config(DETECTOR)
    time, table = reading.time, reading.table
    assert (time.column, time.format, time.period_s) == ("When", "%H", 1.0)
    assert (table.transpose, table.decimal) == (True, ",")


def test_overrides_replace_stored_settings_but_do_not_change_them() -> None:
    overrides = ["time.format=%d/%m/%y", "table.transpose=false", "table.decimal=null", "time.column=07"]
    reading = reading_config(DETECTOR, overrides)
    time, table = reading.time, reading.table
    assert (time.column, time.format, time.period_s) == ("07", "%d/%m/%y", 1.0)
    assert (table.transpose, table.decimal) == (False, None)
    assert STORED == {"time": {"column": "When", "format": "%H"}, "table": {"transpose": True, "decimal": ","}}
    data = data_config(DETECTOR, ["a.csv"], 10, overrides)
    assert (data.time.format, data.time.max_gap_s, data.table.transpose, data.limit_rows) == (
        "%d/%m/%y",
        5.0,
        False,
        10,
    )


@pytest.mark.parametrize("stored", [{"time": 5}, {"time": {"colum": "a"}}, {"tabel": {}}, {"table": {"skip_rows": -1}}])
def test_invalid_stored_settings_are_one_line(stored: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^the model's key 'reading': ") as caught:
        reading_config(replace(tiny_detector(), reading=stored))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("option", ["time.period_s=2", "time.max_gap_s=2", "time.format", "=1", "time..format=1"])
def test_invalid_overrides_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"--set {option}"):
        reading_config(DETECTOR, [option])
