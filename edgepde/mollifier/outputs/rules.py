"""What a node of an exported graph means to Taylor series: a rule per operation of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from edgepde_runtime.errors import UnsupportedModel
from torch import Tensor

from . import series
from .series import Index, Part, Scaled, Series

Rule = Callable[..., Any]
# Linear in their first argument; those that name sizes, which may count rows; constants; those that give a list.
LINEAR = {
    *("slice", "select", "unsqueeze", "squeeze", "permute", "transpose", "t", "neg", "clone", "contiguous", "alias"),
    *("narrow", "movedim", "sum", "mean", "_to_copy", "to", "flip", "detach", "lift_fresh_copy"),
}
SIZED = {"view", "reshape", "flatten", "expand", "_unsafe_view", "unflatten", "view_as", "repeat"}
FILLED = {"ones_like", "zeros_like", "full_like", "new_zeros", "new_ones", "new_full"}
LISTS = {"unbind", "split", "split_with_sizes", "chunk"}
FUNCTIONS = ("tanh", "sigmoid", "exp", "sin", "cos", "log", "sqrt", "silu", "reciprocal", "erf")


def rule_for(name: str, target: Callable[..., Any]) -> Rule:
    """The rule of an operation, by its name without overload; raises UnsupportedModel where there is none."""
    if name in RULES:
        return RULES[name]
    if name in LINEAR:
        return lambda x, *args, **kwargs: x.each(lambda part: target(part, *args, **kwargs))
    if name in SIZED:
        return _sized(target)
    if name in FILLED:
        return lambda x, *args, **kwargs: target(x.value, *args, **kwargs)
    if name in LISTS:
        return _list(target)
    raise UnsupportedModel(f"{name} has no rule for exact derivatives")


def _sized(target: Callable[..., Any]) -> Rule:
    """Coefficients that are one row for all are repeated first."""

    def rule(x: Series, *args: Any, **kwargs: Any) -> Series:
        return x.each(lambda part: target(series.as_rows(part, x.value), *args, **kwargs))

    return rule


def _list(target: Callable[..., Any]) -> Rule:
    def rule(x: Series, *args: Any, **kwargs: Any) -> list[Series]:
        count = len(target(x.value, *args, **kwargs))
        return [x.each(_piece(target, i, args, kwargs)) for i in range(count)]

    return rule


def _piece(target: Callable[..., Any], i: int, args: Any, kwargs: Any) -> Callable[[Tensor], Any]:
    return lambda part: target(part, *args, **kwargs)[i]


def _affine(x: Any, weight: Any, bias: Any = None) -> Series:
    x = _alone(x, weight, bias)
    linear = torch.nn.functional.linear
    return x.each(lambda part: linear(part, weight), lambda part: linear(part, weight, bias))


def _addmm(bias: Any, x: Any, weight: Any, *, beta: float = 1.0, alpha: float = 1.0) -> Series:
    x = _alone(x, weight, bias)
    if (beta, alpha) != (1.0, 1.0):
        raise UnsupportedModel(f"addmm expected beta and alpha of 1, got {beta} and {alpha}")
    return x.each(lambda part: part @ weight, lambda part: torch.addmm(bias, part, weight))


def _matmul(x: Any, y: Any) -> Series:
    if isinstance(x, Series) and isinstance(y, Series):
        raise UnsupportedModel("a product of matrices that both depend on the input has no rule for exact derivatives")
    made: Series = x.each(lambda part: part @ y) if isinstance(x, Series) else y.each(lambda part: x @ part)
    return made


def _alone(x: Any, *others: Any) -> Series:
    if not isinstance(x, Series) or any(isinstance(o, Series) for o in others):
        raise UnsupportedModel("weights that depend on the input have no rule for exact derivatives")
    return x


def _same(part: Tensor) -> Tensor:
    return part


def _add(x: Any, y: Any, *, alpha: float = 1.0) -> Series:
    if isinstance(y, Series):
        y = y if alpha == 1.0 else series.scaled(y, alpha)
        return series.plus(x, y) if isinstance(x, Series) else y.each(_same, lambda part: x + part)
    made: Series = x.each(_same, lambda part: torch.add(part, y, alpha=alpha))
    return made


def _sub(x: Any, y: Any, *, alpha: float = 1.0) -> Series:
    if isinstance(x, Series) and isinstance(y, Series) and alpha == 1.0:
        return series.minus(x, y)
    return _add(x, y, alpha=-alpha)


def _mul(x: Any, y: Any) -> Series:
    if isinstance(x, Series) and isinstance(y, Series):
        return series.times(x, y)
    inner, factor = (x, y) if isinstance(x, Series) else (y, x)
    made: Series = inner.each(lambda part: part * factor)
    return made


def _div(x: Any, y: Any) -> Series:
    if isinstance(y, Series):
        return _mul(x, series.reciprocal(y))
    made: Series = x.each(lambda part: part / y)
    return made


def _pow(x: Any, exponent: Any) -> Series:
    if not isinstance(x, Series) or not isinstance(exponent, int | float):
        raise UnsupportedModel("a power whose exponent is no number has no rule for exact derivatives")
    return series.power(x, exponent)


def _gelu(x: Series, *, approximate: str = "none") -> Series:
    return series.gelu(x) if approximate == "none" else series.gelu_tanh(x)


def _softplus(x: Series, beta: float = 1.0, threshold: float = 20.0) -> Series:
    if beta != 1.0 or threshold < 20.0:
        raise UnsupportedModel(f"softplus expected beta 1 and a threshold of 20, got {beta} and {threshold}")
    return series.softplus(x)


def _joined(target: Callable[..., Tensor]) -> Rule:
    def rule(parts: Sequence[Any], dim: int = 0) -> Series:
        values = [p.value if isinstance(p, Series) else p for p in parts]
        zero = next(p.zero for p in parts if isinstance(p, Series))

        def made(index: Index) -> Part:
            if index == zero:
                return Scaled(1.0, target(values, dim))
            held = [p[index] if isinstance(p, Series) else None for p in parts]
            if all(h is None for h in held):
                return None
            rows = [_row(h, v) for h, v in zip(held, values, strict=True)]
            return Scaled(1.0, target(rows, dim))

        return Series(made, zero)

    return rule


def _row(part: Part, value: Tensor) -> Tensor:
    return torch.zeros_like(value) if part is None else series.as_rows(part.whole, value)


RULES: dict[str, Rule] = {
    **{name: getattr(series, name) for name in FUNCTIONS},
    "linear": _affine,
    "addmm": _addmm,
    "mm": _matmul,
    "matmul": _matmul,
    "add": _add,
    "sub": _sub,
    "rsub": lambda x, y, alpha=1.0: _sub(y, x, alpha=alpha),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "square": lambda x: series.times(x, x),
    "gelu": _gelu,
    "softplus": _softplus,
    "dropout": lambda x, *_: x,
    "cat": _joined(torch.cat),
    "stack": _joined(torch.stack),
}
