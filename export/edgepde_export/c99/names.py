"""Names in generated C: identifiers that are no keyword and meet nothing else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources

# Loop indices, constants, values and functions of the driver, and whatever begins like a kernel.
_OURS = re.compile(
    r"[bceijklmnopqrs]|[cvt]\d+|(tile|lane|map|dense|sum|products|ep|EP|edgepde|EDGEPDE)_.*|.*_(flags|low|high)"
)

FILES = frozenset({"dispatch", "example", "test_golden"})


@functools.cache
def reserved() -> frozenset[str]:
    """Words that mean something in C, in C++ or in the generated file."""
    text = (resources.files(__package__) / "templates" / "reserved.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def identifier(name: str) -> str:
    """The name with what C does not allow as _, and one more at the end of a reserved word."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not plain or not plain[0].isalpha():
        plain = f"m_{plain.lstrip('_')}"
    return f"{plain}_" if plain in reserved() else plain


def model_name(name: str) -> str:
    """The identifier of a model, and the stem of its files: none that another file of c99/ has."""
    plain = identifier(name)
    return f"{plain}_" if plain in FILES else plain


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Identifiers by name, no two alike in any letter case and none that the driver uses itself."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        plain = identifier(name)
        plain = f"m_{plain}_" if _OURS.fullmatch(plain) else plain
        while plain.lower() in used:
            plain += "_"
        used.add(plain.lower())
        found[name] = plain
    return found
