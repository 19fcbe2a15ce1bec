"""Runs a benchmark by its name: `scripts/bench NAME [OPTIONS]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent


class Benchmark(NamedTuple):
    """Describes a benchmark and the command that runs it."""

    summary: str
    command: tuple[str, ...]
    """Arguments of the Python interpreter, or the path of a shell script."""


BENCHMARKS = {
    "cell": Benchmark(
        "The native cell beside dense peers of other libraries; SIZE=HIDDEN,INPUTS (128,16).",
        ("-m", "vcedge", "bench", "--synthetic", os.environ.get("SIZE", "128,16")),
    ),
    "step": Benchmark("A step of the whole detector beside torch's GRUCell.", ("-m", "benchmarks.step_speed")),
    "instructions": Benchmark("Instructions of a step, counted by valgrind.", (str(HERE / "instructions.sh"),)),
    "score": Benchmark("Rows a second of `vcedge score`, without reading the file.", ("-m", "benchmarks.score_speed")),
    "exports": Benchmark("A step of each exported layout beside the dense one.", ("-m", "benchmarks.exports")),
    "train": Benchmark("Forward and backward pass of VCGRU beside torch.nn.GRU.", ("-m", "benchmarks.train_speed")),
    "replay": Benchmark("SKAB through broker and service, at full speed.", ("-m", "benchmarks.skab_replay")),
    "flood": Benchmark("Latency of one asset while another one floods.", ("-m", "benchmarks.flood")),
    "staged": Benchmark("What each stage of compute misses beside a dense model.", ("-m", "benchmarks.staged")),
    "standstill": Benchmark("Ways to treat the state while a machine stands.", ("-m", "benchmarks.standstill")),
    "promise": Benchmark("False alarms, calibrated and counted on real data.", ("-m", "benchmarks.promise")),
    "skab": Benchmark("Detection on SKAB beside simple detectors.", ("-m", "benchmarks.skab")),
    "detection": Benchmark("Detection on all sets; --linear in two minutes.", ("-m", "benchmarks.detection")),
    "robustness": Benchmark("Detection on degraded rows.", ("-m", "benchmarks.detection.robustness")),
    "paper": Benchmark("The claims of the paper on polyphonic music.", ("-m", "benchmarks.paper")),
}


def main() -> None:
    """Run the benchmark that the first argument names, with the other arguments."""
    name, *options = sys.argv[1:] or [""]
    if name not in BENCHMARKS:
        asked = name in ("-h", "--help")
        print(usage(), file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else 2)
    command = BENCHMARKS[name].command
    program = sys.executable if command[0] == "-m" else "/bin/sh"
    os.execv(program, [program, *command, *options])


def usage() -> str:
    """Return the table of benchmarks as text."""
    lines = (f"  {name:17}{benchmark.summary}" for name, benchmark in BENCHMARKS.items())
    return "\n".join(("usage: scripts/bench NAME [OPTIONS], most with --json", *lines))


if __name__ == "__main__":
    main()
