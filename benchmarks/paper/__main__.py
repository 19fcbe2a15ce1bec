"""`scripts/bench paper`: adds the missing measurements, then writes Markdown, CSV and plots."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.datasets import data_folder
from benchmarks.detection.results import ROOT
from benchmarks.paper.ablation import ABLATIONS
from benchmarks.paper.data import load_set
from benchmarks.paper.experiments import ALL, ResultStore, experiments_of, run_experiment
from benchmarks.paper.models import MODELS
from benchmarks.paper.plans import SETS, plan_of
from vcedge.errors import VcedgeError

OUT, IMAGES = Path("build/paper"), ROOT / "docs" / "images"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench paper", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["jsb", "nottingham"], choices=SETS)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=ALL, metavar="MODEL", help=", ".join(ALL))
    parser.add_argument("--ablation", action="store_true", help=f"vcgru and its variants: {', '.join(ABLATIONS)}")
    parser.add_argument("--sizes", nargs="+", type=int, default=[128])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds: 0, 1, ...")
    parser.add_argument("--text", type=Path, metavar="FILE", help="characters of this file for the set 'text'")
    parser.add_argument("--epochs", type=int, help="replaces the number of the set, for a trial")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the results; default: {OUT}")
    parser.add_argument("--tables", action="store_true", help="run nothing: write tables, plots and pages")
    parser.add_argument("--pictures", action="store_true", help="run nothing: the pictures that explain the method")
    options = parser.parse_args()
    try:
        if options.pictures:
            from benchmarks.paper.explain import draw_pictures

            draw_pictures(options.out, IMAGES)
            return
        if not options.tables:
            run(options)
        from benchmarks.paper.page import write_results

        print(write_results(options.out, fill_page=options.tables))
    except VcedgeError as error:
        raise SystemExit(str(error)) from None


def run(options: argparse.Namespace) -> None:
    """Measure the experiments that have no file yet."""
    data = data_folder()
    models = ["vcgru", *ABLATIONS] if options.ablation else options.models
    store = ResultStore(options.out)
    for name in options.sets:
        wanted = experiments_of([name], models, options.sizes, options.seeds)
        missing = [experiment for experiment in wanted if store.get(experiment) is None]
        if not missing:
            continue
        dataset = load_set(name, data, options.text)
        for experiment in missing:
            plan = replace(plan_of(name, experiment.model), device=options.device)
            if options.epochs is not None:
                plan = replace(plan, epochs=options.epochs)
            store.put(experiment, run_experiment(experiment, dataset, plan, store))
    print(f"results are in {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
