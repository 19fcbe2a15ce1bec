"""Writes the tables as Markdown between markers of two pages of docs, so that no number is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.detection.aims import aim_results
from benchmarks.detection.decision_tables import beside_table, pooled_table, set_table
from benchmarks.detection.fitting import DETECTORS, MAIN, OFF, TWIN
from benchmarks.detection.jobs import RESULTS, SIMPLE_RESULTS
from benchmarks.detection.loso_table import loso_table
from benchmarks.detection.markdown import table
from benchmarks.detection.results import ROOT, ResultRow, read_rows
from benchmarks.detection.rig import rig_table
from benchmarks.detection.robustness_table import robustness_table
from benchmarks.detection.sets import SERIES, SETS
from benchmarks.detection.simple import ALL_ONES, RANDOM, RIDGE, SIMPLE, TRIVIAL
from benchmarks.detection.summary import Summary, newest_version
from benchmarks.markers import fill

PAGE, SUMMARY_PAGE = ROOT / "docs" / "measurements" / "detection.md", ROOT / "docs" / "detection.md"
IN_SUMMARY = (MAIN, OFF, TWIN, RIDGE, "window-PCA", "KNN", "max |z|", RANDOM, ALL_ONES)
NETWORK = {
    "updated share, normal rows": "updated_normal",
    "updated share, anomalous rows": "updated_anomalous",
    "share of channels that the correction is let through on": "channels_helped",
}


def write_page(out: Path, page: Path = PAGE, summary: Path = SUMMARY_PAGE) -> str:
    """Make the tables of the results in a folder, and return their text.

    They are written into the page, and short tables into the summary.
    """
    text = "\n\n".join(sections(out))
    fill(page, "detection", text)
    rows = _rows(out / RESULTS)
    if rows:
        fill(summary, "detection", "\n\n".join(_short_tables(rows, _rows(out / SIMPLE_RESULTS))))
    return text


def sections(out: Path) -> list[str]:
    """Return the tables of all results that exist, each with its origin."""
    simple = _rows(out / SIMPLE_RESULTS)
    parts: list[str] = []
    makers: tuple[tuple[str, Callable[[list[ResultRow]], list[str]]], ...] = (
        (RESULTS, lambda rows: _detection(rows, simple)),
        ("rig.jsonl", lambda rows: ["## A fault that needs memory", *rig_table(rows)]),
        ("loso.jsonl", lambda rows: ["## What generality costs", *loso_table(rows, simple)]),
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


def _short_tables(rows: list[ResultRow], simple: list[ResultRow]) -> list[str]:
    """Return a sentence, a table of VUS-PR, and one of the decisions."""
    summary = Summary([*rows, *simple])
    sets = [name for name in SETS if name in summary.sets]
    lines = [[m, *(summary.value(s, m, "vus_pr").text() for s in sets)] for m in IN_SUMMARY if m in summary.methods]
    updated = [summary.value(name, MAIN, "updated_normal").text() for name in sets]
    words = f"VUS-PR. {_coverage(summary, sets)} {_origin(rows)}"
    network = MAIN if MAIN in summary.methods else OFF
    return [
        words,
        table(["", *_heads(summary, sets)], [*lines, ["share that VCGRU updates on normal rows", *updated]]),
        f"Decisions of the {network} at the default settings; in brackets those of the {RIDGE}:",
        beside_table(summary, sets, network),
    ]


def _detection(rows: list[ResultRow], simple: list[ResultRow]) -> list[str]:
    summary = Summary([*rows, *simple])
    sets = [name for name in SETS if name in summary.sets]
    methods = [method for method in (*DETECTORS, *SIMPLE, *TRIVIAL) if method in summary.methods]
    parts = [
        "## Aims",
        table(["aim", "found", ""], [result.row for result in aim_results(summary)]),
        "## Ranking: VUS-PR",
        _coverage(summary, sets),
        table(
            ["", *_heads(summary, sets)], [[m, *(summary.value(s, m, "vus_pr").text() for s in sets)] for m in methods]
        ),
        "## Decisions at the default settings",
    ]
    for own in (MAIN, OFF):
        if own in methods:
            parts += [f"### {own} beside the ridge-VAR", beside_table(summary, sets, own)]
    parts += ["## What the network adds", _network(summary, sets)]
    for name in sets:
        parts += [f"### {name}: all decisions", set_table(summary, name, methods)]
    if "SKAB" in sets:
        parts += ["### SKAB, rows of all files together", pooled_table(summary, "SKAB", methods)]
    return parts


def _network(summary: Summary, sets: Sequence[str]) -> str:
    lines = [
        [f"{words}, VCGRU − {short}", *(summary.difference(s, MAIN, other, measure).text(4) for s in sets)]
        for other, short in ((OFF, "network off"), (TWIN, TWIN))
        for words, measure in (("VUS-PR", "vus_pr"), ("F1", "f1"))
    ]
    lines += [[words, *(summary.value(s, MAIN, measure).text() for s in sets)] for words, measure in NETWORK.items()]
    return table(["", *_heads(summary, sets)], lines)


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
