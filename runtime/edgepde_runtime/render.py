"""Plain text for people: aligned tables, words beside marks, colour only on a terminal that wants it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TextIO

from .term import upward
from .verdict import FAIL, MEASURED, NOT_VERIFIED, PASS

MARKS: Mapping[str, str] = {PASS: "✓", FAIL: "✗", NOT_VERIFIED: "?", MEASURED: "·"}
_COLOURS: Mapping[str, str] = {PASS: "32", FAIL: "31", NOT_VERIFIED: "33"}


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal whose user has not set NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def safe(text: str) -> str:
    """Text without characters that would steer a terminal; line ends stay."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def width(text: str) -> int:
    """Columns a terminal uses for a text."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Columns padded to their widest cell, two spaces apart; columns numbered in `right` end flush."""
    lines = [[safe(cell) for cell in row] for row in ([header] if header else []) + list(rows)]
    if not lines:
        return ""
    widths = [max(width(line[i]) for line in lines) for i in range(len(lines[0]))]
    if header:
        lines.insert(1, ["─" * w for w in widths])
    text = []
    for line in lines:
        cells = [_pad(cell, widths[i], i in right) for i, cell in enumerate(line)]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def _pad(cell: str, size: int, right: bool) -> str:
    space = " " * (size - width(cell))
    return space + cell if right else cell + space


def word(status: str) -> str:
    """A status as mark and word."""
    return f"{MARKS[status]} {status}"


def coloured(text: str) -> str:
    """A table with every mark-and-word in its colour."""
    for status, code in _COLOURS.items():
        text = text.replace(word(status), f"\x1b[{code}m{word(status)}\x1b[0m")
    return text


def number(value: float | None) -> str:
    """A figure a person reads: three significant digits, "-" for none."""
    return "-" if value is None else f"{value:.3g}"


def bound(value: float | None) -> str:
    """A bound, or what is held against one: three significant digits, rounded up, "-" for none."""
    return "-" if value is None else upward(value)


def size(count: int) -> str:
    """Bytes in words."""
    return f"{count} B" if count < 1024 else f"{count / 1024:.1f} KB"
