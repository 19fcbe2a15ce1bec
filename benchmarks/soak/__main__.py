"""`scripts/soak [STAGE...] [--minutes M]`: prints a line of JSON for each stage, and a last one with those passed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.soak import assets, faults, fuzz, kills, memory, netcut, outage, throughput, wear
from benchmarks.soak.rig import OTHER_CORE

Stage = Callable[[float], dict[str, Any]]
STAGES: dict[str, Stage] = {
    "kills": kills.run,
    "outage": outage.run,
    "netcut": netcut.run,
    "disk": faults.disk,
    "clock": faults.clock,
    "throughput": throughput.run,
    "blocks": assets.blocks,
    "assets": assets.run,
    "wear": wear.run,
    "memory": memory.run,
    "fuzz": fuzz.run,
}
MEASURED = {"throughput", "blocks", "assets", "memory"}
"""Stages in which the service has its own core."""


def main() -> None:
    """Run the stages; exit with 1 if any fails."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=", ".join(STAGES))
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the long stages; 1 is the short form")
    options = parser.parse_args()
    unknown = set(options.stages) - set(STAGES)
    if unknown:
        parser.error(f"no stage {', '.join(sorted(unknown))}; stages: {', '.join(STAGES)}")
    results = {name: _result(STAGES[name], options.minutes, name) for name in options.stages or STAGES}
    print(json.dumps({"passed": [name for name, passed in results.items() if passed], "of": len(results)}))
    sys.exit(0 if all(results.values()) else 1)


def _result(stage: Stage, minutes: float, name: str) -> bool:
    began, cores = time.monotonic(), os.sched_getaffinity(0)
    if name in MEASURED:
        os.sched_setaffinity(0, OTHER_CORE)
    try:
        result = stage(minutes)
    except (AssertionError, OSError) as error:
        traceback.print_exc()
        result = {"passed": False, "error": str(error)[:500]}
    finally:
        os.sched_setaffinity(0, cores)
    result = {"stage": name, "seconds": round(time.monotonic() - began, 1), **result}
    print(json.dumps(result), flush=True)
    return bool(result["passed"])


if __name__ == "__main__":
    main()
