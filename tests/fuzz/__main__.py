"""Fuzz for some minutes, print what was done, and exit with 1 if memory grew."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.handler import Handler
from tests.fuzz.mutate import Mutator
from tests.support.hostile import CODECS, read_or_undecodable

GROWTH_MB = 20.0
SLOWEST_S, MOST_WORK_S = 5.0, 1.0
"""Longest time of a step, and how much of it may be processor time."""


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print(f"seed {options.seed}", flush=True)
    grown = [
        run(f"{what} {codec}", options.minutes * 30 / len(CODECS), make)
        for codec in CODECS
        for what, make in (("codec", codec_of(codec, options.seed)), ("handler", handler_of(codec, options.seed)))
    ]
    return int(max(grown) > GROWTH_MB)


def codec_of(codec: str, seed: int) -> Callable[[Path], Callable[[], object]]:
    """Return a step that decodes one message; it must be read or undecodable."""
    mutator = Mutator(codec, Random(seed))
    return lambda _: lambda: read_or_undecodable(codec, mutator.message())


def handler_of(codec: str, seed: int) -> Callable[[Path], Callable[[], object]]:
    """Return a step that passes one message to the whole service behind the network."""
    return lambda folder: Handler(folder, codec, Random(seed)).step


def run(name: str, seconds: float, make: Callable[[Path], Callable[[], object]]) -> float:
    """Run steps for this many seconds; return the MB that memory grew after the first fifth. No step may take long."""
    with tempfile.TemporaryDirectory() as folder:
        step, steps, slowest_s, most_work_s = make(Path(folder)), 0, 0.0, 0.0
        began_s = last_s = time.monotonic()
        worked_s, warm_mb = time.process_time(), None
        while last_s - began_s < seconds:
            step()
            now_s, work_s = time.monotonic(), time.process_time()
            slowest_s, most_work_s = max(slowest_s, now_s - last_s), max(most_work_s, work_s - worked_s)
            steps, last_s, worked_s = steps + 1, now_s, work_s
            if warm_mb is None and last_s - began_s > seconds / 5:
                warm_mb, worked_s = resident_mb(), time.process_time()
        grown_mb = resident_mb() - (warm_mb or resident_mb())
    took = f"{1000 * slowest_s:.0f} ms ({1000 * most_work_s:.0f} of work)"
    print(f"{name}: {steps} messages, slowest {took}, memory +{grown_mb:.1f} MB", flush=True)
    assert slowest_s < SLOWEST_S or seconds < SLOWEST_S
    assert most_work_s < MOST_WORK_S
    return grown_mb


def resident_mb() -> float:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
