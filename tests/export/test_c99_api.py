"""What the generated C promises its caller: refusals that write nothing, flags per row, NaN where a row failed."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import edgepde_runtime
import numpy as np
import pytest
from edgepde_runtime.boxcheck import limits
from edgepde_runtime.bundle import read
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from support import bundles
from support import onnx_writer as w
from support.c99_api import BAD_SIZE, NOT_FINITE, OUTSIDE, Api, Array, built
from support.kernel_libraries import needs_cc

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "s2gpt_burgers" / "bundle"
HUGE = 2**64 - 1
BOX = (Column("x", "m", -1.0, 1.0), Column("t", "s", 0.0, 0.3))
POLE_INPUTS = (InputSpec("x", "float32", ("M", 2), BOX),)
POLE_OUTPUTS = (
    OutputSpec("u", "float32", ("M", 2), "m"),
    OutputSpec("total", "float64", ("M",), "m"),
    OutputSpec("residual", "float32", ("M",), "m", True, 0.5),
    OutputSpec("seen", "float32", ("M", 2), "m", True),
)

pytestmark = needs_cc
everywhere = pytest.mark.usefixtures("isa")


def pole() -> bytes:
    """u = (1 / x, t), total = x + t, residual = 2 t, seen = the input itself."""
    nodes = [
        w.node("Slice", ["x", "zero", "one", "one"], ["a"]),
        w.node("Slice", ["x", "one", "two", "one"], ["t"]),
        w.node("Reciprocal", ["a"], ["r"]),
        w.node("Concat", ["r", "t"], ["u"], {"axis": 1}),
        w.node("Cast", ["x"], ["wide"], {"to": 11}),
        w.node("ReduceSum", ["wide", "one"], ["total"], {"keepdims": 0}),
        w.node("Add", ["t", "t"], ["twice"]),
        w.node("Squeeze", ["twice", "one"], ["residual"]),
        w.node("Identity", ["x"], ["seen"]),
    ]
    constants = {name: np.array([value]) for name, value in (("zero", 0), ("one", 1), ("two", 2))}
    inputs = [w.value_info("x", "float32", ["M", 2])]
    return w.model(w.graph(nodes, inputs, [w.value_info(o.name, o.dtype, o.shape) for o in POLE_OUTPUTS], constants))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """A model of one free size."""
    return built(tmp_path_factory.mktemp("rows"), pole(), POLE_INPUTS, POLE_OUTPUTS, "pole")


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """u [B, M] and residual [B]; the residual is infinite where nu > 0.9, above its threshold where nu > 0.6."""
    folder = tmp_path_factory.mktemp("grid")
    manifest = read(bundles.residual_bundle(folder / "bundle")).manifest
    return built(folder, bundles.residual_model(), manifest.inputs, manifest.outputs, "grid")


@pytest.fixture(params=["scalar", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest, rows: Api, grid: Api) -> str:
    """Every instruction set this processor has."""
    if request.param not in rows.isas:
        pytest.skip(f"no {request.param} here")
    for api in (rows, grid):
        assert api.library.edgepde_model_use(request.param.encode()) == 0
        assert api.library.edgepde_model_isa() == request.param.encode()
    return str(request.param)


def inside(count: int) -> dict[str, Array]:
    """Rows inside the box, none at the pole."""
    rng = np.random.default_rng(count)
    return {"x": np.stack([rng.uniform(0.1, 1.0, count), rng.uniform(0.0, 0.24, count)], axis=1).astype(np.float32)}


def grid_inputs(nu: list[float], count: int) -> dict[str, Array]:
    """Points inside the box for these viscosities."""
    points = np.stack([np.linspace(-1, 1, count), np.linspace(0, 1, count)], axis=1).astype(np.float32)
    return {"parameters": np.array(nu)[:, None], "points": points}


@everywhere
@pytest.mark.parametrize("count", [1, 5, 16, 33])
def test_answers(rows: Api, count: int) -> None:
    x = inside(count)["x"]
    found = rows.call({"x": x})
    assert found.code == 0
    np.testing.assert_array_equal(found.outputs["u"], np.stack([1 / x[:, 0], x[:, 1]], axis=1))
    np.testing.assert_array_equal(found.outputs["total"], x.astype(np.float64).sum(axis=1))
    np.testing.assert_array_equal(found.outputs["residual"], x[:, 1] + x[:, 1])
    np.testing.assert_array_equal(found.outputs["seen"], x)


@everywhere
@pytest.mark.parametrize("value", [np.nan, -np.nan, np.inf, -np.inf])
def test_an_input_that_is_not_finite_is_refused_wherever_it_stands(rows: Api, value: float) -> None:
    for count in (1, 3, 16, 19):
        for place in itertools.product(range(count), range(2)):
            x = inside(count)["x"]
            x[place] = value
            found = rows.call({"x": x})
            assert (found.code, found.untouched) == (NOT_FINITE, True), place
            assert rows.call({"x": x}, refuse=True).code == NOT_FINITE
            assert rows.check({"x": x})[0] == NOT_FINITE


@everywhere
def test_the_second_input_is_looked_at_before_anything_is_written(grid: Api) -> None:
    given = grid_inputs([0.1, 5.0], 20)
    for name in ("parameters", "points"):
        for place in np.ndindex(given[name].shape):
            spoilt = {n: x.copy() for n, x in given.items()}
            spoilt[name][place] = np.inf
            found = grid.call(spoilt)
            assert (found.code, found.untouched) == (NOT_FINITE, True)


@everywhere
def test_sizes_of_zero_and_huge_ones_are_refused_without_touching_memory(rows: Api, grid: Api) -> None:
    for count in (0, HUGE, HUGE // 2, HUGE // 4, HUGE // 8 + 1, 2**63, 2**62, 2**61, 2**60):
        found = rows.call(inside(1), sizes={"M": count})
        assert (found.code, found.untouched) == (BAD_SIZE, True), count
        assert rows.check(inside(1), {"M": count}) == (BAD_SIZE, {"x": np.array([-7])})
    few = grid_inputs([0.1], 1)
    for b, m in [(0, 1), (1, 0), (0, 0), (2**32, 2**32), (2**31, 2**31), (1, HUGE), (HUGE, 1), (2**60, 2**60)]:
        found = grid.call(few, sizes={"B": b, "M": m})
        assert (found.code, found.untouched) == (BAD_SIZE, True), (b, m)
        assert grid.call(few, sizes={"B": b, "M": m}, refuse=True).code == BAD_SIZE
        assert grid.check(few, {"B": b, "M": m})[0] == BAD_SIZE


@everywhere
@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_row_outside_is_flagged_and_computed_or_refused(rows: Api, column: int, side: int) -> None:
    low, high = (np.float32(v) for v in ((BOX[column].low, BOX[column].high)))
    edge = low if side < 0 else high
    for count in (1, 3, 17):
        for row in range(count):
            x = inside(count)["x"]
            x[row, column] = edge
            assert rows.check({"x": x})[0] == 0
            x[row, column] = np.nextafter(edge, np.float32(side * np.inf), dtype=np.float32)
            code, flags = rows.check({"x": x})
            assert code == 1
            np.testing.assert_array_equal(flags["x"], np.arange(count) == row)
            found = rows.call({"x": x})
            assert found.code & 1
            np.testing.assert_array_equal(found.outputs["seen"], x)
            refused = rows.call({"x": x}, refuse=True)
            assert (refused.code, refused.untouched) == (OUTSIDE, True)


@everywhere
def test_flags_are_those_of_the_runtime(rows: Api) -> None:
    """The box of a float32 input is rounded the same way on both sides."""
    low, high = limits(POLE_INPUTS[0])
    for ends in (low, high):
        assert rows.check({"x": np.asarray(ends, np.float32)[None]})[0] == 0


@everywhere
def test_a_row_at_the_pole_is_nan_with_flag_2_and_no_other_is(rows: Api) -> None:
    for count in (1, 3, 16, 17, 35):
        expected = rows.call(inside(count))
        for row in {0, 1, count // 2, count - 1} & set(range(count)):
            x = inside(count)["x"]
            x[row, 0] = 0.0
            found = rows.call({"x": x})
            assert found.code == 2
            assert np.isnan(found.outputs["u"][row]).all()
            assert np.isnan(found.outputs["total"][row])
            np.testing.assert_array_equal(found.outputs["seen"], x)
            rest = np.arange(count) != row
            for name, y in found.outputs.items():
                np.testing.assert_array_equal(y[rest], expected.outputs[name][rest])


@everywhere
def test_residuals_above_the_threshold_are_flag_4(rows: Api) -> None:
    for count in (1, 3, 17):
        x = inside(count)["x"]
        x[-1, 1] = np.float32(0.25)
        assert rows.call({"x": x}).code == 0
        x[-1, 1] = np.nextafter(np.float32(0.25), np.float32(1))
        found = rows.call({"x": x})
        assert found.code == 4
        assert np.isfinite(found.outputs["u"]).all()
        x[-1, 1] = -0.5
        assert rows.call({"x": x}).code == 5


@everywhere
def test_denormals_are_kept(rows: Api) -> None:
    tiny = np.float32(1e-45)
    for count in (1, 20):
        x = inside(count)["x"]
        x[:, 1] = tiny
        found = rows.call({"x": x})
        assert found.code == 0
        np.testing.assert_array_equal(found.outputs["u"][:, 1], x[:, 1])
        np.testing.assert_array_equal(found.outputs["residual"], np.full(count, 2 * tiny, np.float32))


@everywhere
def test_a_row_that_fails_does_not_spoil_its_neighbours(grid: Api) -> None:
    nu = [0.1, 0.95, 0.5, 0.7, 0.92]
    for count in (1, 3, 16, 37):
        given = grid_inputs(nu, count)
        found = grid.call(given)
        assert found.code == 6
        failed = np.array(nu) > 0.9
        assert np.isnan(found.outputs["u"][failed]).all()
        np.testing.assert_array_equal(np.isinf(found.outputs["residual"]), failed)
        alone = [grid.call({**given, "parameters": given["parameters"][b : b + 1]}) for b in range(len(nu))]
        assert [a.code for a in alone] == [0, 2, 0, 4, 2]
        for b, a in enumerate(alone):
            np.testing.assert_array_equal(found.outputs["u"][b], a.outputs["u"][0])


@everywhere
def test_scratch_is_the_callers_and_its_contents_do_not_matter(rows: Api, grid: Api) -> None:
    for api, given in ((rows, inside(21)), (grid, grid_inputs([0.1, 0.95, 0.3], 21))):
        first = api.call(given, fill=0x00)
        for fill in (0xFF, 0x7F):
            again = api.call(given, fill=fill)
            assert again.code == first.code
            for name, y in first.outputs.items():
                assert y.tobytes() == again.outputs[name].tobytes()


@everywhere
def test_calls_with_scratches_of_their_own_run_side_by_side(grid: Api) -> None:
    given = [grid_inputs([0.1 * k, 0.95, 0.3], 400 + k) for k in range(1, 5)]
    expected = [grid.call(g).outputs["u"].tobytes() for g in given]

    def often(k: int) -> bool:
        return all(grid.call(given[k]).outputs["u"].tobytes() == expected[k] for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(often, range(4)))


@pytest.fixture(scope="module")
def burgers(tmp_path_factory: pytest.TempPathFactory) -> Api:
    """The shipped sample."""
    bundle = read(SAMPLE)
    manifest = bundle.manifest
    return built(tmp_path_factory.mktemp("s2gpt"), bundle.content("model.onnx"), manifest.inputs, manifest.outputs)


def test_the_sample_agrees_with_its_reference_on_every_instruction_set(burgers: Api) -> None:
    rng = np.random.default_rng(3)
    points = np.stack([rng.uniform(-1, 1, 37), rng.uniform(0, 1, 37)], axis=1).astype(np.float32)
    given = {"parameters": np.array([[0.005], [0.07], [1.0]]), "points": points}
    model = edgepde_runtime.load(SAMPLE, backend="reference")
    expected = model(**given)
    answers = []
    for isa in burgers.isas:
        assert burgers.library.edgepde_model_use(isa.encode()) == 0
        answers.append(burgers.call(given))
        assert answers[-1].code == 0
        near = model.certificate.outputs["u"].terms["rounding"].value
        assert np.abs(answers[-1].outputs["u"] - expected.u).max() <= near
    for other in answers[1:]:
        for name, y in answers[0].outputs.items():
            assert y.tobytes() == other.outputs[name].tobytes()


def test_a_viscosity_at_which_the_sample_fails_is_nan_with_flag_2(burgers: Api) -> None:
    given = {"parameters": np.array([[0.1], [-0.1]]), "points": np.array([[0.1, 0.5]] * 18, np.float32)}
    for isa in burgers.isas:
        assert burgers.library.edgepde_model_use(isa.encode()) == 0
        found = burgers.call(given)
        assert found.code & 3 == 3
        assert np.isfinite(found.outputs["u"][0]).all()
        assert np.isnan(found.outputs["u"][1]).all()
        assert burgers.call(given, refuse=True).code == OUTSIDE
