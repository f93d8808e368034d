"""A loaded model: what it accepts, what it refuses, and that nothing goes wrong silently."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import Model, OutOfBoxWarning, ResidualWarning, RoundedWarning, load
from edgepde_runtime.errors import BackendError, InputError, NotConverged, OutOfBox
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import c99
from support.bundles import mlp_bundle, mlp_reference, ratio_bundle, residual_bundle
from support.refusal import only_refused

X = np.array([[0.5, 0.25], [-0.75, 1.0], [1.0, 0.0]], dtype=np.float32)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


def test_one_output_is_an_array(model: Model) -> None:
    y = model(X)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, mlp_reference(X), atol=4e-6)
    np.testing.assert_array_equal(model(x=X), y)


def test_a_model_says_what_it_is(solver: Path) -> None:
    model = load(solver, "reference")
    inputs = "parameters float64 [B, 1], points float32 [M, 2]"
    outputs = "u float32 [B, M], residual float64 [B]"
    assert repr(model) == f"<Model {model.manifest.name} on reference: inputs {inputs}; outputs {outputs}>"


def test_several_inputs_are_keywords_and_outputs_a_named_tuple(solver: Path, backend: str) -> None:
    y = load(solver, backend)(parameters=np.array([[0.5]]), points=X)
    assert y._fields == ("u", "residual")
    assert y.u.shape == (1, 3)
    np.testing.assert_allclose(y.residual, [0.005])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (X.astype(np.int64), r"expected float32 \[M, 2\], got dtype int64; .astype\(np.float64\)"),
        (X > 0, "got dtype bool"),
        (X.astype(np.complex64), "got dtype complex64$"),
        (X.astype(np.longdouble), "got dtype float128|got dtype longdouble"),
        ("0.5", "got dtype <U3"),
        (None, "got dtype object"),
        ([[0.5], [0.5, 0.5]], "got what is no array"),
        ([[True, False]], "got dtype bool"),
        (X[0], r"got shape \[2\]; one row is x\[None, :\]"),
        (X[:, :1], r"got shape \[3, 1\]"),
        (X[None], r"got shape \[1, 3, 2\]"),
        (X[:0], "got no rows"),
        (0.5, r"got shape \[\]"),
        (np.ma.masked_array(X, X > 0), "got a masked array"),
        (np.array([[0.5, np.nan]]), "row 0, column t: expected a finite number, got nan"),
        (np.array([[0.5, 0.5], [-np.inf, 0.5]]), "row 1, column x: expected a finite number, got -inf"),
        (np.array([[1e300, 0.5]]), "outside"),
    ],
)
def test_wrong_input_is_named(model: Model, value: object, message: str) -> None:
    with pytest.raises((InputError, OutOfBox), match=rf"input x: .*({message})"):
        model(value)


def test_a_list_is_converted(model: Model) -> None:
    np.testing.assert_array_equal(model([[0.5, 0.25], [-0.75, 1], [1, 0]]), model(X))


def test_other_layouts_are_the_same_numbers(model: Model) -> None:
    expected = model(X)
    for same in (np.asfortranarray(X), X.astype(np.float64), X.astype(np.float16), X.astype(">f4"), X[::-1][::-1]):
        np.testing.assert_array_equal(model(same), expected)


@pytest.mark.parametrize(
    ("args", "named", "message"),
    [
        ((), {}, "input x is missing"),
        ((X, X), {}, "expected one array, got 2 positional$"),
        ((X,), {"x": X}, "expected one array, got 1 positional and 1 by keyword$"),
        ((), {"x": X, "z": X}, "input 'z' is unknown; expected x"),
    ],
)
def test_wrong_names(model: Model, args: tuple[object, ...], named: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(*args, **named)


def test_several_inputs_are_not_positional(solver: Path) -> None:
    with pytest.raises(InputError, match=r"expected 2 arrays by keyword \(parameters, points\), got 1 positional$"):
        load(solver, "reference")(X)


def test_out_of_box_raises_naming_row_column_value_and_box(model: Model) -> None:
    with pytest.raises(OutOfBox, match=r"input x: row 1, column t: 1\.5 s outside \[0\.0, 1\.0\] s \(and 1 more row\)"):
        model([[0.0, 0.0], [0.0, 1.5], [-2.0, 0.0]])


def test_out_of_box_can_be_flagged(mlp: Path, backend: str) -> None:
    model = load(mlp, backend, out_of_box="flag")
    rows = np.array([[0.0, 0.0], [0.0, 1.5]])
    result = model.call(rows)
    assert result.flags == 1
    assert result.error_bound["u"]["value"] is None
    assert result.error_bound["u"]["class"] == "not verified"
    np.testing.assert_allclose(result.outputs["u"], mlp_reference(rows), atol=4e-6)
    np.testing.assert_array_equal(model.check(rows)["x"], [0, 1])


def test_nan_is_refused_also_when_flagging(mlp: Path) -> None:
    with pytest.raises(InputError, match="finite"):
        load(mlp, "reference", out_of_box="flag").call([[np.nan, 0.0]])


def test_policies_are_known(mlp: Path) -> None:
    with pytest.raises(InputError, match="out_of_box expected raise or flag"):
        load(mlp, "reference", out_of_box="ignore")


def test_an_inexact_cast_is_flagged_and_takes_the_bound_away(model: Model) -> None:
    assert model.call(X).flags == 0
    assert model.call(X).error_bound["u"] == {
        "value": model.certificate.total,
        "norm": "sup",
        "class": "measured",
        "covers": "total",
    }
    rounded = model.call(np.array([[0.5, 0.25], [0.1, 0.2]]))
    assert rounded.flags == 8
    assert rounded.error_bound["u"]["class"] == "not verified"
    np.testing.assert_array_equal(model.check([[0.5, 0.25], [0.1, 0.2]])["x"], [0, 8])


def test_strict_refuses_inexact_casts(mlp: Path) -> None:
    strict = load(mlp, "reference", strict=True)
    assert strict(X.astype(np.float64)).shape == (3, 1)
    with pytest.raises(InputError, match=r"row 0, column x: .*0\.1.* is not a float32"):
        strict([[0.1, 0.5]])


def test_the_box_is_met_before_the_cast(mlp: Path) -> None:
    beyond = np.nextafter(1.0, 2.0)
    assert np.float32(beyond) == 1.0
    with pytest.raises(OutOfBox, match=r"1\.0000000000000002"):
        load(mlp, "reference")([[beyond, 0.5]])


def test_a_bound_in_the_callers_coarser_dtype_is_inside_and_moved_onto_the_box(tmp_path: Path) -> None:
    solver = load(residual_bundle(tmp_path / "s"), "reference")
    assert float(np.float32(0.005)) < 0.005
    assert solver.check(parameters=[[0.005]], points=X)["parameters"] == 0
    low = np.array([[0.005]], dtype=np.float32)
    assert solver.check(parameters=low, points=X)["parameters"] == 8
    with pytest.warns(RoundedWarning):
        moved = solver(parameters=low, points=X)
    np.testing.assert_array_equal(moved.u, solver(parameters=[[0.005]], points=X).u)
    assert solver.check(parameters=np.nextafter(low, np.float32(0)), points=X)["parameters"] == 1
    assert solver.check(parameters=low.astype(np.float64), points=X)["parameters"] == 1
    with pytest.raises(InputError, match="strict=True refuses"):
        load(residual_bundle(tmp_path / "t"), "reference", strict=True)(parameters=low, points=X)


@shared
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_float32_bounds_are_inside_however_they_round(low: float, width: float) -> None:
    from edgepde_runtime.boxcheck import limits, outside
    from edgepde_runtime.manifest import Column, InputSpec

    spec = InputSpec("x", "float32", ("M", 1), (Column("x", "", low, low + width),))
    bounds = np.array([[low], [low + width]])
    assert not outside(bounds, spec).any()
    assert not outside(bounds.astype(np.float32), spec).any()
    beyond = np.stack([np.nextafter(limits(spec)[0], -np.inf), np.nextafter(limits(spec)[1], np.inf)])
    assert outside(beyond, spec).all()
    half_ulp = np.spacing(np.abs(bounds).astype(np.float32)).astype(np.float64) / 2
    assert (np.abs(np.stack(limits(spec)) - bounds) <= half_ulp).all()


def test_rows_behind_one_symbol_agree() -> None:
    from edgepde_runtime.inputs import same_rows
    from edgepde_runtime.manifest import Column, InputSpec

    specs = tuple(InputSpec(n, "float32", ("M", 1), (Column("c", "", 0, 1),)) for n in ("a", "b"))
    with pytest.raises(InputError, match=r"input b: expected 2 rows \(M\), got 3"):
        same_rows(specs, {"a": np.zeros((2, 1)), "b": np.zeros((3, 1))})


def test_rows_that_do_not_converge_are_never_an_answer(solver: Path, backend: str) -> None:
    model = load(solver, backend)
    nu = np.array([[0.5], [0.95], [0.1], [0.99]])
    with pytest.raises(NotConverged, match="B rows 1, 3"):
        model(parameters=nu, points=X)
    result = model.call(parameters=nu, points=X)
    assert result.flags == 2
    assert np.isnan(result.outputs["u"]).all(axis=1).tolist() == [False, True, False, True]
    assert np.isinf(result.outputs["residual"]).tolist() == [False, True, False, True]
    assert result.error_bound["u"]["value"] is None


@pytest.mark.parametrize("residual", [np.nan, np.inf, -np.inf])
def test_a_residual_that_is_no_number_did_not_converge(solver: Path, residual: float) -> None:
    from edgepde_runtime.diagnostics import residual_flags

    flags = residual_flags(load(solver, "reference").manifest, {"residual": np.array([0.001, residual, 0.5])})
    assert flags["B"].tolist() == [0, 2, 4]


def test_a_residual_above_its_threshold_is_flagged_and_warned_of(solver: Path, backend: str) -> None:
    model = load(solver, backend)
    result = model.call(parameters=np.array([[0.5], [0.7]]), points=X)
    assert result.flags == 4
    assert np.isfinite(result.outputs["u"]).all()
    with pytest.warns(ResidualWarning, match="B row 1"):
        model(parameters=np.array([[0.5], [0.7]]), points=X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(parameters=np.array([[0.5]]), points=X)


@pytest.mark.parametrize(
    ("amounts", "class_", "expected"),
    [
        ({}, "measured", ("measured", "total")),
        ({"model": None}, "sound", ("sound", "device")),
        ({"model": None}, "measured", ("measured", "device")),
    ],
)
def test_error_bound_says_what_it_covers(
    tmp_path: Path, amounts: dict[str, float | None], class_: str, expected: tuple[str, str]
) -> None:
    bound = load(mlp_bundle(tmp_path / "b", amounts=amounts, class_=class_), "reference").call(X).error_bound
    assert (bound["u"]["class"], bound["u"]["covers"]) == expected
    assert bound["u"]["value"] is not None


def test_a_certificate_covers_only_its_backends(tmp_path: Path) -> None:
    model = load(mlp_bundle(tmp_path / "b", backends=("c99",)), "reference")
    assert model.call(X).error_bound["u"]["value"] is None


def test_unknown_backends_are_named(mlp: Path) -> None:
    with pytest.raises(BackendError, match=r"'tpu' is unknown; known are auto, .*reference"):
        load(mlp, "tpu")
    with pytest.raises(BackendError, match="c99: this bundle has no c99/"):
        load(mlp, "c99")
    with pytest.raises(BackendError, match="unknown"):
        load(mlp, "../../evil")


def test_auto_is_reference_without_onnxruntime(mlp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert load(mlp).backend == "reference"
    with pytest.raises(BackendError, match=r"onnxruntime cannot be imported .*edgepde-runtime\[ort\]"):
        load(mlp, "ort")


def test_auto_is_ort_where_it_is_installed(mlp: Path) -> None:
    pytest.importorskip("onnxruntime")
    assert load(mlp).backend == "ort"


@shared
@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_rows_do_not_depend_on_each_other(mlp: Path, n: int, seed: int) -> None:
    model = load(mlp, "reference")
    x = np.random.default_rng(seed).uniform(0, 1, (n, 2)).astype(np.float32)
    one_by_one = np.concatenate([model(row[None]) for row in x])
    np.testing.assert_allclose(model(x), one_by_one, atol=2e-6)


@shared
@given(st.lists(st.lists(st.floats() | st.integers() | st.text(max_size=3), max_size=3), max_size=3))
def test_any_list_is_computed_or_refused(mlp: Path, value: object) -> None:
    with only_refused("input x", InputError, OutOfBox):
        assert np.isfinite(load(mlp, "reference")(value)).all()


@pytest.mark.parametrize("x0", [0.0, 1e-30])
def test_a_value_that_is_not_finite_is_never_an_answer(tmp_path: Path, backend: str, x0: float) -> None:
    model = load((c99.ratio_bundle if backend == "c99" else ratio_bundle)(tmp_path / "b"), backend)
    x = np.array([[0.5], [x0], [0.25]], np.float32)
    good = x0 != 0.0
    bound = model.bind(x)
    result = model.call(x)
    assert result.flags == bound() == (0 if good else 2)
    assert np.isnan(result.outputs["u"]).ravel().tolist() == [False, not good, False]
    np.testing.assert_array_equal(result.outputs["u"], bound.outputs["u"])
    assert (result.error_bound["u"]["value"] is not None) == good
    if good:
        np.testing.assert_array_equal(model(x), result.outputs["u"])
    else:
        with pytest.raises(NotConverged, match=r"outputs are not finite for M row 1;"):
            model(x)


@pytest.mark.parametrize(
    ("shape", "value", "expected"),
    [((3, 2), np.inf, {"M": [0, 2, 0]}), ((3, 2), -np.inf, {"M": [0, 2, 0]}), ((3, 2), 1e30, {})],
)
def test_infinity_in_any_column_fails_the_row(
    shape: tuple[int, int], value: float, expected: dict[str, list[int]]
) -> None:
    from edgepde_runtime.diagnostics import finite_flags
    from edgepde_runtime.manifest import Manifest, OutputSpec

    specs = (OutputSpec("u", "float32", ("M", 2), ""), OutputSpec("d", "float32", ("M",), "", diagnostic=True))
    manifest = Manifest(1, "b", "0" * 64, {}, {}, (), specs)
    u = np.zeros(shape)
    u[1, 1] = value
    got = finite_flags(manifest, {"u": u, "d": np.full(3, np.nan)})
    assert {symbol: rows.tolist() for symbol, rows in got.items()} == expected


def test_an_output_without_rows_fails_as_a_whole() -> None:
    from edgepde_runtime.diagnostics import blank, row_flags
    from edgepde_runtime.manifest import Manifest, OutputSpec

    specs = (OutputSpec("c", "float32", (2,), ""), OutputSpec("u", "float32", ("M",), ""))
    manifest = Manifest(1, "b", "0" * 64, {}, {}, (), specs)
    outputs = {"c": np.array([1.0, np.nan]), "u": np.zeros(3)}
    flags = row_flags(manifest, outputs)
    assert flags[""].tolist() == [2]
    assert all(np.isnan(v).all() for v in blank(manifest, outputs, flags).values())


def test_a_residual_above_its_threshold_takes_the_bound_away(solver: Path) -> None:
    model = load(solver, "reference")
    assert model.call(parameters=[[0.5]], points=X).error_bound["u"]["value"] is not None
    assert model.call(parameters=[[0.7]], points=X).error_bound["u"]["value"] is None


def test_plain_calls_warn_of_what_takes_the_bound_away(solver: Path) -> None:
    model = load(solver, "reference", out_of_box="flag")
    low = np.array([[0.005]], np.float32)
    with pytest.warns(RoundedWarning, match=r"^input parameters: 1 row rounded to float64, pass float64 to keep the"):
        model(parameters=low, points=X)
    points = np.array([[0.5, 1.5], [0.1, 0.2], [3.0, 0.5]])
    with pytest.warns() as told:
        model(parameters=[[0.5], [2e-3]], points=points)
    assert [(w.category, w.filename) for w in told] == [(OutOfBoxWarning, __file__), (RoundedWarning, __file__)]
    outside, rounded = (str(w.message) for w in told)
    assert outside.startswith("input parameters: 1 row outside the box; input points: 2 rows outside the box;")
    assert rounded == "input points: 1 row rounded to float32, pass float32 to keep the certified bound"
