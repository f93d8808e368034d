"""Figures as a person reads them: three digits, powers of ten, units."""

from __future__ import annotations

import math

from edgepde_runtime.term import upward

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SPANS = ((1e-6, 1e-9, "ns"), (1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min"))


def number(value: float | None, digits: int = 3) -> str:
    """Three significant digits; a power of ten outside [1e-3, 1e4); a dash for none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0.0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if -3 <= power < 4:
        return f"{float(f'{mantissa}e{power}'):.{max(0, digits - 1 - power)}f}".replace("-", "−")
    return f"{mantissa}×10{str(power).translate(_RAISED)}".replace("-", "−")


def plain(value: float) -> str:
    """Four significant digits without trailing zeros, for figures that were chosen rather than measured."""
    text = f"{value:.4g}"
    return number(value, 4) if "e" in text else text.replace("-", "−")


def bound(value: float | None) -> str:
    """As `number`, rounded up: the page never states less than the certificate."""
    return "not verified" if value is None else number(float(upward(value)))


def tick(value: float, _: object = None) -> str:
    """A label of a logarithmic axis: plain where short, else a power of ten."""
    power = round(math.log10(value)) if value > 0 else 0
    if 1e-3 <= value < 1e4:
        return f"{value:g}"
    exact = math.isclose(value, 10.0**power, rel_tol=1e-6)
    return f"10{str(power).translate(_RAISED)}" if exact else number(value, 2)


def duration(seconds: float) -> str:
    """A span of time in the unit that suits it."""
    for below, unit, name in _SPANS:
        if abs(seconds) < below:
            return f"{number(seconds / unit)} {name}"
    return f"{number(seconds / 3600.0)} h"


def count(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, one: str, many: str) -> str:
    """A count with its noun."""
    return f"{count(value)} {one if value == 1 else many}"


def unit(text: str) -> str:
    """A unit with its powers raised and its products dotted: m^2/s is m²/s, N*m is N·m."""
    parts = text.replace("*", "·").split("^")
    for i in range(1, len(parts)):
        digits = len(parts[i]) - len(parts[i].lstrip("-0123456789"))
        raised = parts[i][:digits].translate(_RAISED)
        parts[i] = raised + parts[i][digits:] if digits else "^" + parts[i]
    return "".join(parts)


def labelled(name: str, unit_: str) -> str:
    """A name with its unit in brackets, as on an axis."""
    return f"{name} [{unit(unit_)}]" if unit_ else name
