"""Derivatives of closed-form expressions up to order 2, carried along with the value through ordinary torch arithmetic.

A problem's lift and mask are written with torch functions; called with jets instead of tensors they return a jet. The
result is plain elementwise arithmetic, which is also what an exported graph should hold.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import comb
from typing import Any

import torch
from torch import Tensor

from edgepde.errors import ProblemError

Order = tuple[int, ...]
Slopes = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def _root_slopes(_x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return 0.5 / y, -0.25 / (y * y * y)


def _tanh_slopes(_x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    first = 1.0 - y * y
    return first, -2.0 * y * first


# function -> (f'(x), f''(x)) from x and y = f(x)
SLOPES: dict[Callable[..., Any], Slopes] = {
    torch.sin: lambda x, y: (torch.cos(x), -y),
    torch.cos: lambda x, y: (-torch.sin(x), -y),
    torch.exp: lambda _, y: (y, y),
    torch.log: lambda x, _: (1.0 / x, -1.0 / (x * x)),
    torch.sqrt: _root_slopes,
    torch.tanh: _tanh_slopes,
    torch.sinh: lambda x, y: (torch.cosh(x), y),
    torch.cosh: lambda x, y: (torch.sinh(x), y),
    torch.sigmoid: lambda _, y: (y * (1.0 - y), y * (1.0 - y) * (1.0 - 2.0 * y)),
    torch.erf: lambda x, _: (
        2.0 / math.sqrt(math.pi) * torch.exp(-x * x),
        -4.0 / math.sqrt(math.pi) * x * torch.exp(-x * x),
    ),
    torch.reciprocal: lambda _, y: (-y * y, 2.0 * y * y * y),
    torch.abs: lambda x, _: (torch.sign(x), torch.zeros_like(x)),
}
_BINARY = {
    torch.add: operator.add,
    torch.sub: operator.sub,
    torch.mul: operator.mul,
    torch.div: operator.truediv,
    torch.true_divide: operator.truediv,
    torch.multiply: operator.mul,
    torch.divide: operator.truediv,
    torch.subtract: operator.sub,
    torch.Tensor.add: operator.add,
    torch.Tensor.__radd__: lambda a, b: b + a,
    torch.Tensor.mul: operator.mul,
    torch.Tensor.__rmul__: lambda a, b: b * a,
    torch.Tensor.sub: operator.sub,
    torch.Tensor.__rsub__: lambda a, b: b - a,
    torch.Tensor.div: operator.truediv,
    torch.Tensor.__rdiv__: lambda a, b: b / a,
}
_POWERS = {torch.pow, torch.Tensor.pow, torch.Tensor.__pow__}
_CONSTANT = {torch.ones_like, torch.zeros_like, torch.full_like, torch.sign}


class Jet:
    """A value and its partial derivatives: parts[order] is D^order, an absent order is zero; orders sum to at most
    2.
    """

    def __init__(self, parts: Mapping[Order, Tensor]) -> None:
        self.parts = dict(parts)
        self.zero: Order = tuple(0 for _ in next(iter(self.parts)))

    @property
    def value(self) -> Tensor:
        """D^0."""
        return self.parts[self.zero]

    def part(self, order: Order) -> Tensor:
        """D^order, as zeros where it vanishes identically."""
        found = self.parts.get(order)
        return torch.zeros_like(self.value) if found is None else found

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        _types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function in SLOPES and len(args) == 1:
            return args[0].through(function, SLOPES[function])
        if function in (torch.neg, torch.square):
            return -args[0] if function is torch.neg else args[0] * args[0]
        if function in _POWERS and not kwargs:
            return _lifted(args[0], args) ** args[1]
        if function in _BINARY and not kwargs:
            return _BINARY[function](*[_lifted(a, args) for a in args])
        if function in _CONSTANT:
            return function(args[0].value, *args[1:], **(kwargs or {}))
        known = ", ".join(sorted(f.__name__ for f in (*SLOPES, torch.square, torch.pow)))
        name = getattr(function, "__name__", str(function))
        raise ProblemError(f"torch.{name} has no derivative rule here; expected arithmetic or one of {known}")

    def through(self, function: Callable[[Tensor], Tensor], slopes: Slopes) -> Jet:
        """f(self) by the chain rule: D_i = f' u_i, D_ij = f'' u_i u_j + f' u_ij."""
        x = self.value
        y = function(x)
        first, second = slopes(x, y)
        parts = {self.zero: y}
        for order, part in self.parts.items():
            if sum(order):
                parts[order] = first * part
        units = [order for order in self.parts if sum(order) == 1]
        for a, b in product(units, units):
            order = tuple(i + j for i, j in zip(a, b, strict=True))
            if a <= b:
                bend = second * self.parts[a] * self.parts[b]
                parts[order] = parts[order] + bend if order in parts else bend
        return Jet(parts)

    def __add__(self, other: Any) -> Jet:
        right = _lifted(other, [self])
        parts = dict(self.parts)
        for order, part in right.parts.items():
            parts[order] = parts[order] + part if order in parts else part
        return Jet(parts)

    def __mul__(self, other: Any) -> Jet:
        right = _lifted(other, [self])
        parts: dict[Order, Tensor] = {}
        for (a, x), (b, y) in product(self.parts.items(), right.parts.items()):
            order = tuple(i + j for i, j in zip(a, b, strict=True))
            if sum(order) <= 2:
                count = math.prod(comb(n, k) for n, k in zip(order, a, strict=True))
                term = x * y if count == 1 else count * x * y
                parts[order] = parts[order] + term if order in parts else term
        return Jet(parts)

    def __neg__(self) -> Jet:
        return Jet({order: -part for order, part in self.parts.items()})

    def __sub__(self, other: Any) -> Jet:
        return self + (-_lifted(other, [self]))

    def __truediv__(self, other: Any) -> Jet:
        return self * _lifted(other, [self]).through(torch.reciprocal, SLOPES[torch.reciprocal])

    def __radd__(self, other: Any) -> Jet:
        return self + other

    def __rmul__(self, other: Any) -> Jet:
        return self * other

    def __rsub__(self, other: Any) -> Jet:
        return -self + other

    def __rtruediv__(self, other: Any) -> Jet:
        return _lifted(other, [self]) / self

    def __rpow__(self, base: Any) -> Jet:
        raise ProblemError("a power expected a number as exponent, got Jet; write torch.exp(x * log(base))")

    def __abs__(self) -> Jet:
        return self.through(torch.abs, SLOPES[torch.abs])

    def __pow__(self, power: float) -> Jet:
        if not isinstance(power, int | float):
            raise ProblemError(f"a power expected a number as exponent, got {type(power).__name__}")
        if power in (0, 1, 2):
            return [self * 0.0 + 1.0, self, self * self][int(power)]
        return self.through(
            lambda x: x**power, lambda x, _: (power * x ** (power - 1), power * (power - 1) * x ** (power - 2))
        )


def _lifted(value: Any, among: Sequence[Any]) -> Jet:
    """A number or tensor as a jet without derivatives, shaped like the jets it meets."""
    if isinstance(value, Jet):
        return value
    jet = next(a for a in among if isinstance(a, Jet))
    tensor = (
        value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=jet.value.dtype, device=jet.value.device)
    )
    return Jet({jet.zero: tensor})


def variables(coordinates: Mapping[str, Tensor]) -> dict[str, Jet]:
    """Coordinates (name -> [R]) as jets: D of each by itself is 1."""
    count = len(coordinates)
    jets = {}
    for i, (name, value) in enumerate(coordinates.items()):
        unit = tuple(int(k == i) for k in range(count))
        jets[name] = Jet({(0,) * count: value, unit: torch.ones_like(value)})
    return jets
