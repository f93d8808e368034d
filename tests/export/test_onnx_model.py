"""ONNX files made elsewhere."""

from __future__ import annotations

from pathlib import Path

import edgepde_runtime
import numpy as np
import onnx
import pytest
import torch
from edgepde_export.errors import SourceError
from edgepde_export.exporting import export
from edgepde_export.lowering.onnx_model import lower
from edgepde_export.lowering.options import Options
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from onnx import TensorProto, helper, numpy_helper

from . import nets

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"])


def quiet(_: str) -> None:
    """A log nobody reads."""


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    *,
    rows: str | int = "batch",
    opset: int = 20,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """A file `in.put` [rows, 2] -> `out put` [rows, 1] with weights w [2, 1] and b [1]."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    weights = [
        numpy_helper.from_array(np.array([[0.5], [-0.25]], dtype), "w"),
        numpy_helper.from_array(np.array([0.1], dtype), "b"),
    ]
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("in.put", kind, [rows, 2])],
        [helper.make_tensor_value_info("out put", kind, [rows, 1])],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), str(path))
    return path


AFFINE = [helper.make_node("MatMul", ["in.put", "w"], ["h"]), helper.make_node("Add", ["h", "b"], ["out put"])]


@pytest.mark.parametrize("opset", [13, 17, 20, 22])
@pytest.mark.parametrize("rows", ["batch", ""])
def test_a_foreign_file_becomes_a_bundle(opset: int, rows: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "net.onnx", AFFINE, opset=opset, rows=rows or None)  # type: ignore[arg-type]
    made = export(str(path), tmp_path / "b", domain=BOX, log=quiet)
    x = BOX.sample(9, np.random.default_rng(0)).astype(np.float32)
    for backend in ("ort", "reference"):
        model = edgepde_runtime.load(made, backend=backend)
        np.testing.assert_allclose(model(x)[:, 0], 0.5 * x[:, 0] - 0.25 * x[:, 1] + 0.1, atol=1e-6)
        assert model.certificate.outputs["y"].device_total is not None


def test_what_torch_exported_stays_within_its_certificate(tmp_path: Path) -> None:
    module = nets.mlp("silu").eval()
    program = torch.onnx.export(module, (torch.rand(3, 2),), dynamo=True, dynamic_shapes=({0: "rows"},), verbose=False)
    assert program is not None
    program.save(tmp_path / "net.onnx")
    made = export(tmp_path / "net.onnx", tmp_path / "b", domain=BOX, log=quiet)
    model = edgepde_runtime.load(made)
    x = BOX.sample(200, np.random.default_rng(0)).astype(np.float32)
    with torch.no_grad():
        expected = module.double()(torch.from_numpy(x).double()).numpy()
    bound = model.certificate.outputs["y"].device_total
    assert bound is not None
    assert np.abs(model(x) - expected).max() <= bound < 1e-5


def test_float64_stays_float64(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.onnx", AFFINE, kind=TensorProto.DOUBLE)
    model = edgepde_runtime.load(export(path, tmp_path / "b", domain=BOX, log=quiet))
    assert model(BOX.sample(3, np.random.default_rng(0))).dtype == np.float64


def test_an_unsupported_node_is_named(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["in.put", "w"], ["h"], name="first"),
        helper.make_node("Mish", ["h"], ["out put"], name="their mish"),
    ]
    with pytest.raises(UnsupportedModel, match=r"node their mish \(Mish\): op Mish has no implementation"):
        lower(saved(tmp_path / "net.onnx", nodes), BOX, Options(log=quiet))


def test_a_fixed_number_of_rows_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedModel, match=r"net.onnx: input in.put expected shape \[rows, 2\] with rows left free"
    ):
        lower(saved(tmp_path / "net.onnx", AFFINE, rows=4), BOX, Options(log=quiet))


def test_a_box_of_the_wrong_dimension_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"input in.put has 2 columns, the box has 3"):
        lower(saved(tmp_path / "net.onnx", AFFINE), Box([0] * 3, [1] * 3), Options(log=quiet))


def test_half_precision_is_unsupported(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="expected float32 or float64"):
        lower(saved(tmp_path / "net.onnx", AFFINE, kind=TensorProto.FLOAT16), BOX, Options(log=quiet))


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.onnx", AFFINE)
    model = onnx.load(str(path))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([[np.nan], [1]], np.float32), "w"))
    onnx.save(model, str(path))
    with pytest.raises(UnsupportedModel, match="'w': expected numbers, got NaN"):
        lower(path, BOX, Options(log=quiet))


@pytest.mark.parametrize("data", [b"", b"not protobuf at all", b"\x08\x0a"])
def test_a_file_that_is_no_model_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(SourceError, match=r"net.onnx: expected an ONNX model"):
        lower(tmp_path / "net.onnx", BOX, Options(log=quiet))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"net.onnx: cannot be read: No such file"):
        lower(tmp_path / "net.onnx", BOX, Options(log=quiet))
