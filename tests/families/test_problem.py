"""A problem statement: what it derives from its terms, and every way in which it may contradict itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box

from edgepde.errors import ProblemError
from edgepde.problems.derivatives import lift_factors, mask_derivatives, term_coefficients, term_table
from edgepde.problems.problem import Problem, Term


def one(*_: Any) -> Any:
    return 1.0


def stated(**changes: Any) -> Problem:
    """A two-parameter reaction-diffusion equation on a square, with a source, a cube and a mixed derivative."""
    fields: dict[str, Any] = {
        "name": "toy",
        "coordinates": Box([-1.0, 0.0], [1.0, 2.0], ["x", "y"]),
        "parameters": Box([0.01, -1.0], [1.0, 3.0], ["k", "a"]),
        "scales": ("log", "linear"),
        "terms": (
            Term(lambda c, p: -p["k"], ("u_xx",)),
            Term(one, ("u", "u", "u_xy")),
            Term(lambda c, p: c["x"] * p["a"]),
        ),
        "lift": lambda c, p: p["a"] * torch.sin(c["x"]) * c["y"],
        "mask": lambda c: (1.0 - c["x"] ** 2) * c["y"],
    }
    return Problem(**(fields | changes))


POINTS = torch.tensor([[0.5, 1.0], [-0.25, 0.5], [0.0, 2.0]], dtype=torch.float64)
MU = torch.tensor([[0.1, 2.0], [1.0, -1.0]], dtype=torch.float64)


def test_factors_come_once_in_order_of_use_and_the_table_numbers_them() -> None:
    problem = stated()
    assert problem.factors == ("u_xx", "u", "u_xy")
    assert term_table(problem) == [[0, 3, 3], [1, 1, 2], [3, 3, 3]]
    assert [problem.order(f) for f in problem.factors] == [(2, 0), (0, 0), (1, 1)]
    assert problem.order("u_yx") == (1, 1)


def test_a_source_alone_has_a_table_too() -> None:
    problem = stated(terms=(Term(one, ("u",)), Term(one)))
    assert term_table(problem) == [[0], [1]]


def test_coefficients_broadcast_to_every_parameter_and_point() -> None:
    found = term_coefficients(stated(), POINTS, MU)
    assert found.shape == (2, 3, 3)
    torch.testing.assert_close(found[:, 0], -MU[:, :1].expand(2, 3))
    torch.testing.assert_close(found[:, 1], torch.ones(2, 3, dtype=torch.float64))
    torch.testing.assert_close(found[:, 2], POINTS[:, 0] * MU[:, 1:])


def test_lift_and_mask_are_differentiated() -> None:
    x, y = POINTS.T
    found = lift_factors(stated(), ("u", "u_x", "u_y", "u_xx", "u_xy", "u_yy"), POINTS, MU)
    a = MU[:, 1:]
    sin, cos = torch.sin(x), torch.cos(x)
    expected = [a * sin * y, a * cos * y, a * sin, -a * sin * y, a * cos, 0 * a * x]
    torch.testing.assert_close(found, torch.stack(expected, dim=1))
    masks = mask_derivatives(stated(), [(0, 0), (1, 0), (1, 1), (2, 0), (0, 2)], POINTS)
    for got, wanted in zip(masks, [(1 - x**2) * y, -2 * x * y, -2 * x, -2 * y, 0 * x], strict=True):
        torch.testing.assert_close(got, wanted)


def test_the_domain_is_the_upper_half_of_odd_coordinates() -> None:
    assert list(stated().domain.low) == [-1.0, 0.0]
    assert list(stated(odd=("x",)).domain.low) == [0.0, 0.0]
    assert list(stated(odd=("x",)).domain.high) == [1.0, 2.0]


def test_scales_are_linear_unless_told_and_stay_in_the_box() -> None:
    assert stated(scales=()).scales == ("linear", "linear")
    ends = np.array([[0.01, -1.0], [0.1, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(stated().scaled(ends), [[-1, -1], [0, 0], [1, 1]], atol=1e-12)
    back = stated().unscaled(np.array([[-1.0, -1.0], [1.0, 1.0], [1.5, -1.5]]))
    np.testing.assert_allclose(back, [[0.01, -1.0], [1.0, 3.0], [1.0, -1.0]], rtol=1e-12)
    assert ((back >= [0.01, -1.0]) & (back <= [1.0, 3.0])).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terms": ()}, "terms expected at least one"),
        ({"scales": ("log",)}, "scales expected 2 entries, got 1"),
        ({"scales": ("log", "cubic")}, "scale of a expected log or linear, got 'cubic'"),
        ({"scales": ("log", "log")}, "parameter a on a log scale expected low > 0, got -1"),
        ({"coordinates": Box([0.0], [1.0], ["time"])}, "coordinate names expected one letter, got 'time'"),
        ({"odd": ("z",)}, r"odd expected one of \['x', 'y'\], got 'z'"),
        ({"odd": ("y",)}, "odd coordinate y expected a symmetric range"),
        ({"terms": (Term(one, ("v",)),)}, "factor expected u or u_<coordinates>, got 'v'"),
        ({"terms": (Term(one, ("u_",)),)}, "factor expected u or u_<coordinates>, got 'u_'"),
        ({"terms": (Term(one, ("ux",)),)}, "factor expected u or u_<coordinates>, got 'ux'"),
        ({"terms": (Term(one, ("u_xt",)),)}, r"factor 'u_xt' differentiates by \['t'\], expected of x, y"),
        ({"terms": (Term(one, ("u_xxx",)),)}, "factor 'u_xxx' is of order 3, expected at most 2"),
    ],
)
def test_a_statement_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=f"problem toy: {message}"):
        stated(**changes)


@pytest.mark.parametrize("part", ["lift", "mask"])
def test_a_lift_or_mask_that_is_no_expression_is_refused(part: str) -> None:
    problem = stated(**{part: lambda *_: 1.0})
    with pytest.raises(ProblemError, match="expected an expression in the coordinates, got float"):
        lift_factors(problem, ("u",), POINTS, MU) if part == "lift" else mask_derivatives(problem, [(0, 0)], POINTS)


def test_an_unknown_function_in_a_lift_is_named() -> None:
    problem = stated(lift=lambda c, p: torch.special.bessel_j0(c["x"]))
    with pytest.raises(ProblemError, match=r"bessel_j0 has no derivative rule"):
        lift_factors(problem, ("u",), POINTS, MU)
