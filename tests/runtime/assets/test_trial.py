"""The decision of a trial by its bounds."""

from __future__ import annotations

import pytest

from vcedge.config.succession import UpdateConfig
from vcedge.runtime.assets.agreement import AgreementState, ModelTotals
from vcedge.runtime.assets.trial import assess

BOUNDS = UpdateConfig.model_validate(
    {"key": "k", "shadow_ticks": 100, "probation_ticks": 1000, "max_alarm_share": 0.05, "max_us": 50.0}
)
FINE = ModelTotals(alarms=0, excess=-50.0, updated=1.0, us=100.0)


@pytest.mark.parametrize(
    ("ticks", "new", "outcome"),
    [
        (99, FINE, None),
        (100, FINE, ""),
        (3, ModelTotals(alarms=6, excess=-50.0), "alarms on 6 of 3 samples"),
        (100, ModelTotals(alarms=5, excess=-50.0), ""),
        (9, ModelTotals(excess=1e9, us=1e9), None),
        (10, ModelTotals(excess=-50.0, us=10_000.0), "takes 1000 us a sample"),
        (10, ModelTotals(excess=-5.0), "4.5 nats above that of the other model, allowed 4"),
        (10, ModelTotals(excess=-15.0), None),
        (100, ModelTotals(excess=300.0), ""),
        (10, ModelTotals(excess=-1e6), None),
    ],
)
def test_trial_is_decided_by_its_bounds(ticks: int, new: ModelTotals, outcome: str | None) -> None:
    in_shadow = assess(BOUNDS, "shadow", AgreementState(ticks=ticks, first=FINE, second=new))
    on_probation = assess(BOUNDS, "probation", AgreementState(ticks=ticks * 10, first=new, second=FINE))
    if outcome:
        assert in_shadow is not None
        assert outcome in in_shadow
    else:
        assert in_shadow == outcome
    if new is FINE:
        assert on_probation == outcome
