"""Makes charts as inline SVG: matplotlib draws them, the page's style sheet colours them in light and dark mode."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from vcedge.schema import F64
from vcedge.wording import percent

Mark = Literal["line", "dashed", "dotted", "area", "dot"]
Role = Literal["measured", "limit", "context", "ink"]

# Each is a placeholder in the SVG and is replaced by a colour of the style sheet.
COLOUR: dict[Role, str] = {"measured": "#0a0b01", "limit": "#0a0b02", "context": "#0a0b03", "ink": "#0a0b04"}
_CSS: dict[Role, str] = {
    "measured": "var(--measured)",
    "limit": "var(--limit)",
    "context": "var(--context)",
    "ink": "currentColor",
}
WIDTH = 400
"""Width of a chart in its own units; the page scales it to its column."""
_LEFT, _RIGHT, _TOP, _BOTTOM, _BETWEEN = 46, 12, 30, 46, 40
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],  # part of matplotlib; the page replaces it by its own
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.labelpad": 6,
    "axes.edgecolor": COLOUR["ink"],
    "axes.labelcolor": COLOUR["ink"],
    "axes.titlecolor": COLOUR["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOUR["ink"],
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "xtick.color": COLOUR["ink"],
    "ytick.color": COLOUR["ink"],
    "ytick.left": False,
    "lines.linewidth": 1.8,
    "lines.solid_joinstyle": "round",
}


@dataclass(frozen=True)
class LegendEntry:
    """Describes one entry of a chart's legend."""

    mark: Mark
    role: Role
    text: str


@dataclass(frozen=True)
class Chart:
    """Holds a chart with its title, caption and legend."""

    title: str
    caption: str
    """Explanation for the reader: how a good chart looks, and what a bad one means."""
    legend: tuple[LegendEntry, ...]
    svg: Markup


@contextmanager
def panels(name: str, height: int, count: int = 1) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure of WIDTH by `height` with `count` equal axes, one below another, that share the x axis.

    Inside, everything is drawn in the report's style, regardless of the user's matplotlib settings; ids in the SVG
    derive from `name`.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        figure.patch.set_visible(False)
        each = (height - _TOP - _BOTTOM - (count - 1) * _BETWEEN) / count
        axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0].tolist()
        sides = _LEFT / WIDTH, _BOTTOM / height, 1 - _RIGHT / WIDTH, 1 - _TOP / height
        figure.subplots_adjust(*sides, 0, _BETWEEN / each)
        for ax in axes:
            ax.patch.set_visible(False)
            ax.margins(x=0)
        yield figure, axes


def quantity(ax: Axes, text: str) -> None:
    """Label the y axis above the axes, where the text is horizontal."""
    ax.set_title(text, x=-(_LEFT - 4) / (WIDTH - _LEFT - _RIGHT), pad=11)


def filled(ax: Axes, heights: F64, edges: ArrayLike, role: Role, baseline: float = 0.0) -> None:
    """Fill the area between the baseline and the height of each of B stretches, whose B + 1 edges are given."""
    ax.stairs(heights, edges, baseline=baseline, fill=True, color=COLOUR[role], linewidth=0)


def share_axis(ax: Axes, text: str = "updated share of the hidden state") -> None:
    """Show shares on the y axis in per cent, from 0 to 100, under the label `text`."""
    quantity(ax, text)
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))


def mark_target(ax: Axes, target: float | None) -> list[LegendEntry]:
    """Draw a line at the target of the updated share, if there is one, and return its legend entry."""
    if target is None:
        return []
    ax.axhline(target, color=COLOUR["limit"], dashes=(5, 3))
    return [LegendEntry("dashed", "limit", f"target, at most {percent(target)}")]


def log_axis(ax: Axes, axis: Literal["x", "y"], low: float, high: float) -> None:
    """Make an axis logarithmic, with few ticks in plain numbers."""
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    (ax.set_xlim if axis == "x" else ax.set_ylim)(low, high)
    decades = np.log10(high / low)
    side = ax.xaxis if axis == "x" else ax.yaxis
    if decades < 1:  # logarithmic ticks might all lie outside
        side.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    else:
        steps = (1.0,) if decades > 2.5 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
        side.set_major_locator(LogLocator(base=10, subs=steps, numticks=7))
    side.set_minor_locator(NullLocator())
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))


def inline_svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """Return the figure as an <svg> element for HTML: scalable, labelled for screen readers, coloured by the page."""
    buffer = io.StringIO()
    nothing: dict[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)  # a date would change the bytes each time
    text = buffer.getvalue()
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None
    body = text[text.index(">", text.index("<svg")) + 1 :]
    body = re.sub(r"<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r" font-family: [^;\"]*;?", "", body)
    used = set(re.findall(r"#(\w+)[\")]", body))
    body = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", body)
    for role, colour in COLOUR.items():
        body = body.replace(colour, _CSS[role])
    head = (
        f'<svg viewBox="{box[1]}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    )
    return Markup(head + re.sub(r"\n\s*", "\n", body))  # noqa: S704  # numbers, and text that matplotlib escaped
