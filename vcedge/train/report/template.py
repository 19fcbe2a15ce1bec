"""Fills the templates of all pages; the environment escapes every text."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

SHARED = "vcedge.train.report"
"""Package whose templates and style sheet every page can use."""


def resource(name: str, package: str = SHARED) -> str:
    """Return a text file of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def fill(name: str, package: str = SHARED, **values: Any) -> str:
    """Fill a template of a package; it can import templates of SHARED, such as chart.html.j2."""
    environment = Environment(
        loader=FunctionLoader(resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(resource(name, package)).render(**values)
