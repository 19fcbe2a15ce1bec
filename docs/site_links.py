"""A hook of mkdocs: links to files outside of docs become plain text, because the site does not contain those files.

In the repository they work as links; tests/docs/test_links.py checks that the files exist.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\n]+)\]\((?P<target>[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Return the page with links that leave docs, or lead into examples, as text."""
    folder = posixpath.dirname(page.file.src_uri)

    def as_text(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match["target"]))
        outside = target.startswith(("..", "examples/")) and "://" not in match["target"]
        return f"`{match['text'].strip('`')}`" if outside else match[0]

    return LINK.sub(as_text, markdown)
