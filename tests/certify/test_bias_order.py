"""A bias may be the first or the last thing a kernel adds: the rounding bound holds for both, through compiled C."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgepde_export.lowering.measured import load_backends
from edgepde_runtime.box import Box
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from edgepde_runtime.onnxfile import parse
from onnx import TensorProto, helper, numpy_helper

from edgepde.certify.from_graph import from_graph
from edgepde.certify.rounding import bound_rounding

TERMS, LARGE = 1024, 2.0**20
TAILS = {
    "MatMul, Add": lambda: [("MatMul", ["r", "w"], "b", {}), ("Add", ["b", "d"], "y", {})],
    "Gemm": lambda: [("Gemm", ["r", "w", "d"], "y", {})],
    "Gemm, half a bias of twice": lambda: [("Gemm", ["r", "w", "dd"], "y", {"beta": 0.5})],
    "Gemm of no bias, Add": lambda: [("Gemm", ["r", "w", "zero"], "b", {}), ("Add", ["b", "d"], "y", {})],
}


def graph(tail: str, outputs: int) -> bytes:
    """x -> relu(x, x, ...) w + d where the large terms cancel: what is rounded depends on when d is added."""
    w = np.zeros((TERMS, outputs), np.float32)
    w[::16], w[0] = 0.07, LARGE
    d = np.full(outputs, -LARGE, np.float32)
    held = {"ones": np.ones((1, TERMS), np.float32), "w": w, "d": d, "dd": 2.0 * d, "zero": 0.0 * d}
    made = [("MatMul", ["x", "ones"], "a", {}), ("Relu", ["a"], "r", {}), *TAILS[tail]()]
    nodes = [helper.make_node(op, given, [out], **more) for op, given, out, more in made]
    used = {name for _, given, _, _ in made for name in given}
    body = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["M", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["M", outputs])],
        [numpy_helper.from_array(values, name) for name, values in held.items() if name in used],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("tail", sorted(TAILS))
def test_the_c_code_stays_within_the_bound_wherever_it_adds_the_bias(tail: str, outputs: int) -> None:
    data = graph(tail, outputs)
    box = Box([1.0], [1.0001])
    network = from_graph(parse(data))
    made = bound_rounding(network, box)
    signature = (
        (InputSpec("x", "float32", ("M", 1), (Column("x", "", 1.0, 1.0001),)),),
        (OutputSpec("y", "float32", ("M", outputs), ""),),
    )
    x = np.linspace(1.0, 1.0001, 200, dtype=np.float32)[:, None]
    exact = network(torch.from_numpy(x.astype(np.float64))).numpy()
    y = load_backends(data, lambda _: None, signature)["c99"].run({"x": x})["y"].astype(np.float64)
    bound = made.rounding + made.activation
    assert (np.abs(y - exact).max(axis=0) <= bound).all()
    assert (bound > 1.0).all()
