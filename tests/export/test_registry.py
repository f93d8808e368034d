"""The registry of torch.onnx is read once, and no export leaves anything in it."""

from __future__ import annotations

import pytest
import torch
from edgepde_export.lowering import registry
from edgepde_export.lowering.graph import to_onnx
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from torch.onnx._internal.exporter import _registration

TANH = torch.ops.aten.tanh.default


def read() -> _registration.ONNXRegistry:
    return _registration.ONNXRegistry.from_torchlib(opset_version=20)


def test_additions_are_of_one_export_alone() -> None:
    with registry.one_registry():
        before = len(read().get_decomps(TANH))
        read().register_op(TANH, lambda x: x)
        assert len(read().get_decomps(TANH)) == before


def test_it_is_read_once_and_torch_has_its_own_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_read", {})
    own = vars(_registration.ONNXRegistry)["from_torchlib"]
    with registry.one_registry():
        first, second = read(), read()
    assert first is not second
    assert first.functions == second.functions
    assert len(registry._read) == 1
    with pytest.raises(InputError), registry.one_registry():
        Box([0.0], [-1.0])
    assert vars(_registration.ONNXRegistry)["from_torchlib"] is own
    assert set(read().functions) == set(first.functions)


@pytest.mark.parametrize("missing", ["_WHERE", "_KIND", "_READER"])
def test_another_torch_reads_for_itself(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, missing, "torch.nowhere")
    monkeypatch.setattr(registry, "_read", {})
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh())
    other = to_onnx(net, {"x": torch.zeros(3, 2)}, {"x": {0: "M"}}, ["y"])
    assert not registry._read
    monkeypatch.undo()
    usual = to_onnx(net, {"x": torch.zeros(3, 2)}, {"x": {0: "M"}}, ["y"])
    assert [n.op_type for n in usual.graph.node] == [n.op_type for n in other.graph.node]
