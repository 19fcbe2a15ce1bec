"""What generality costs: for each set, the choice that is best on the others, beside its own best."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from benchmarks.detection.loso import Cell
from benchmarks.detection.markdown import table
from benchmarks.detection.results import Row


def loso_table(rows: list[Row]) -> list[str]:
    """A sentence and a table; nothing is chosen where there is one set, and only what was measured on all of them."""
    means = _means(rows)
    sets = list(dict.fromkeys(name for name, _ in means))
    # A run that was stopped within a set has not all of them there.
    cells = sorted(cell for cell in {cell for _, cell in means} if all((name, cell) in means for name in sets))
    if not cells:
        return ["Not measured on all sets yet."]
    default = Cell().name
    lines = []
    for left_out in sets:
        others = [name for name in sets if name != left_out]
        if not others:
            continue
        chosen = max(cells, key=lambda cell: float(np.mean([means[name, cell] for name in others])))
        best = max(cells, key=lambda cell: means[left_out, cell])
        values = [means[left_out, cell] for cell in (chosen, default, best)]
        cost = f"{values[2] - values[0]:.4f}"
        lines.append([left_out, chosen, *(f"{value:.4f}" for value in values), cost])
    words = (
        f"Network off. Of {len(cells)} settings of the scorer the one with the best mean VUS-PR on the other sets, and "
        f"what it reaches on the set that was left out. The default is {default}."
    )
    header = ["left out", "chosen on the others", "reaches", "default reaches", "best in hindsight", "cost"]
    return [words, table(header, lines)]


def _means(rows: list[Row]) -> dict[tuple[str, str], float]:
    """VUS-PR of each set and setting, averaged over the series."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        found[row["set"], row["method"]].append(row["vus_pr"])
    return {key: float(np.mean(values)) for key, values in found.items()}
