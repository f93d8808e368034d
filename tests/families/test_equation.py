"""Equations: what they refuse, and how they are found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from edgepde_runtime.box import Box

from edgepde.errors import ProblemError
from edgepde.mollifier.outputs.residual import Residual
from edgepde.problems.burgers import burgers
from edgepde.problems.equation import Equation, equation_of
from edgepde.problems.finding import find, known
from edgepde.problems.problem import Term

SPACE = Box([0.0, 0.0], [1.0, 1.0], ["x", "y"], ["m", "m"])


def one(*_: object) -> torch.Tensor:
    return torch.ones(1)


def equation(*factors: str, coordinates: Box = SPACE, parameters: Box | None = None) -> Equation:
    return Equation("mine", coordinates, parameters, (Term(one, factors),), "K/m^2")


def test_orders_up_to_eight_are_multi_indices() -> None:
    assert equation("u_xxyyxxyy").order("u_xxyyxxyy") == (4, 4)
    assert equation("u").order("u") == (0, 0)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        (("u_xxxxxxxxx",), "order 9, expected at most 8"),
        (("u_z",), r"differentiates by \['z'\], expected of x, y"),
        (("v_x",), "expected u or u_<coordinates>, got 'v_x'"),
        (("u_",), "expected u or u_<coordinates>"),
        ((), "sources alone"),
    ],
)
def test_a_wrong_factor_is_named(factors: tuple[str, ...], words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        equation(*factors)


def test_coordinates_are_letters_that_no_parameter_has() -> None:
    with pytest.raises(ProblemError, match="one letter, got 'time'"):
        equation("u", coordinates=Box([0.0], [1.0], ["time"]))
    with pytest.raises(ProblemError, match=r"other names than coordinates, got \['x'\]"):
        equation("u", parameters=Box([0.0], [1.0], ["x"]))


def test_a_problem_is_an_equation_without_its_data() -> None:
    problem = burgers()
    made = equation_of(problem)
    assert made.factors == ("u_t", "u", "u_x", "u_xx")
    assert made.terms == problem.terms
    assert made.order("u_xx") == (2, 0)


def test_equations_are_found_by_listing_the_folder() -> None:
    assert "burgers" in known()
    assert find("burgers").name == "burgers"
    with pytest.raises(ProblemError, match="did you mean burgers"):
        find("burger")


def test_equations_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from edgepde_runtime.box import Box\n"
        "from edgepde.problems.equation import Equation\n"
        "from edgepde.problems.problem import Term\n"
        "def heat():\n"
        "    return Equation('heat', Box([0], [1], ['x']), None, (Term(lambda c, p: c['x'], ('u_xx',)),))\n"
        "ready = heat()\n"
        "number = 5\n"
        "def fails():\n"
        "    return 1 / 0\n"
    )
    assert find(f"{path}:heat").name == find(f"{path}:ready").name == "heat"
    for name, words in {"number": "got int", "fails": "ZeroDivisionError", "absent": "no such name"}.items():
        with pytest.raises(ProblemError, match=words):
            find(f"{path}:{name}")
    with pytest.raises(ProblemError, match="no such name; did you mean heat"):
        find(f"{path}:haet")
    with pytest.raises(ProblemError, match=r"FILE\.py:NAME"):
        find(str(path))
    with pytest.raises(ProblemError, match="is no file"):
        find(f"{tmp_path / 'other.py'}:heat")
    path.write_text("import nothing_of_the_kind\n")
    with pytest.raises(ProblemError, match=r"mine\.py:1"):
        find(f"{path}:heat")


def test_parameters_given_as_numbers_are_no_longer_free() -> None:
    free, fixed = find("burgers"), find("burgers[nu=0.25]")
    assert free.parameters is not None
    assert fixed.parameters is None
    assert fixed.name == "burgers[nu=0.25]"
    x = {"x": torch.linspace(-1, 1, 5, dtype=torch.float64), "t": torch.full((5,), 0.5, dtype=torch.float64)}
    mu = {"nu": torch.tensor([[0.25]], dtype=torch.float64)}
    for one_term, other in zip(fixed.terms, free.terms, strict=True):
        given, expected = one_term.coefficient(x, {}), other.coefficient(x, mu)
        assert torch.equal(torch.as_tensor(given), torch.as_tensor(expected))
    assert any(float(torch.as_tensor(t.coefficient(x, {})).flatten()[0]) == -0.25 for t in fixed.terms)


def test_other_parameters_stay_free() -> None:
    two = Box([0.0, 1.0], [1.0, 2.0], ["a", "b"], ["m", "s"])
    made = equation("u", parameters=two).at({"a": 0.5})
    assert made.parameters == Box([1.0], [2.0], ["b"], ["s"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("burgers[mu=1]", "parameter mu: expected one of nu"),
        ("burgers[nu=inf]", "parameter nu: expected a finite number, got inf"),
        ("burgers[nu]", r"as in NAME\[nu=0.02\], got"),
        ("burgers[nu=0.1", r"as in NAME\[nu=0.02\], got"),
        ("burgers[nu=a]", r"as in NAME\[nu=0.02\], got"),
        ("[nu=1]", r"as in NAME\[nu=0.02\], got"),
    ],
)
def test_parameters_that_are_none_are_named(text: str, words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        find(text)


def test_a_coefficient_that_asks_for_a_name_there_is_none_of_is_refused() -> None:
    terms = (Term(one, ("u_xx",)), Term(lambda c, p: -p["kappa"] * c["x"], ("u",)))
    mine = Residual(Equation("mine", SPACE, Box([1.0], [2.0], ["k"]), terms))
    field = {"u": torch.ones(1, 3), "u_xx": torch.ones(1, 3)}
    places, known_names = {"x": torch.ones(3), "y": torch.ones(3)}, {"k": torch.ones(1, 1)}
    with pytest.raises(ProblemError, match=r"mine: terms\[1\]: coefficient expected names of x, y, k, got 'kappa'"):
        mine.at(field, places, known_names)
    terms = (*terms[:1], Term(lambda c, p: -p["k"] * c["x"], ("u",)))
    mine = Residual(Equation("mine", SPACE, Box([1.0], [2.0], ["k"]), terms))
    assert mine.at(field, places, known_names).eq(0).all()
