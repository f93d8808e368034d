"""Names in generated C: identifiers that are no keyword and meet nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable

KEYWORDS = frozenset(
    [
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "alignas",
        "alignof",
        "bool",
        "catch",
        "class",
        "constexpr",
        "delete",
        "explicit",
        "export",
        "false",
        "friend",
        "mutable",
        "namespace",
        "new",
        "noexcept",
        "nullptr",
        "operator",
        "private",
        "protected",
        "public",
        "template",
        "this",
        "throw",
        "true",
        "try",
        "typeid",
        "typename",
        "using",
        "virtual",
        "wchar_t",
        "asm",
        "typeof",
        "linux",
        "unix",
        "errno",
        "assert",
        "main",
        "I",
        "complex",
        "imaginary",
        "NULL",
    ]
)
_TAKEN_BY_US = frozenset({"scratch", "flags", "L", "l", "s", "m", "left"})


def identifier(name: str) -> str:
    """The name with what C does not allow as _, and one more at the end of a keyword."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not plain or plain[0].isdigit():
        plain = f"m_{plain}"
    if plain.startswith("_"):
        plain = f"m{plain}"
    return f"{plain}_" if plain in KEYWORDS else plain


def distinct(names: Iterable[str]) -> dict[str, str]:
    """Identifiers by name, no two alike in any letter case and none of the driver's own."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        plain = identifier(name)
        while plain in _TAKEN_BY_US or plain.lower() in used:
            plain += "_"
        used.add(plain.lower())
        found[name] = plain
    return found
