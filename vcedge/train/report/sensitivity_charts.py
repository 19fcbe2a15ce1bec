"""Draws the map of detectable faults: channels by kinds of fault, stronger where a smaller fault is detected."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from vcedge.injection.faults import KINDS
from vcedge.sensitivity.findings import DetectionLimit, Sensitivity
from vcedge.train.report.figure import COLOUR, WIDTH, Chart, LegendEntry, inline_svg, panels
from vcedge.train.report.sensitivity_text import TITLES

LONGEST_NAME = 12
LEFT, RIGHT, TOP, BOTTOM = 104, 20, 84, 4
"""Margins in the chart's units, for names of channels and slanted names of kinds."""
ROW, ROW_MANY, MANY = 22, 17, 20
"""Height of a row, of a row among more than MANY."""
FAINTEST, DARKEST = 0.12, 0.62
"""Opacity of a cell, so that text stays readable on it in light and dark mode."""
TIMES = (("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0))


def map_chart(sensitivity: Sensitivity) -> Chart:
    """Draw a cell for each channel and kind, the size of the smallest fault found as colour and the delay as text."""
    names = list(dict.fromkeys(finding.channel for finding in sensitivity.findings))
    kinds = [kind for kind in KINDS if any(finding.kind == kind for finding in sensitivity.findings)]
    height = TOP + BOTTOM + len(names) * (ROW if len(names) <= MANY else ROW_MANY)
    with panels("sensitivity", height) as (figure, (ax,)):
        figure.subplots_adjust(LEFT / WIDTH, BOTTOM / height, 1 - RIGHT / WIDTH, 1 - TOP / height)
        ax.set_xlim(0, len(kinds))
        ax.set_ylim(len(names), 0)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.xaxis.tick_top()
        ax.set_xticks([x + 0.5 for x in range(len(kinds))], [TITLES[kind] for kind in kinds], rotation=55, ha="left")
        ax.set_yticks([y + 0.5 for y in range(len(names))], [_cut(name) for name in names])
        for label in (*ax.get_xticklabels(), *ax.get_yticklabels()):
            label.set_parse_math(False)
        for finding in sensitivity.findings:
            x, y = kinds.index(finding.kind), names.index(finding.channel)
            shade = FAINTEST + (DARKEST - FAINTEST) * finding.ease if finding.found else 0.0
            ax.add_patch(Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, color=COLOUR["measured"], alpha=shade, lw=0))
            ax.text(x + 0.5, y + 0.53, brief(finding), ha="center", va="center", color=COLOUR["ink"])
        found = sum(finding.found for finding in sensitivity.findings)
        description = f"Found: {found} of {len(sensitivity.findings)} pairs of a channel and a kind of fault."
        svg = inline_svg(figure, "sensitivity", "Which faults are found on which channel", description)
    caption = (
        "A stronger colour means that a smaller fault is found; the text is the delay (s, m, h, d: seconds to days). A "
        "dash means that no injected size is found. The table below has the sizes."
    )
    legend = (LegendEntry("area", "measured", "found"), LegendEntry("line", "context", "not found"))
    return Chart("Faults found, and how soon", caption, legend, svg)


def brief(finding: DetectionLimit) -> str:
    """Return the delay in at most four characters, or a dash if the fault is not found."""
    if finding.delay_s is None:
        return "–"
    name, size = next((time for time in TIMES if finding.delay_s < 99.5 * time[1]), TIMES[-1])
    return f"{finding.delay_s / size:.0f}{name}"


def _cut(name: str) -> str:
    """Shorten a long name in its middle, as channels are often numbered at the end."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 6]}…{name[-5:]}"
