"""Shows the cost of generality: for each set, the setting that is best on the others, beside its own best."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from benchmarks.detection.loso import Setting
from benchmarks.detection.markdown import table
from benchmarks.detection.results import ResultRow


def loso_table(rows: list[ResultRow]) -> list[str]:
    """Return a sentence and a table of the settings that were measured on all sets; one set alone gives no line."""
    means = _means(rows)
    sets = list(dict.fromkeys(name for name, _ in means))
    # A run that was stopped within a set lacks some of its settings.
    measured = {setting for _, setting in means}
    settings = sorted(setting for setting in measured if all((name, setting) in means for name in sets))
    if not settings:
        return ["Not measured on all sets yet."]
    default = Setting().name
    lines = []
    for left_out in sets:
        others = [name for name in sets if name != left_out]
        if not others:
            continue
        chosen = max(settings, key=lambda setting: float(np.mean([means[name, setting] for name in others])))
        best = max(settings, key=lambda setting: means[left_out, setting])
        values = [means[left_out, setting] for setting in (chosen, default, best)]
        cost = f"{values[2] - values[0]:.4f}"
        lines.append([left_out, chosen, *(f"{value:.4f}" for value in values), cost])
    words = (
        f"Network off. Of {len(settings)} settings of the scorer the one with the best mean VUS-PR on the other sets, "
        f"and what it reaches on the set that was left out. The default is {default}."
    )
    header = ["left out", "chosen on the others", "reaches", "default reaches", "best in hindsight", "cost"]
    return [words, table(header, lines)]


def _means(rows: list[ResultRow]) -> dict[tuple[str, str], float]:
    """Return VUS-PR of each set and setting, averaged over the series."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        found[row["set"], row["method"]].append(row["vus_pr"])
    return {key: float(np.mean(values)) for key, values in found.items()}
