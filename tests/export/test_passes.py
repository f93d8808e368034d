"""Simplifying, cleaning and retyping a graph."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxsim
import pytest
import torch
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.passes.clean import clean, serialize
from edgepde_export.passes.retype import retype
from edgepde_export.passes.simplify import simplify
from edgepde_runtime.errors import UnsupportedModel
from onnx import helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from . import nets


class Wasteful(nn.Module):
    """Computes a constant in the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.a = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x) * (torch.sin(self.a) + torch.cos(self.a))
        return y


def fresh(module: nn.Module | None = None) -> onnx.ModelProto:
    return to_onnx((module or nets.mlp()).eval(), {"x": torch.rand(3, 2)}, {"x": {0: "M"}}, ["y"])


def test_constants_are_folded_and_the_counts_told() -> None:
    lines: list[str] = []
    model = simplify(fresh(Wasteful()), lines.append)
    assert "Sin" not in {n.op_type for n in model.graph.node}
    assert lines == [f"simplified: {len(fresh(Wasteful()).graph.node)} -> {len(model.graph.node)} nodes"]


def test_the_symbolic_size_survives() -> None:
    model = simplify(fresh(), lambda _: None)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "M"
    assert model.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "M"


def test_counts_go_to_stderr_by_default(capfd: pytest.CaptureFixture[str]) -> None:
    simplify(fresh())
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("simplified: ")
    assert err.count("\n") == 1


def test_a_failure_is_an_unsupported_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: onnx.ModelProto) -> None:
        raise RuntimeError("inner reason\nand a long trace")

    monkeypatch.setattr(onnxsim, "simplify", fails)
    with pytest.raises(UnsupportedModel, match=r"^simplification failed: inner reason$"):
        simplify(fresh())


def test_a_disagreement_is_an_unsupported_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxsim, "simplify", lambda model: (model, False))
    with pytest.raises(UnsupportedModel, match="computes something else"):
        simplify(fresh())


def test_a_lost_size_is_an_unsupported_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def fixes(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        other = onnx.ModelProto()
        other.CopyFrom(model)
        other.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
        return other, True

    monkeypatch.setattr(onnxsim, "simplify", fixes)
    with pytest.raises(UnsupportedModel, match="simplification changed the inputs"):
        simplify(fresh())


def test_two_exports_of_one_module_are_the_same_bytes() -> None:
    module = Wasteful()
    first, second = (serialize(clean(simplify(fresh(module), lambda _: None))) for _ in range(2))
    assert first == second


def test_nothing_of_the_machine_is_in_the_bytes() -> None:
    raw = fresh()
    assert b"site-packages" in raw.SerializeToString()
    data = serialize(clean(raw))
    for trace in (b"File ", b"pkg.torch", b"pytorch", b"onnxsim", sys.prefix.encode(), str(Path.home()).encode()):
        assert trace not in data


def test_cleaning_twice_changes_nothing() -> None:
    once = clean(fresh())
    assert serialize(clean(once)) == serialize(once)


def test_cleaning_keeps_what_is_computed_and_the_names_of_weights() -> None:
    raw = fresh()
    made = clean(raw)
    x = np.random.default_rng(0).random((5, 2)).astype(np.float32)
    expected = ReferenceEvaluator(raw).run(None, {"x": x})[0]
    np.testing.assert_array_equal(ReferenceEvaluator(made).run(None, {"x": x})[0], expected)
    assert {t.name for t in made.graph.initializer} == {f"{i}.{p}" for i in (0, 2, 4) for p in ("weight", "bias")}
    assert [n.name for n in made.graph.node][:2] == ["Gemm_0", "Tanh_0"]


def test_cleaning_renames_inside_loops_and_keeps_captured_values() -> None:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "captured"], ["next"]),
            helper.make_node("Identity", ["condition"], ["go on"]),
        ],
        "any name",
        [
            helper.make_tensor_value_info("turn", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("condition", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", onnx.TensorProto.FLOAT, [2]),
        ],
        [
            helper.make_tensor_value_info("go on", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", onnx.TensorProto.FLOAT, [2]),
        ],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "x"], ["captured"]),
            helper.make_node("Loop", ["turns", "going", "x"], ["y"], body=body),
        ],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])],
        [onnx.numpy_helper.from_array(np.array(3), "turns"), onnx.numpy_helper.from_array(np.array(True), "going")],
    )
    made = clean(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
    onnx.checker.check_model(made, full_check=True)
    assert b"captured" not in serialize(made)
    x = np.array([1.0, 2.0], np.float32)
    np.testing.assert_array_equal(ReferenceEvaluator(made).run(None, {"x": x})[0], x + 3 * x * x)


def test_a_value_called_like_an_input_gets_another_name() -> None:
    graph = helper.make_graph(
        [helper.make_node("Sin", ["v0"], ["a"]), helper.make_node("Cos", ["a"], ["v1"])],
        "g",
        [helper.make_tensor_value_info("v0", onnx.TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("v1", onnx.TensorProto.FLOAT, [2])],
    )
    made = clean(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]))
    onnx.checker.check_model(made, full_check=True)
    names = [made.graph.node[0].input[0], made.graph.node[0].output[0], made.graph.node[1].output[0]]
    assert names == ["v0", "v2", "v1"]


def test_widening_computes_the_same_in_float64() -> None:
    module = nets.mlp("softplus")
    wide = retype(clean(fresh(module)), "float64")
    onnx.checker.check_model(wide, full_check=True)
    x = np.random.default_rng(0).random((5, 2))
    got = ReferenceEvaluator(wide).run(None, {"x": x})[0]
    with torch.no_grad():
        expected = module.double()(torch.from_numpy(x)).numpy()
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, expected, rtol=1e-12)
