"""`scripts/bench detection`: run what is missing, then print the tables, and put them into docs/detection.md."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.detection.fitting import METHODS
from benchmarks.detection.jobs import ORDER, jobs, run
from benchmarks.detection.page import write_page
from benchmarks.detection.results import Results, stamp
from benchmarks.skab import load_yardstick

OUT = Path("build/detection")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench detection", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(ORDER), choices=ORDER)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--files", type=int, help="only the first so many series of each set: for a trial")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the results, {OUT} where absent")
    parser.add_argument("--tables", action="store_true", help="run nothing: print tables, put them into docs")
    parser.add_argument("--loso", action="store_true", help="leave one set out: what was tuned, tuned on the others")
    parser.add_argument("--rig", action="store_true", help="the simulated rig, with a fault that only memory tells")
    options = parser.parse_args()
    if options.tables:
        print(write_page(options.out))
        return
    if options.rig:
        from benchmarks.detection.rig import run_rig

        print(f"{run_rig(options.seeds, options.out, stamp())} lines added", file=sys.stderr)
        return
    data = Path(os.environ.get("VCEDGE_DATA", "../shared/data"))
    yardstick = load_yardstick(data)
    if options.loso:
        from benchmarks.detection.loso import run_loso

        added = run_loso(options.sets, options.out, stamp(), data, yardstick, options.files)
    else:
        results = Results(options.out / "results.jsonl")
        wanted = jobs(options.sets, options.seeds)
        added = run(wanted, options.methods, results, stamp(), data, yardstick, options.files)
    print(f"{added} lines added to {options.out}; --tables prints them", file=sys.stderr)


if __name__ == "__main__":
    main()
