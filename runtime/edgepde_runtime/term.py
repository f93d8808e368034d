"""One part of an error bound with its class, and what is summed from several."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context
from fractions import Fraction

CLASSES = ("sound", "statistical", "measured", "not verified")
TERMS = ("model", "compression", "quantisation", "rounding", "activation")
SENSOR = "sensor"
BY_BACKEND = ("rounding", "activation")
LARGEST = 1e300


def weakest(classes: Iterable[str]) -> str:
    """The last of the classes in the order sound, statistical, measured, not verified."""
    return max(classes, key=CLASSES.index)


def at_least(class_: str, minimum: str) -> bool:
    """Whether a class is as strong as `minimum`; "not verified" never is."""
    return class_ != CLASSES[-1] and CLASSES.index(class_) <= CLASSES.index(minimum)


def sum_up(values: Iterable[float]) -> float:
    """The sum of finite values, rounded up: never below the exact sum."""
    exact = sum((Fraction(v) for v in values), Fraction(0))
    total = float(exact)
    return total if Fraction(total) >= exact else math.nextafter(total, math.inf)


def upward(value: float, digits: int = 3) -> str:
    """A bound as text of so many significant digits, never below the bound: float(upward(v)) >= v."""
    rounded = Context(prec=digits, rounding=ROUND_CEILING).create_decimal(repr(float(value)))
    return f"{float(rounded):.{digits}g}"


def ratio(bound: float | None, found: float | None) -> float | None:
    """bound / found; None where one is not known, found is 0 or the ratio is beyond LARGEST."""
    if bound is None or found is None or found <= 0.0:
        return None
    value = bound / found
    return value if value <= LARGEST else None


@dataclass(frozen=True)
class Term:
    """One part of the error, in the output's unit; value None exactly where the class is "not verified"."""

    value: float | None
    class_: str
    how: str

    @classmethod
    def not_verified(cls, why: str) -> Term:
        """A term nobody could check, and why."""
        return cls(None, CLASSES[-1], why)


class Totals(ABC):
    """What follows from `terms`: the five of TERMS and perhaps SENSOR, the effect of inaccurate inputs."""

    terms: Mapping[str, Term]

    @property
    def names(self) -> tuple[str, ...]:
        """The terms there are, in the order of TERMS, sensor last."""
        return tuple(name for name in (*TERMS, SENSOR) if name in self.terms)

    @property
    def total(self) -> float | None:
        """The sum of all terms; None as soon as one is not verified."""
        return self._sum(self.names)

    @property
    def total_class(self) -> str:
        """The weakest class among all terms."""
        return weakest(self.terms[t].class_ for t in self.names)

    @property
    def device_total(self) -> float | None:
        """sup |reference network - device|: the terms after `model` but sensor; None as soon as one is not verified."""
        return self._sum(TERMS[1:])

    @property
    def device_class(self) -> str:
        """The weakest class among the terms after `model` but sensor."""
        return weakest(self.terms[t].class_ for t in TERMS[1:])

    @property
    def sound_total(self) -> float | None:
        """`device_total` where every term in it is sound, else None."""
        return self.device_total if self.device_class == "sound" else None

    def _sum(self, names: Iterable[str]) -> float | None:
        values = [self.terms[t].value for t in names]
        known = [v for v in values if v is not None]
        return sum_up(known) if len(known) == len(values) else None


def tightest(statements: Iterable[Totals], bound: Callable[[Totals], float | None]) -> Totals:
    """The statement of the smallest bound, one without a bound last."""

    def size(one: Totals) -> float:
        value = bound(one)
        return math.inf if value is None else value

    return min(statements, key=size)
