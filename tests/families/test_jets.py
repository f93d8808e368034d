"""Jets are the derivatives that torch.autograd finds, for any expression a problem may be written in."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from edgepde.errors import ProblemError
from edgepde.problems.jet import SLOPES, Jet, variables

NAMES = ("x", "t", "y")
POINTS = 7
Expression = Any


def positive(v: Any) -> Any:
    return v * v + 0.5


def bounded(v: Any) -> Any:
    return torch.sin(v)


# what keeps an argument where the function is smooth and of moderate size
DOMAINS: dict[Callable[..., Any], Callable[[Any], Any]] = {
    torch.log: positive,
    torch.sqrt: positive,
    torch.reciprocal: positive,
    torch.abs: positive,
    abs: positive,
    torch.exp: bounded,
    torch.sinh: bounded,
    torch.cosh: bounded,
}
BINARY = [operator.add, operator.sub, operator.mul, torch.add, torch.sub, torch.mul]
DIVISION = [operator.truediv, torch.div, torch.true_divide]
UNARY = [*SLOPES, torch.square, torch.neg, operator.neg, abs]
POWERS = [-2, -1, 0, 1, 2, 3, 0.5, 2.5]

LEAVES = st.one_of(st.sampled_from(NAMES), st.floats(-2, 2).map(lambda v: round(v, 3)), st.just("mu"))


def nodes(children: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.tuples(st.sampled_from(UNARY), children),
        st.tuples(st.sampled_from(BINARY), children, children),
        st.tuples(st.sampled_from(DIVISION), children, children),
        st.tuples(st.sampled_from([operator.pow, torch.pow]), children, st.sampled_from(POWERS)),
    )


EXPRESSIONS = st.recursive(LEAVES, nodes, max_leaves=8)


def evaluate(expression: Expression, values: dict[str, Any]) -> Any:
    """The expression in tensors or jets; numbers stay numbers."""
    if isinstance(expression, str):
        return values[expression]
    if not isinstance(expression, tuple):
        return expression
    function, *arguments = expression
    found = [evaluate(a, values) for a in arguments]
    if not any(isinstance(a, Tensor | Jet) for a in found):
        found = [torch.as_tensor(a, dtype=torch.float64) for a in found[:1]] + found[1:]
    if function in DIVISION:
        return function(found[0], positive(found[1]))
    if function in (operator.pow, torch.pow):
        return function(positive(found[0]), arguments[1])
    return function(DOMAINS.get(function, lambda v: v)(found[0]), *found[1:])


def derivatives(value: Tensor, coordinates: dict[str, Tensor], order: tuple[int, ...]) -> Tensor:
    """D^order by autograd, column by column."""
    for name, count in zip(coordinates, order, strict=True):
        for _ in range(count):
            if not value.requires_grad:
                return torch.zeros_like(value)
            (found,) = torch.autograd.grad(value.sum(), coordinates[name], create_graph=True, allow_unused=True)
            value = torch.zeros_like(coordinates[name]) if found is None else found
    return value


ORDERS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (0, 2, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1)]


@given(EXPRESSIONS, st.integers(0, 2**31))
def test_jets_are_the_derivatives_that_autograd_finds(expression: Expression, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    columns = 3.0 * torch.rand(len(NAMES), POINTS, generator=generator, dtype=torch.float64) - 1.5
    mu = torch.tensor(0.7, dtype=torch.float64)
    coordinates = dict(zip(NAMES, columns, strict=True))
    jet = evaluate(expression, {**variables(coordinates), "mu": mu})
    assume(isinstance(jet, Jet))
    leaves = {name: value.clone().requires_grad_() for name, value in coordinates.items()}
    plain = evaluate(expression, {**leaves, "mu": mu})
    for order in ORDERS:
        expected = derivatives(plain, leaves, order).detach()
        assume(bool((expected.abs() < 1e8).all()))
        torch.testing.assert_close(jet.part(order), expected, rtol=1e-8, atol=1e-9 * float(1 + expected.abs().max()))


@pytest.mark.parametrize("function", [*SLOPES, torch.square, abs], ids=lambda f: f.__name__)
def test_every_function_is_differentiated_twice(function: Callable[..., Any]) -> None:
    """f(x t + x), of which no derivative vanishes."""
    coordinates = dict(zip("xt", torch.linspace(0.3, 1.4, 14, dtype=torch.float64).reshape(2, 7), strict=True))
    leaves = {name: value.clone().requires_grad_() for name, value in coordinates.items()}
    jets = variables(coordinates)
    jet = function(jets["x"] * jets["t"] + jets["x"])
    plain = function(leaves["x"] * leaves["t"] + leaves["x"])
    for order in ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)):
        torch.testing.assert_close(jet.part(order), derivatives(plain, leaves, order).detach())


@pytest.mark.parametrize("build", [lambda a, b: a * b, lambda a, b: a + b, lambda a, b: a / (b * b + 1.0)])
@pytest.mark.parametrize("swapped", [False, True])
def test_parameters_of_a_batch_broadcast_against_coordinates(build: Callable[..., Any], swapped: bool) -> None:
    """mu [B, 1] meets x [R]: parts are [B, R] or broadcast to it, on either side of the operator."""
    x = torch.linspace(-1, 1, 5, dtype=torch.float64)
    mu = torch.tensor([[0.5], [2.0], [3.0]], dtype=torch.float64)
    jets = variables({"x": x})
    jet = build(mu, jets["x"]) if swapped else build(jets["x"], mu)
    leaf = x.expand(3, 5).clone().requires_grad_()
    plain = build(mu, leaf) if swapped else build(leaf, mu)
    for order in ((0,), (1,), (2,)):
        torch.testing.assert_close(jet.part(order).expand(3, 5), derivatives(plain, {"x": leaf}, order).detach())


@pytest.mark.parametrize("tensor_first", [operator.add, operator.sub, operator.mul, operator.truediv])
def test_a_tensor_may_stand_first(tensor_first: Callable[..., Any]) -> None:
    x = torch.linspace(1, 2, 4, dtype=torch.float64)
    for left in (torch.full_like(x, 3.0), 3.0, 3):
        jet = tensor_first(left, variables({"x": x})["x"])
        leaf = x.clone().requires_grad_()
        plain = tensor_first(left, leaf)
        for order in ((0,), (1,), (2,)):
            torch.testing.assert_close(jet.part(order), derivatives(plain, {"x": leaf}, order).detach())


@pytest.mark.parametrize("constant", [torch.ones_like, torch.zeros_like, torch.sign])
def test_constants_shaped_like_a_coordinate_are_plain_tensors(constant: Callable[..., Any]) -> None:
    x = torch.linspace(-1, 1, 4, dtype=torch.float64)
    torch.testing.assert_close(constant(variables({"x": x})["x"]), constant(x))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (torch.atan, "atan"),
        (lambda x: torch.where(torch.ones(4) > 0, x, x), "where"),
        (lambda x: torch.maximum(x, x), "maximum"),
        (lambda x: torch.cat([x, x]), "cat"),
        (lambda x: torch.add(x, x, alpha=2), "add"),
        (lambda x: x**x, "power"),
        (lambda x: torch.pow(2.0, x), "power"),
        (lambda x: 2.0**x, "power"),
        (lambda x: torch.ones(4) ** x, "power"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(call: Callable[[Any], Any], name: str) -> None:
    jet = variables({"x": torch.linspace(1, 2, 4, dtype=torch.float64)})["x"]
    with pytest.raises(ProblemError, match=name):
        call(jet)
