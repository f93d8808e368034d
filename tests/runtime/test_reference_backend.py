"""The reference backend: what it computes, and what it refuses, at load or while running, with the node's name."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.backends.reference import load
from edgepde_runtime.errors import InputError, ModelFileError, UnsupportedModel
from edgepde_runtime.rooms import Room, room_for
from hypothesis import given
from hypothesis import strategies as st
from support import onnx_writer as w

XS = np.array([[0.1, -0.2], [0.5, 0.9], [-1.0, 0.0]], np.float32)
X, Y = w.value_info("x", np.float32, ["M", 2]), w.value_info("y", np.float32, ["M", "K"])


def model_of(*nodes: bytes, opsets: dict[str, int] | None = None, functions: tuple[bytes, ...] = (), **constants):  # type: ignore[no-untyped-def]
    return w.model(w.graph(nodes, [X], [Y], constants), opsets=opsets, functions=functions)


@given(st.integers(1, 40), st.integers(0, 1000), st.sampled_from([np.float32, np.float64]))
def test_a_network_is_its_formula(hidden: int, seed: int, dtype: type) -> None:
    weights = w.mlp_weights(hidden, seed, dtype)
    x = np.random.default_rng(seed).uniform(-1, 1, (5, 2)).astype(dtype)
    y = load(w.mlp_model(hidden=hidden, seed=seed, dtype=dtype)).run({"x": x})["y"]
    want = np.tanh(x @ weights["W1"] + weights["b1"]) @ weights["W2"] + weights["b2"]
    assert (y.dtype, y.shape) == (np.dtype(dtype), (5, 1))
    np.testing.assert_allclose(y, want, rtol=0, atol=40 * (hidden + 4) * np.finfo(dtype).eps)


def test_it_says_what_it_is_and_takes_any_batch() -> None:
    backend = load(w.mlp_model())
    assert backend.name == "reference"
    for rows in (0, 1, 7):
        assert backend.run({"x": np.zeros((rows, 2), np.float32)})["y"].shape == (rows, 1)


def test_outputs_are_the_callers_own() -> None:
    data = model_of(w.node("Identity", ["c"], ["y"]), c=XS)
    backend = load(data)
    y = backend.run({"x": XS})["y"]
    y[:] = 9
    np.testing.assert_array_equal(backend.run({"x": XS})["y"], XS)
    x = XS.copy()
    y = load(model_of(w.node("Identity", ["x"], ["y"]))).run({"x": x})["y"]
    y[:] = 9
    np.testing.assert_array_equal(x, XS)


def test_values_are_freed_after_their_last_use() -> None:
    nodes = [w.node("Tanh", ["x"], ["a"]), w.node("Add", ["a", "a"], ["b"]), w.node("Add", ["b", "a"], ["y"])]
    steps = load(model_of(*nodes))._program.steps
    assert [step.freed for step in steps] == [("x",), (), ("b", "a")]


def test_a_large_chain_holds_two_values_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    alive, most = 0, 0

    class Counted(np.ndarray):
        def __array_finalize__(self, _: object) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    nodes = [w.node("Tanh", [f"v{i}" if i else "x"], [f"v{i + 1}" if i < 49 else "y"]) for i in range(50)]
    backend = load(model_of(*nodes))
    room = backend._program.steps[0].call
    assert isinstance(room, Room)
    for step in backend._program.steps:
        monkeypatch.setattr(step.call, "reference", lambda inputs, _: (np.array(inputs[0]).view(Counted),))
    backend.run({"x": XS})
    assert most <= 4


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (w.node("Tahn", ["x"], ["y"], name="n1"), r"node\[0\] 'n1' \(Tahn\): op Tahn has no implementation.*Tanh"),
        (w.node("Tanh", ["x"], ["y"], name="n1", domain="com.x"), r"'n1' \(Tanh\): op com\.x\.Tanh has no"),
        (w.node("Tanh", ["x"], ["y"], {"axis": 1}, name="n1"), r"'n1' \(Tanh\): Tanh: expected attributes among"),
        (w.node("Elu", ["x"], ["y"], {"alpha": "a"}, name="n1"), r"'n1'.*'alpha' expected float, got str"),
        (w.node("Concat", ["x"], ["y"], name="n1"), r"'n1' .*expected attribute 'axis', got none"),
        (w.node("Cast", ["x"], ["y"], {"to": 8}, name="n1"), r"'n1' .*'to' expected one of .*, got 8"),
        (w.node("Pad", ["x", "x"], ["y"], {"mode": "mirror"}, name="n1"), r"'n1'.*'mode' expected one of"),
        (w.node("Add", ["x"], ["y"], name="n1"), r"'n1' \(Add\): expected 2 to 2 arguments, got 1"),
        (w.node("Tanh", ["x", "x"], ["y"], name="n1"), r"'n1' \(Tanh\): expected 1 to 1 arguments, got 2"),
        (w.node("Tanh", ["x"], ["y", "z"], name="n1"), r"'n1' \(Tanh\): expected 1 to 1 outputs, got 2"),
    ],
)
def test_a_node_it_cannot_run_is_refused_at_load(node: bytes, message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        load(model_of(node))


def test_a_loop_is_refused_by_name() -> None:
    loop = w.field_bytes(1, "body") + w.field_bytes(6, b"") + w.field_int(20, 5)
    with pytest.raises(UnsupportedModel, match=r"'round' \(Loop\): op Loop has no implementation"):
        load(model_of(w.node("Loop", ["x"], ["y"], name="round", encoded_attributes=[loop])))


@pytest.mark.parametrize(
    ("opsets", "message"),
    [
        ({"": 19}, r"'g' \(Gelu\): expected opset 20 \.\.\. 23 of domain ai\.onnx, got 19"),
        ({"": 99}, r"expected opset 20 \.\.\. 23 of domain ai\.onnx, got 99"),
        ({"edgepde": 1}, r"expected opset 20 \.\.\. 23 of domain ai\.onnx, got none"),
    ],
)
def test_an_opset_it_does_not_know_is_refused(opsets: dict[str, int], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        load(model_of(w.node("Gelu", ["x"], ["y"], name="g"), opsets=opsets))


def test_inputs_are_asked_for_by_name_and_dtype() -> None:
    backend = load(w.mlp_model())
    with pytest.raises(InputError, match=r"input 'x': expected float32, got none"):
        backend.run({})
    with pytest.raises(InputError, match=r"input 'x': expected float32, got float64"):
        backend.run({"x": XS.astype(np.float64)})


@pytest.mark.parametrize(
    ("node", "constants", "message"),
    [
        (w.node("MatMul", ["x", "c"], ["y"], name="n"), {"c": XS}, r"'n' \(MatMul\): inputs float32\[3, 2\], float32"),
        (w.node("Add", ["x", "c"], ["y"], name="n"), {"c": np.zeros(2)}, r"'n' \(Add\): Add: input 'B' .* got float64"),
        (w.node("Gather", ["x", "c"], ["y"], name="n"), {"c": np.array([9])}, r"'n' \(Gather\): .*out of bounds"),
        (w.node("Reshape", ["x", "c"], ["y"], name="n"), {"c": np.array([5, 5])}, r"'n' \(Reshape\): .*reshape"),
        (w.node("Expand", ["x", "c"], ["y"], name="n"), {"c": np.array([2**40, 1, 1])}, r"'n' \(Expand\): .*at most"),
        (w.node("Tile", ["x", "c"], ["y"], name="n"), {"c": np.array([2**31, 2**31])}, r"'n' \(Tile\): .*at most"),
        (w.node("Pad", ["x", "c"], ["y"], name="n"), {"c": np.array([0, 0, 2**40, 0])}, r"'n' \(Pad\): .*at most"),
        (w.node("ConstantOfShape", ["c"], ["y"], name="n"), {"c": np.array([2**40])}, r"'n' .*at most"),
        (
            w.node("Gelu", ["c"], ["y"], name="n"),
            {"c": np.array([1])},
            r"'n' \(Gelu\): .* got int64",
        ),
        (
            w.node("Split", ["x"], ["y", "z"], {"num_outputs": 1}, name="n"),
            {},
            r"'n' \(Split\): expected 2 outputs, got 1",
        ),
        (
            w.node("Cast", ["x"], ["y"], {"to": 11}, name="n"),
            {},
            r"output 'y': expected float32 .* got float64",
        ),
    ],
)
def test_a_node_that_fails_is_named(node: bytes, constants: dict, message: str) -> None:
    with pytest.raises((ModelFileError, UnsupportedModel), match=message):
        load(model_of(node, **constants)).run({"x": XS})


ELU_BODY = [w.node("Elu", ["a"], ["b"], name="inner", encoded_attributes=[w.reference_attribute("alpha", "slope", 1)])]
LOCAL = {"": 20, "local": 1}


def elu_function(*body: bytes, **options):  # type: ignore[no-untyped-def]
    return w.function("local", "f", ["a"], ["b"], body or ELU_BODY, **options)


def test_a_function_without_a_room_runs_its_body() -> None:
    call = w.node("f", ["x"], ["y"], {"slope": 0.5}, domain="local")
    got = load(model_of(call, opsets=LOCAL, functions=(elu_function(attributes=["slope"]),))).run({"x": XS})["y"]
    np.testing.assert_allclose(got, np.where(XS > 0, XS, 0.5 * np.expm1(XS)), rtol=1e-6)


def test_an_attribute_the_caller_leaves_out_takes_the_functions_default_or_the_ops() -> None:
    call = w.node("f", ["x"], ["y"], domain="local")
    default = elu_function() + w.field_bytes(11, w.attribute("slope", 0.25))
    got = load(model_of(call, opsets=LOCAL, functions=(default,))).run({"x": XS})["y"]
    np.testing.assert_allclose(got, np.where(XS > 0, XS, 0.25 * np.expm1(XS)), rtol=1e-6)


def test_functions_call_functions_and_optional_inputs_stay_absent() -> None:
    inner = w.function("local", "clip", ["a", "low", "high"], ["b"], [w.node("Clip", ["a", "low", "high"], ["b"])])
    outer = elu_function(w.node("clip", ["a", "", "high"], ["b"], domain="local"), opsets=LOCAL)
    outer = outer.replace(w.field_bytes(4, "a"), w.field_bytes(4, "a") + w.field_bytes(4, "high"))
    call = w.node("f", ["x", "limit"], ["y"], domain="local")
    data = model_of(call, opsets=LOCAL, functions=(inner, outer), limit=np.array(0.3, np.float32))
    np.testing.assert_array_equal(load(data).run({"x": XS})["y"], np.minimum(XS, np.float32(0.3)))


@pytest.mark.parametrize(
    ("call", "function", "message"),
    [
        (
            {},
            elu_function(w.node("Loop", ["a"], ["b"], name="deep")),
            r"\(f\): .*\.node\[0\] 'deep' \(Loop\)",
        ),
        ({}, elu_function(attributes=["slope"]), r"\(f\): expected attributes \['slope'\], got \[\]"),
        ({"k": 1}, elu_function(w.node("Tanh", ["a"], ["b"])), r"\(f\): expected attributes \[\], got \['k'\]"),
        ({}, elu_function(w.node("f", ["a"], ["b"], domain="local")), r"functions that do not call themselves"),
        ({}, elu_function(w.node("Tanh", ["a"], ["b"]), opsets={"": 99}), r"'' \(Tanh\): expected opset"),
    ],
)
def test_a_function_it_cannot_run_is_refused_at_load(call: dict, function: bytes, message: str) -> None:
    node = w.node("f", ["x"], ["y"], call, domain="local")
    with pytest.raises(UnsupportedModel, match=message):
        load(model_of(node, opsets=LOCAL, functions=(function,)))


def test_functions_that_unfold_without_end_are_refused() -> None:
    def doubling(i: int) -> bytes:
        twice = [w.node(f"f{i + 1}", [a], [b], domain="local") for a, b in (("a", "c"), ("c", "b"))]
        body = twice if i < 15 else [w.node("Tanh", ["a"], ["b"])]
        return w.function("local", f"f{i}", ["a"], ["b"], body, opsets=LOCAL)

    calls = [w.node("f0", [a], [b], domain="local") for a, b in (("x", "v"), ("v", "y"))]
    with pytest.raises(UnsupportedModel, match=r"at most 65536 nodes in all"):
        load(model_of(*calls, opsets=LOCAL, functions=tuple(doubling(i) for i in range(16))))


def test_a_custom_op_runs_its_room_and_never_its_body() -> None:
    room = room_for("edgepde", "gauss_newton_solve")
    assert room is not None
    wrong = w.function("edgepde", "gauss_newton_solve", ["a"], ["b"], [w.node("Tanh", ["a"], ["b"])])
    call = w.node("gauss_newton_solve", ["x"], ["y"], name="solve", domain="edgepde")
    with pytest.raises(UnsupportedModel, match=r"'solve' \(gauss_newton_solve\): expected 8 to 8 arguments, got 1"):
        load(model_of(call, opsets={"": 20, "edgepde": 1}, functions=(wrong,)))
