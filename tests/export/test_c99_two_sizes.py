"""Two free sizes on generated C: an outer one, row by row, and the rows of a tile inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime.backends import reference
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import rooms
from support import onnx_writer as w
from support.c99_cases import wrong
from support.generated import Array, Generated, bits, builds, part, same_bits
from support.kernel_libraries import needs_cc
from support.polynomial_systems import BURGERS, planted

GIVEN = ("lift", "basis", "coefficients", "weights", "start", "terms", "matrix", "target")
FIXED = ("basis", "terms", "matrix")
PROBLEM = planted(8, BURGERS, rows=15, unknowns=5, batch=7, constraints=2)
OP = {"tolerance": 1e-10}
SOLVE = w.node("gauss_newton_solve", GIVEN, ["solution", "converged"], OP, domain="edgepde")

pytestmark = needs_cc


def problem_infos() -> list[bytes]:
    """The solver's operands that differ from row to row, B in front."""
    given = dict(zip(GIVEN, PROBLEM.inputs, strict=True))
    return [w.value_info(n, x.dtype, ["B", *x.shape[1:]]) for n, x in given.items() if n not in FIXED]


def constants() -> dict[str, Array]:
    """The others."""
    return {n: x for n, x in zip(GIVEN, PROBLEM.inputs, strict=True) if n in FIXED}


def problem(rows: list[int]) -> dict[str, Array]:
    """Operands of these rows."""
    return {n: x[rows] for n, x in zip(GIVEN, PROBLEM.inputs, strict=True) if n not in FIXED}


def solved() -> bytes:
    """Row by row, nothing else."""
    outputs = [w.value_info("solution", "float64", ["B", 5]), w.value_info("converged", "bool", ["B"])]
    graph = w.graph([SOLVE], problem_infos(), outputs, constants())
    return w.model(graph, opsets={"": 20, "edgepde": 1})


def evaluated() -> bytes:
    """u = tanh(x W) solution^T in float32, field in float64, and what the solver said."""
    nodes = [
        SOLVE,
        w.node("MatMul", ["x", "w"], ["z"]),
        w.node("Tanh", ["z"], ["phi"]),
        w.node("Transpose", ["phi"], ["turned"], {"perm": [1, 0]}),
        w.node("Cast", ["solution"], ["c"], {"to": 1}),
        w.node("MatMul", ["c", "turned"], ["u"]),
        w.node("Unsqueeze", ["solution", "one"], ["row"]),
        w.node("Cast", ["phi"], ["wide"], {"to": 11}),
        w.node("Mul", ["row", "wide"], ["products"]),
        w.node("ReduceSum", ["products", "minus"], ["field"], {"keepdims": 0}),
    ]
    more = {"w": np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32), "one": np.array([1])}
    outputs = [
        w.value_info("u", "float32", ["B", "M"]),
        w.value_info("solution", "float64", ["B", 5]),
        w.value_info("field", "float64", ["B", "M"]),
        w.value_info("products", "float64", ["B", "M", 5]),
    ]
    inputs = [*problem_infos(), w.value_info("x", "float32", ["M", 3])]
    graph = w.graph(nodes, inputs, outputs, {**constants(), **more, "minus": np.array([-1])})
    return w.model(graph, opsets={"": 20, "edgepde": 1})


def broadcast() -> bytes:
    """No solver: z = (p W + b)[B, 1, 3] * x[M, 3] + x, its sum, the parameters beside every point, and themselves."""
    nodes = [
        w.node("Gemm", ["p", "w", "b"], ["q"]),
        w.node("Sin", ["q"], ["s"]),
        w.node("Unsqueeze", ["s", "one"], ["r"]),
        w.node("Mul", ["r", "x"], ["m"]),
        w.node("Add", ["m", "x"], ["z"]),
        w.node("ReduceMean", ["z", "minus"], ["mean"], {"keepdims": 0}),
        w.node("Shape", ["x"], ["shape"]),
        w.node("Gather", ["shape", "zero"], ["rows"]),
        w.node("Concat", ["minus", "rows", "two"], ["target"], {"axis": 0}),
        w.node("Unsqueeze", ["p", "one"], ["lone"]),
        w.node("Concat", ["one", "rows", "one"], ["grid"], {"axis": 0}),
        w.node("Expand", ["lone", "grid"], ["beside"]),
        w.node("Add", ["p", "p"], ["twice"]),
    ]
    rng = np.random.default_rng(2)
    more = {"w": rng.normal(size=(2, 3)).astype(np.float32), "b": rng.normal(size=3).astype(np.float32)}
    more |= {n: np.array([v]) for n, v in (("zero", 0), ("one", 1), ("two", 2), ("minus", -1))}
    shapes: dict[str, list[Any]] = {"z": ["B", "M", 3], "mean": ["B", "M"], "beside": ["B", "M", 2], "twice": ["B", 2]}
    inputs = [w.value_info("p", "float32", ["B", 2]), w.value_info("x", "float32", ["M", 3])]
    return w.model(w.graph(nodes, inputs, [w.value_info(n, "float32", s) for n, s in shapes.items()], more))


@pytest.mark.parametrize("name", ["lift", "coefficients", "weights", "start", "target"])
def test_operands_of_several_rows_but_no_free_size_are_refused(name: str) -> None:
    given = dict(zip(GIVEN, PROBLEM.inputs, strict=True))
    moving = [n for n in given if n not in (*FIXED, name)]
    infos = [w.value_info(n, given[n].dtype, ["B", *given[n].shape[1:]]) for n in moving]
    outputs = [w.value_info("solution", "float64", ["B", 5])]
    held = {**constants(), name: given[name]}
    encoded = w.model(w.graph([SOLVE], infos, outputs, held), opsets={"": 20, "edgepde": 1})
    with pytest.raises(UnsupportedModel, match="operands do not fit together, row by row"):
        part(encoded, "probe")


MODELS = {"solved": solved(), "evaluated": evaluated(), "broadcast": broadcast()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """All three models in one file."""
    return Generated(MODELS, tmp_path_factory.mktemp("two"), "-O1")


def points(count: int) -> Array:
    """x [M, 3]."""
    return np.random.default_rng(count).uniform(-1, 1, (count, 3)).astype(np.float32)


@pytest.mark.parametrize("isa", builds())
@pytest.mark.parametrize("rows", [[0], [3, 1], [0, 1, 2, 3, 4, 5, 6]])
def test_solves_keep_the_room_s_bound_row_by_row(made: Generated, isa: str, rows: list[int]) -> None:
    found = made.on(isa)["solved"](problem(rows))
    given = [problem(rows).get(n, constants().get(n)) for n in GIVEN]
    assert not wrong(rooms()["edgepde", "gauss_newton_solve"], ("rows", given, OP), list(found.values()))
    assert found["converged"].all()
    for i, row in enumerate(rows):
        alone = made.on("scalar")["solved"](problem([row]))
        assert same_bits(alone, {n: y[i : i + 1] for n, y in found.items()})


@pytest.mark.parametrize("isa", builds())
@pytest.mark.parametrize("count", [1, 3, 16, 17, 37])
def test_a_field_is_that_of_its_solution(made: Generated, isa: str, count: int) -> None:
    rows = [5, 2, 2]
    x = points(count)
    found = made.on(isa)["evaluated"]({**problem(rows), "x": x})
    weights = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    phi = np.tanh(x.astype(np.float64) @ weights)
    expected = found["solution"] @ phi.T
    size = np.abs(found["solution"]) @ np.ones_like(phi.T)
    eps = float(np.finfo(np.float32).eps)
    assert (np.abs(found["u"] - expected) <= 12 * eps * size).all()
    assert (np.abs(found["field"] - expected) <= 8 * eps * size).all()
    assert (np.abs(found["products"] - found["solution"][:, None] * phi) <= 8 * eps * np.abs(size)[..., None]).all()
    assert same_bits({"u": found["u"][1]}, {"u": found["u"][2]})
    np.testing.assert_array_equal(bits(found["solution"]), bits(made.on(isa)["solved"](problem(rows))["solution"]))


@pytest.mark.parametrize("isa", builds())
@pytest.mark.parametrize("count", [1, 9, 10, 16, 17, 37])
@pytest.mark.parametrize("outer", [1, 3])
def test_broadcast_over_both_sizes(made: Generated, isa: str, count: int, outer: int) -> None:
    p = np.random.default_rng(9).uniform(-1, 1, (outer, 2)).astype(np.float32)
    x = points(count)
    found = made.on(isa)["broadcast"]({"p": p, "x": x})
    expected = reference.load(MODELS["broadcast"]).run({"p": p, "x": x})
    for name, y in expected.items():
        assert y.shape == found[name].shape
        np.testing.assert_allclose(found[name], np.asarray(y), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(found["beside"], expected["beside"])
    np.testing.assert_array_equal(found["twice"], expected["twice"])
    alone = made.on("scalar")["broadcast"]({"p": p[-1:], "x": x[-1:]})
    assert same_bits(
        {n: y[0] for n, y in alone.items() if n != "twice"}, {n: found[n][-1, -1:] for n in alone if n != "twice"}
    )


def test_points_do_not_meet(made: Generated) -> None:
    given = {**problem([0, 6]), "x": points(37)}
    whole = made.on(builds()[-1])["evaluated"](given)
    for m in (0, 15, 16, 31, 32, 36):
        alone = made.on("scalar")["evaluated"]({**given, "x": given["x"][m : m + 1]})
        for name in ("u", "field", "products"):
            np.testing.assert_array_equal(bits(alone[name][:, 0]), bits(whole[name][:, m]))


def test_folder_holds_no_state(made: Generated, tmp_path: Path) -> None:
    """The same text for the same models."""
    assert Generated(MODELS, tmp_path).text == made.text
