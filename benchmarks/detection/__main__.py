"""`scripts/bench detection`: adds the missing measurements; --tables prints the tables and writes them into docs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.datasets import data_folder, load_reference
from benchmarks.detection.jobs import METHODS, ORDER, Store, jobs, run
from benchmarks.detection.page import write_page
from benchmarks.detection.sets import SeriesSource

OUT = Path("build/detection")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench detection", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list(ORDER), choices=ORDER)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="number of processes")
    parser.add_argument("--files", type=int, help="number of series of each set, the first ones, for a trial")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the results; default: {OUT}")
    parser.add_argument("--linear", action="store_true", help="network off alone, a line for each set, in minutes")
    parser.add_argument("--tables", action="store_true", help="measure nothing: print tables and write them into docs")
    parser.add_argument("--loso", action="store_true", help="leave one set out: choose on the others")
    parser.add_argument("--rig", action="store_true", help="the simulated rig, with a fault that needs memory")
    options = parser.parse_args()
    if options.tables:
        print(write_page(options.out))
        return
    data = data_folder()
    source = SeriesSource(data, load_reference(data), options.files)
    store = Store(options.out, source.reference)
    if options.linear:
        from benchmarks.detection.linear import run_linear

        run_linear(options.sets, store, source, options.jobs)
        return
    if options.rig:
        from benchmarks.detection.rig import run_rig

        added = run_rig(options.seeds, options.out, data)
    elif options.loso:
        from benchmarks.detection.loso import run_loso

        added = run_loso(options.sets, options.out, source)
    else:
        added = run(jobs(options.sets, options.methods, options.seeds), store, source, options.jobs)
    print(f"{added} lines added to {options.out}; --tables prints them", file=sys.stderr)


if __name__ == "__main__":
    main()
