"""The box as text: low:high per column, names optional, as in `-1:1,0:1` or `x=-1:1,t=0:1`."""

from __future__ import annotations

from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError


def parse_domain(text: str) -> Box:
    """The box that `text` states; raises InputError naming the column that cannot be read."""
    names: list[str] = []
    low: list[float] = []
    high: list[float] = []
    for i, part in enumerate(text.split(",")):
        name, named, bounds = part.strip().rpartition("=")
        a, colon, b = bounds.partition(":")
        if not colon or (named and not name.strip()):
            raise InputError(f"--domain: column {i} expected low:high or name=low:high, got {part.strip()!r}")
        names.append(name.strip() or f"x{i}")
        low.append(_number(a, i, part))
        high.append(_number(b, i, part))
    return Box(low, high, names)


def _number(text: str, column: int, part: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--domain: column {column} expected numbers, got {part.strip()!r}") from None
