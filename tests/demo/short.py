"""Run the program `vcedge` with a demonstration of seconds: `python -m tests.demo.short ARGUMENTS...`."""

from __future__ import annotations

import sys
from functools import partial

from vcedge.cli.main import run
from vcedge.demo import plan

SHORT = plan.Plan(
    healthy_hours=0.25,
    faulty_hours=1.0,
    faults=1,
    epochs=2,
    train_overrides=("model.hidden_size=8", "score.span=20", "report.sensitivity=false"),
)

if __name__ == "__main__":
    plan.Plan = partial(plan.Plan, **vars(SHORT))  # type: ignore[assignment, misc]
    sys.exit(run(sys.argv[1:]))
