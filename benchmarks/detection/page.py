"""Writes the tables as Markdown between markers of two pages of docs, so that no number is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.detection.bars import BEST_BASELINE, bar_results
from benchmarks.detection.fitting import MAIN, METHODS, OFF, TWIN
from benchmarks.detection.loso_table import loso_table
from benchmarks.detection.markdown import table
from benchmarks.detection.results import ROOT, ResultRow, read_rows
from benchmarks.detection.rig import rig_table
from benchmarks.detection.robustness_table import robustness_table
from benchmarks.detection.sets import SERIES, SETS
from benchmarks.detection.summary import Summary, newest_version
from benchmarks.markers import fill

PAGE, SUMMARY_PAGE = ROOT / "docs" / "measurements" / "detection.md", ROOT / "docs" / "detection.md"
AT_PROMISE = (MAIN, OFF, TWIN, BEST_BASELINE, "window-PCA (reference)", "ridge-VAR, EWMA 20", "random", "all ones")
THRESHOLDS = {
    "adapting": "1 false alarm a day, adapting",
    "promise": "1 false alarm a day",
    "thousand adapting": "1 event in 1,000 rows, adapting",
    "thousand": "1 event in 1,000 rows",
    "quantile adapting": "0.999 quantile, adapting",
    "quantile": "0.999 quantile",
}


IN_SUMMARY = (MAIN, OFF, TWIN, BEST_BASELINE, "window-PCA (reference)", "max |z|, EWMA 20", "random", "all ones")


def write_page(out: Path, page: Path = PAGE, summary: Path = SUMMARY_PAGE) -> str:
    """Make the tables of the results in a folder, and return their text.

    They are written into the page, and a short table into the summary.
    """
    text = "\n\n".join(sections(out))
    fill(page, "detection", text)
    rows = _rows(out / "results.jsonl")
    if rows:
        fill(summary, "detection", "\n\n".join(_short_table(rows)))
    return text


def sections(out: Path) -> list[str]:
    """Return the tables of all results that exist, each with its origin."""
    parts: list[str] = []
    makers: tuple[tuple[str, Callable[[list[ResultRow]], list[str]]], ...] = (
        ("results.jsonl", _detection),
        ("rig.jsonl", lambda rows: ["## A fault that needs memory", *rig_table(rows)]),
        ("loso.jsonl", lambda rows: ["## What generality costs", *loso_table(rows)]),
        ("robustness.jsonl", lambda rows: ["## Robustness", *robustness_table(rows)]),
    )
    for name, make in makers:
        rows = _rows(out / name)
        if rows:
            title, *rest = make(rows)
            parts += [title, _origin(rows), *rest]
    return parts


def _rows(path: Path) -> list[ResultRow]:
    """Return the lines of the newest version; none without a file."""
    return newest_version(list(read_rows(path))) if path.is_file() else []


def _short_table(rows: list[ResultRow]) -> list[str]:
    """Return a sentence and a table of VUS-PR alone."""
    summary = Summary(rows)
    sets = [name for name in SETS if name in summary.sets]
    lines = [[m, *(summary.value(s, m, "vus_pr").text() for s in sets)] for m in IN_SUMMARY if m in summary.methods]
    updated = [summary.value(name, MAIN, "updated_normal").text() for name in sets]
    words = f"VUS-PR. {_coverage(summary, sets)} {_origin(rows)}"
    return [words, table(["", *_heads(summary, sets)], [*lines, ["share that VCGRU updates on normal rows", *updated]])]


def _detection(rows: list[ResultRow]) -> list[str]:
    summary = Summary(rows)
    sets = [name for name in SETS if name in summary.sets]
    methods = [method for method in METHODS if method in summary.methods]
    parts = [
        "## Bars",
        table(["bar", "found", ""], [verdict.row for verdict in bar_results(summary)]),
        "## VUS-PR",
        _coverage(summary, sets),
        table(
            ["", *_heads(summary, sets)], [[m, *(summary.value(s, m, "vus_pr").text() for s in sets)] for m in methods]
        ),
        "## What the network adds",
        table(
            ["VUS-PR", *_heads(summary, sets)],
            [
                [words, *(summary.difference(s, MAIN, other, "vus_pr").text(4) for s in sets)]
                for words, other in (("VCGRU − network off", OFF), ("VCGRU − GRU, same size", TWIN))
            ]
            + [[words, *(summary.value(s, MAIN, measure).text() for s in sets)] for words, measure in NETWORK.items()],
        ),
        "## At a threshold",
    ]
    for name in sets:
        parts += [f"### {name}", _at_thresholds(summary, name, methods)]
    if "SKAB" in sets:
        parts += ["### SKAB, rows of all files together", _pooled(summary, methods)]
    return parts


NETWORK = {
    "updated share, normal rows": "updated_normal",
    "updated share, anomalous rows": "updated_anomalous",
    "share of channels that the correction is let through on": "channels_helped",
}


def _at_thresholds(summary: Summary, name: str, methods: Sequence[str]) -> str:
    lines = []
    for method in methods:
        if method not in AT_PROMISE:
            continue
        for threshold, words in THRESHOLDS.items():
            f1 = summary.value(name, method, f"{threshold}.f1")
            if f1.text() == "–":
                continue
            cells = [summary.value(name, method, f"{threshold}.{m}").text(3) for m in ("far", "mar", "event_recall")]
            delay = summary.value(name, method, f"{threshold}.delay_rows").text(1)
            alarms = summary.value(name, method, f"{threshold}.false_alarms").text(1)
            lines.append([method, words, f1.text(), *cells, delay, alarms])
    days = summary.value(name, MAIN, "normal_days").text(1)
    header = ["", "threshold", "F1", "FAR", "MAR", "events found", "median delay, rows", f"false alarms in {days} days"]
    return table(header, lines)


def _pooled(summary: Summary, methods: Sequence[str]) -> str:
    lines = []
    for method in methods:
        for threshold, words in THRESHOLDS.items():
            if summary.value("SKAB", method, f"{threshold}.f1").text() == "–":
                continue
            found = summary.pooled("SKAB", method, threshold)
            lines.append([method, words, *(found[measure].text() for measure in ("f1", "far", "mar"))])
    return table(["", "threshold", "F1", "FAR", "MAR"], lines)


def _coverage(summary: Summary, sets: Sequence[str]) -> str:
    """Return the coverage of the means: series, and the seeds of the networks that were measured on all of them."""
    words = [
        f"{name} {len(summary.series(name))} series, seeds {_list(summary.seeds(name, MAIN))} (GRU "
        f"{_list(summary.seeds(name, TWIN))})"
        for name in sets
    ]
    return f"Mean over series, then mean ± standard deviation over seeds. {'; '.join(words)}."


def _heads(summary: Summary, sets: Sequence[str]) -> list[str]:
    """Return the names of the sets, with a warning if series are missing."""
    counts = {name: len(summary.series(name)) for name in sets}
    return [
        name if counts[name] >= SERIES[name] else f"{name}, {counts[name]} of {SERIES[name]} series" for name in sets
    ]


def _list(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


def _origin(rows: list[ResultRow]) -> str:
    dates = sorted({row["date"] for row in rows})
    commits = list(dict.fromkeys(row["commit"] for row in rows if row["commit"]))
    when = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return f"Measured {when}, commit {', '.join(commits)}, code {rows[-1]['version']}."
