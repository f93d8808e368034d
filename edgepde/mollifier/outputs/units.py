"""Units of derivatives, by the unit of the field and those of the coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..names import Sum

PURE = ("", "1")


def unit_of(field: str, terms: Sum, letters: Sequence[str], units: Mapping[str, str]) -> str:
    """K and m give K/m^2 for u_xx; "" where summands disagree."""
    found = {_divided(field, {letter: k for letter, k in zip(letters, o, strict=True) if k}, units) for _, o in terms}
    return found.pop() if len(found) == 1 else ""


def _divided(field: str, orders: Mapping[str, int], units: Mapping[str, str]) -> str:
    powers: dict[str, int] = {}
    for letter, k in orders.items():
        unit = units.get(letter, "")
        if unit not in PURE:
            powers[unit] = powers.get(unit, 0) + k
    if not powers:
        return field
    below = "*".join(f"{_closed(unit)}^{k}" if k > 1 else _closed(unit) for unit, k in sorted(powers.items()))
    above = "1" if field in PURE else _closed(field)
    return f"{above}/({below})" if len(powers) > 1 else f"{above}/{below}"


def _closed(unit: str) -> str:
    return f"({unit})" if any(sign in unit for sign in "/* ^") else unit
