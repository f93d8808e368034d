"""Names in generated C: identifiers that are no keyword and meet nothing else."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources

# Loop indices, constants, values and functions of the driver, and whatever begins like a kernel.
_OURS = re.compile(
    r"[bceijklmnopqrs]|[cvt]\d+|.*_(flags|low|high)|(tile|lane|map|dense|sum|products|readout|ep|EP|edgepde|EDGEPDE)_.*"
    r"|(blocks|pool|interpolate|normalise)_.*"
    r"|(run|coefficients|field)_(before|tile|rows)"
)

_HEADERS = (  # noqa: SIM905 - one line per word says less
    "assert complex ctype errno fenv float immintrin inttypes limits locale math memory setjmp signal stdarg stdbool "
    "stddef stdint stdio stdlib string strings tgmath time unistd wchar wctype"
).split()
# Other files of c99/, and headers that a compiler would no longer find.
FILES = frozenset({"dispatch", "example", "test_golden", *_HEADERS})
_MACROS = re.compile(
    r"(FLT|DBL|LDBL|DECIMAL|U?INT\w*|SIZE|PTRDIFF|WCHAR|WINT|SIG_ATOMIC|CHAR|SHRT|LONG|M|FP)_[A-Z0-9_]+"
)


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


def distinct(names: Iterable[str], model: str) -> dict[str, str]:
    """Identifiers by name, no two alike in any letter case and none that the driver or the API of `model` has."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        plain = identifier(name)
        ours = _OURS.fullmatch(plain) or _MACROS.fullmatch(plain) or plain.lower().startswith(f"{model.lower()}_")
        plain = f"m_{plain}_" if ours else plain
        while plain.lower() in used:
            plain += "_"
        used.add(plain.lower())
        found[name] = plain
    return found
