"""Truncated Taylor series in several variables, carried through ordinary torch arithmetic: exact derivatives.

A series holds c_a = D^a / a! for multi-indices a, each made when it is asked for and once. A function f of a series x
obeys y_i' = f'(x) x_i', hence a_i y_a = sum_(b <= a, b_i > 0) b_i x_b g_(a-b) with g = f'(x), a series made of y and x.
Source: Griewank, Walther, Evaluating Derivatives, 2nd edition, chapter 13.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

Index = tuple[int, ...]
MOST_PRODUCTS = 64


class Scaled(NamedTuple):
    """factor * row * tensor, row [1, ..] being the same for every input; None stands for 1.

    What does not depend on the input meets first: it is one constant of the graph, whoever folds it.
    """

    factor: float
    tensor: Tensor | None
    row: Tensor | None = None

    @property
    def base(self) -> Tensor:
        """row * tensor."""
        if self.tensor is None or self.row is None:
            made = self.row if self.tensor is None else self.tensor
            assert made is not None
            return made
        return self.tensor * self.row

    @property
    def shape(self) -> torch.Size:
        """That of row * tensor."""
        return torch.broadcast_shapes(*(part.shape for part in (self.row, self.tensor) if part is not None))

    @property
    def whole(self) -> Tensor:
        """The product."""
        if self.factor == 1.0 or self.row is None:
            return self.base if self.factor == 1.0 else self.factor * self.base
        return self._replace(factor=1.0, row=self.factor * self.row).base

    def by(self, factor: float) -> Scaled:
        """So many times as much."""
        return self._replace(factor=self.factor * factor)

    def through(self, change: Callable[[Tensor], Tensor]) -> Scaled:
        """A linear map of it."""
        made = change(self.base)
        return Scaled(self.factor, None, made) if self.tensor is None else Scaled(self.factor, made)


Part = Scaled | None
"""A coefficient; None where it is 0 for every input."""


@final
class Series:
    """Coefficients by multi-index, made by `rule` when they are asked for; zero: the index of the value."""

    def __init__(self, rule: Callable[[Index], Part], zero: Index) -> None:
        self._rule, self.zero = rule, zero
        self._made: dict[Index, Part] = {}

    def __getitem__(self, index: Index) -> Part:
        if index not in self._made:
            self._made[index] = self._rule(index)
        return self._made[index]

    @property
    def value(self) -> Tensor:
        """The coefficient that is the function itself."""
        part = self[self.zero]
        assert part is not None
        return part.whole

    def each(self, change: Callable[[Tensor], Any], constant: Callable[[Tensor], Any] | None = None) -> Series:
        """A linear map of every coefficient; constant: the map of the value, where it adds something."""

        def rule(index: Index) -> Part:
            part = self[index]
            if part is None:
                return None
            if constant is not None and not any(index):
                return Scaled(1.0, constant(part.whole))
            return part.through(change)

        return Series(rule, self.zero)


def below(index: Index) -> list[Index]:
    """All multi-indices b <= a, 0 and a included."""
    return list(itertools.product(*(range(k + 1) for k in index)))


def less(a: Index, b: Index) -> Index:
    """a - b."""
    return tuple(i - j for i, j in zip(a, b, strict=True))


def plus(x: Series, y: Series) -> Series:
    """x + y."""
    return Series(lambda a: _sum([x[a], y[a]]), x.zero)


def minus(x: Series, y: Series) -> Series:
    """x - y."""

    def rule(a: Index) -> Part:
        left, right = x[a], y[a]
        if left is None or right is None:
            return left if right is None else right.by(-1.0)
        return _sum([left, right.by(-1.0)])

    return Series(rule, x.zero)


def times(x: Series, y: Series) -> Series:
    """x y: c_a = sum_(b <= a) x_b y_(a-b)."""

    def rule(a: Index) -> Part:
        if x is y:
            return _square(x, a)
        return _sum([_product(x[b], y[less(a, b)]) for b in below(a)])

    return Series(rule, x.zero)


def scaled(x: Series, factor: float, shift: float = 0.0) -> Series:
    """factor x + shift."""

    def rule(a: Index) -> Part:
        part = x[a]
        if part is None:
            return None
        if any(a):
            return part.by(factor) if factor else None
        value = part.by(factor).whole
        return Scaled(1.0, value + shift if shift else value)

    return Series(rule, x.zero)


def solved(x: Series, value: Callable[[Tensor], Tensor], slope: Callable[[Series], Series]) -> Series:
    """y = f(x) from f and the series g = f'(x), which `slope` makes of y; it may ask for lower coefficients alone."""
    held: list[Series] = []

    def rule(a: Index) -> Part:
        if not any(a):
            inner = x[a]
            return None if inner is None else Scaled(1.0, value(inner.whole))
        i = next(k for k, n in enumerate(a) if n)
        if not held:
            held.append(slope(y))
        parts = [(b, x[b], held[0]) for b in below(a) if b[i]]
        summands = []
        for b, inner, g in parts:
            made = None if inner is None else _product(inner, g[less(a, b)])
            summands.append(None if made is None else made.by(b[i] / a[i]))
        return _sum(summands)

    y = Series(rule, x.zero)
    return y


def tanh(x: Series) -> Series:
    """y' = (1 - y^2) x'."""
    return solved(x, torch.tanh, lambda y: scaled(times(y, y), -1.0, 1.0))


def sigmoid(x: Series) -> Series:
    """y' = y (1 - y) x'."""
    return solved(x, torch.sigmoid, lambda y: minus(y, times(y, y)))


def exp(x: Series) -> Series:
    """y' = y x'."""
    return solved(x, torch.exp, lambda y: y)


def sin(x: Series) -> Series:
    """y' = cos(x) x'."""
    return _waves(x)[0]


def cos(x: Series) -> Series:
    """y' = -sin(x) x'."""
    return _waves(x)[1]


def reciprocal(x: Series) -> Series:
    """1 / x: y' = -y^2 x'."""
    return solved(x, torch.reciprocal, lambda y: scaled(times(y, y), -1.0))


def log(x: Series) -> Series:
    """y' = x' / x."""
    return solved(x, torch.log, lambda _: reciprocal(x))


def sqrt(x: Series) -> Series:
    """y' = x' / (2 y)."""
    return solved(x, torch.sqrt, lambda y: scaled(reciprocal(y), 0.5))


def softplus(x: Series) -> Series:
    """log(1 + exp(x)): y' = sigmoid(x) x'."""
    return solved(x, torch.nn.functional.softplus, lambda _: sigmoid(x))


def erf(x: Series) -> Series:
    """y' = 2 / sqrt(pi) exp(-x^2) x'."""
    return solved(x, torch.erf, lambda _: scaled(exp(scaled(times(x, x), -1.0)), 2.0 / math.sqrt(math.pi)))


def silu(x: Series) -> Series:
    """x sigmoid(x)."""
    return times(x, sigmoid(x))


def gelu(x: Series) -> Series:
    """x (1 + erf(x / sqrt(2))) / 2."""
    return times(x, scaled(erf(scaled(x, math.sqrt(0.5))), 0.5, 0.5))


def gelu_tanh(x: Series) -> Series:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
    inner = scaled(plus(x, scaled(times(times(x, x), x), 0.044715)), math.sqrt(2.0 / math.pi))
    return times(x, scaled(tanh(inner), 0.5, 0.5))


def power(x: Series, exponent: float) -> Series:
    """x^n: products for n = 1 .. MOST_PRODUCTS, which are smooth at 0 too; y' = n y x' / x otherwise."""
    if exponent == 0:
        return Series(lambda a: None if any(a) else Scaled(1.0, torch.ones_like(x.value)), x.zero)
    if exponent in range(1, MOST_PRODUCTS + 1):
        half = power(x, exponent // 2) if exponent > 1 else x
        if exponent == 1:
            return x
        even = times(half, half)
        return times(even, x) if exponent % 2 else even
    if exponent == 0.5:
        return sqrt(x)
    if exponent == -1:
        return reciprocal(x)
    return solved(x, lambda v: v**exponent, lambda y: scaled(times(y, reciprocal(x)), exponent))


def _waves(x: Series) -> tuple[Series, Series]:
    sines: list[Series] = []
    cosine = solved(x, torch.cos, lambda _: scaled(sines[0], -1.0))
    sines.append(solved(x, torch.sin, lambda _: cosine))
    return sines[0], cosine


def _square(x: Series, a: Index) -> Part:
    """c_a of x^2, each product once."""
    parts = []
    for b in below(a):
        other = less(a, b)
        if b < other:
            made = _product(x[b], x[other])
            parts.append(None if made is None else made.by(2.0))
        elif b == other:
            parts.append(_product(x[b], x[b]))
    return _sum(parts)


def _product(x: Part, y: Part) -> Part:
    if x is None or y is None:
        return None
    return Scaled(x.factor * y.factor, _both(x.tensor, y.tensor), _both(x.row, y.row))


def _both(x: Tensor | None, y: Tensor | None) -> Tensor | None:
    return y if x is None else x if y is None else x * y


def _sum(parts: list[Part]) -> Part:
    kept = [part for part in parts if part is not None]
    if not kept:
        return None
    total, *rest = kept
    for part in rest:
        total = _plus(total, part)
    return total


def _plus(x: Scaled, y: Scaled) -> Scaled:
    if x.tensor is None and y.tensor is None:
        return Scaled(1.0, None, x.whole + y.whole)
    if x.row is y.row and x.tensor is not None and y.tensor is not None and abs(x.factor) == abs(y.factor):
        made = x.tensor + y.tensor if x.factor == y.factor else x.tensor - y.tensor
        return Scaled(x.factor, made, x.row)
    return Scaled(1.0, x.whole + y.whole)


def fitted(x: Series) -> Series:
    """Every coefficient as wide as the value: a sum with something wider leaves coefficients that are repeated."""

    def rule(index: Index) -> Part:
        part, value = x[index], x[x.zero]
        if part is None or value is None or not any(index):
            return part
        wide = value.shape
        if len(part.shape) == len(wide) and part.shape[1:] == wide[1:]:
            return part
        if all(isinstance(n, int) for n in wide[1:]):
            return part.through(lambda base: base + torch.zeros(1, *wide[1:], dtype=base.dtype, device=base.device))
        return part.through(lambda base: base.expand(wide))

    return Series(rule, x.zero)


def as_rows(part: Tensor, value: Tensor) -> Tensor:
    """The part [1, ..] or [M, ..], one row for all or not, as [M, ..] like the value."""
    return part if part.shape[0] == value.shape[0] else part.expand_as(value)
