"""card.md as HTML: headings, text, lists and tables; no HTML of its own, no images, no links."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

_RULES = ("image", "link", "autolink", "reference", "html_block", "html_inline")


def render(text: str, level: int = 2) -> Markup:
    """The card's HTML with its headings `level` steps further down."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(list(_RULES))
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + level)}"
    # Safe: the parser escapes every text, and its rules for HTML are off.
    return Markup(parser.renderer.render(tokens, parser.options, {}))
