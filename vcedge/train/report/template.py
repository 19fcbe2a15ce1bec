"""Pages from templates: one environment for all, in which every text is escaped on its way."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

SHARED = "vcedge.train.report"
"""The package whose templates and style sheet every page may use."""


def resource(name: str, package: str = SHARED) -> str:
    """A text file of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def fill(name: str, package: str = SHARED, **values: Any) -> str:
    """A template of a package, filled in. It may import templates of the report, such as chart.html.j2."""
    environment = Environment(
        loader=FunctionLoader(resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(resource(name, package)).render(**values)
