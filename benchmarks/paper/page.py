"""Writes results as Markdown, CSV and plots, and the Markdown also into docs/measurements/paper.md."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks.detection.markdown import table
from benchmarks.detection.results import ROOT
from benchmarks.markers import fill
from benchmarks.paper.ablation import ABLATIONS
from benchmarks.paper.claims import claims_of
from benchmarks.paper.data import TEXT
from benchmarks.paper.experiments import ResultStore
from benchmarks.paper.models import MODELS
from benchmarks.paper.plots import draw_all
from benchmarks.paper.summary import MACS, Group, ResultRow, by_model, groups_of

PAGE, IMAGES = ROOT / "docs" / "measurements" / "paper.md", ROOT / "docs" / "images"
EXPLAINED, EXPLAINED_SET = ROOT / "docs" / "variable-computation.md", "jsb"
"""The page that explains the method shows the ablation on one set."""
TITLES = {
    "jsb": "JSB chorales",
    "nottingham": "Nottingham",
    "piano": "Piano-midi",
    "muse": "MuseData",
    TEXT: "Text",
}


def write_results(out: Path, *, fill_page: bool) -> str:
    """Write paper.md, paper.csv and plots into the folder, with `fill_page` also pages of docs; return the text."""
    rows = ResultStore(out).rows()
    groups = groups_of(rows)
    text = "\n\n".join(sections(groups))
    out.mkdir(parents=True, exist_ok=True)
    (out / "paper.md").write_text(text + "\n", encoding="utf-8")
    _write_csv(out / "paper.csv", rows)
    pictures = draw_all(out, rows)
    if fill_page:
        fill(PAGE, "paper", text)
        fill(EXPLAINED, "paper --ablation", _ablation([group for group in groups if group.set == EXPLAINED_SET]))
        for picture in pictures:
            shutil.copy(picture, IMAGES / f"paper-{picture.name}")
    return text


def sections(groups: Sequence[Group]) -> list[str]:
    """Return for each set and size its origin, claims, table and ablation."""
    parts: list[str] = []
    for set_, size in dict.fromkeys((group.set, group.size) for group in groups):
        models = by_model(groups, set_, size)
        parts += [f"## {TITLES[set_]}, {size} units", _origin(list(models.values()))]
        claims = claims_of(models)
        if claims:
            parts.append(table(["claim", "found", ""], [claim.cells for claim in claims]))
        parts.append(_models([models[name] for name in MODELS if name in models], set_))
        if any(name in models for name in ABLATIONS):
            parts += [f"### {TITLES[set_]}: one change taken back at a time", _ablation(list(models.values()))]
    return parts


def _models(groups: Sequence[Group], set_: str) -> str:
    unit = "nats a character" if set_ == TEXT else "nats a frame"
    dense = next((group.macs("all").mean for group in groups if group.model == "gru"), None)
    lines = []
    for group in groups:
        share = "–" if dense is None else f"{group.macs('all').mean / dense:.0%}"
        macs = [f"{group.macs(name).mean:,.0f}" for name in MACS]
        units = group.of(lambda row: row["hidden"]).mean
        minutes = group.of(lambda row: row["seconds"] / 60).mean
        square = group.square.text()
        cells = [group.model, f"{units:.0f}", str(len(group.rows)), group.loss.text(), square]
        lines.append([*cells, *macs, share, f"{minutes:.1f}"])
    header = ["model", "units", "seeds", f"test, {unit}", "(k/D)²", *MACS, "of the GRU's", "minutes"]
    return table(header, lines)


def _ablation(groups: Sequence[Group]) -> str:
    """Compare the VCGRU and its variants on the seeds that both have."""
    changed = {group.model: group for group in groups if group.model in ("vcgru", *ABLATIONS)}
    present = {row["seed"]: row["test"]["loss"] for row in changed["vcgru"].rows} if "vcgru" in changed else {}
    lines = []
    for name, group in changed.items():
        gap = "–" if group.gap is None else f"{group.gap:.2%}"
        opened = group.of(lambda row: row["test"]["opened"])
        moving = group.of(lambda row: spread_of(row["histogram"]))
        both = [(row["test"]["loss"], present[row["seed"]]) for row in group.rows if row["seed"] in present]
        worse = sum(loss for loss, _ in both) / sum(loss for _, loss in both) - 1 if both else None
        against = "–" if name == "vcgru" or worse is None else f"{worse:+.1%}"
        seeds, cells = str(len(group.rows)), (group.square.text(), opened.text(), moving.text(1), gap)
        lines.append([name, seeds, group.loss.text(), against, *cells])
    header = ["variant", "seeds", "test, nats a frame", "against vcgru, same seeds", "(k/D)²", "mean k/D"]
    return table([*header, "standard deviation of k", "trained to exported"], lines)


def spread_of(histogram: dict[str, int]) -> float:
    """Return the standard deviation of k over the steps."""
    total = sum(histogram.values())
    mean = sum(int(k) * n for k, n in histogram.items()) / total
    return float((sum(n * (int(k) - mean) ** 2 for k, n in histogram.items()) / total) ** 0.5)


def _origin(groups: Sequence[Group]) -> str:
    rows = [row for group in groups for row in group.rows]
    dates, commits = sorted({row["date"] for row in rows}), list(dict.fromkeys(row["commit"] for row in rows))
    versions = rows[-1]["versions"]
    names = ", ".join(f"{name} {version}" for name, version in versions.items())
    hours = sum(row["seconds"] for row in rows) / 3600
    return (
        f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, commit {', '.join(commits)}; {names}; "
        f"{hours:.1f} hours in all. {_plans(groups)}"
    )


def _plans(groups: Sequence[Group]) -> str:
    """Describe how most models were trained, then the exceptions."""
    plans: dict[str, list[str]] = {}
    for group in groups:
        for row in group.rows:
            plan = row["plan"]
            words = (
                f"at most {plan['epochs']} epochs, {plan['lanes']} lanes, windows of {plan['window']} steps, "
                f"AdamW at {plan['rate']:g}, dropout {plan['dropout']:g} before the head"
            )
            names = plans.setdefault(words, [])
            if group.model not in names:
                names.append(group.model)
    most, *others = sorted(plans, key=lambda words: -len(plans[words]))
    return ". ".join([most[0].upper() + most[1:], *(f"{', '.join(plans[words])}: {words}" for words in others)]) + "."


def _write_csv(path: Path, rows: Sequence[ResultRow]) -> None:
    names = ["set", "model", "size", "seed", "hidden", "parameters", "valid_loss", "test_loss", "square", "opened"]
    names += [f"macs_{name}" for name in MACS] + ["exported_gap", "epochs", "best", "seconds", "commit", "date"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in (row for group in groups_of(rows) for row in group.rows):
            test = row["test"]
            gap = "" if row["exported"] is None else row["exported"]["gap"]
            writer.writerow(
                [row[name] for name in names[:6]]
                + [row["valid"]["loss"], test["loss"], test["square"], test["opened"]]
                + [test["macs"][name] for name in MACS]
                + [gap, *(row[name] for name in names[-5:])]
            )
