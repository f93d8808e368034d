"""Blocks in standard nodes: onnxruntime computes what the op does, with any groups, for one row and for many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
from edgepde_export.lowering import block_nodes
from edgepde_export.lowering.block_nodes import plain_blocks
from edgepde_export.lowering.custom_ops import append_bodies
from edgepde_runtime.rooms import Room
from onnx import helper, numpy_helper
from support.op_cases import Case
from support.packed_blocks import ladder
from support.rooms import cases_of, tolerance

ROOM = Room("block_low_rank_apply")
CASES = [c for c in cases_of(ROOM) if np.isfinite(c[1][0]).all() and np.size(c[1][0])]
NAMES = ("column_groups", "right", "row_groups", "index", "left")


def model_of(case: Case) -> onnx.ModelProto:
    """One op with constant blocks between two more nodes."""
    _, inputs, attributes = case
    x, *rest = (np.asarray(v) for v in inputs)
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    node = helper.make_node(ROOM.op.name, ["h", *NAMES], ["z"], domain="edgepde", **attributes)
    nodes = [helper.make_node("Identity", ["x"], ["h"]), node, helper.make_node("Identity", ["z"], ["y"])]
    given = helper.make_tensor_value_info("x", kind, ["B", x.shape[1]])
    inner = helper.make_tensor_value_info("h", kind, ["B", x.shape[1]])
    made = helper.make_tensor_value_info("y", kind, ["B", attributes["rows"]])
    held = [numpy_helper.from_array(v, k) for k, v in zip(NAMES, rest, strict=True)]
    graph = helper.make_graph(nodes, "g", [given], [made], held, value_info=[inner])
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    append_bodies(found)
    return found


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])


@pytest.fixture(params=[1, 200, 10**9], ids=lambda cost: f"cost{cost}")
def cost(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Every group alone, some together, all together."""
    monkeypatch.setattr(block_nodes, "NODE_COST", request.param)
    return request.param


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_standard_nodes_compute_what_the_op_does(case: Case, many: bool, cost: int) -> None:
    _, inputs, attributes = case
    assert cost == block_nodes.NODE_COST
    plain = plain_blocks(model_of(case), many=many)
    onnx.checker.check_model(plain, full_check=True)
    assert all(node.domain == "" for node in plain.graph.node)
    assert not plain.functions
    x = np.asarray(inputs[0])
    (wanted,) = ROOM.run(inputs, attributes)
    got = run(plain, x)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    assert (np.abs(got - wanted) <= 2 * tolerance(ROOM, inputs, attributes, wanted)).all()


def test_a_ladder_whose_clusters_are_even_needs_no_gathering_of_outputs() -> None:
    blocks = ladder(n=64, leaf=8, rank=2)
    case: Case = ("even", [np.ones((1, 64), np.float32), *blocks.arrays(np.float32)], {"rows": 64})
    ops = [node.op_type for node in plain_blocks(model_of(case)).graph.node]
    assert ops.count("MatMul") < 20 < len(blocks.column_groups) + len(blocks.row_groups)


def test_other_nodes_stay() -> None:
    plain = plain_blocks(model_of(CASES[0]))
    assert [plain.graph.node[0].op_type, plain.graph.node[-1].op_type] == ["Identity", "Identity"]
    assert {t.name for t in plain.graph.initializer}.isdisjoint(NAMES)
