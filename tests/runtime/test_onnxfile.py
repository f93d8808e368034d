"""The reader of model files: what is written comes back."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.onnxfile import Model, model_hash, parse
from edgepde_runtime.onnxtensor import ELEMENTS
from support import onnx_writer as w

X, Y = w.value_info("x", np.float32, ["M", 2]), w.value_info("y", np.float32, ["M", 2])
TANH = w.node("Tanh", ["x"], ["y"], name="only")


def model_of(*nodes: bytes, initializers: tuple[bytes, ...] = (), extra: bytes = b"") -> bytes:
    return w.model(w.graph(nodes or [TANH], [X], [Y], initializers) + extra)


def constant(encoded: bytes) -> Model:
    """A model with one more initialiser, encoded."""
    return parse(model_of(initializers=(encoded,)))


def test_a_model_is_read() -> None:
    data = w.mlp_model(metadata={"edgepde.box": "{}", "empty": ""})
    model = parse(data)
    assert (model.ir_version, dict(model.opsets)) == (10, {"": 20})
    assert dict(model.metadata) == {"edgepde.box": "{}", "empty": ""}
    assert [n.op_type for n in model.graph.nodes] == ["Gemm", "Tanh", "Gemm"]
    assert model.graph.nodes[0].label == "graph.node[0] 'first' (Gemm)"
    (x,), (y,) = model.graph.inputs, model.graph.outputs
    assert (x.name, x.dtype, x.shape) == ("x", np.float32, ("M", 2))
    assert (y.name, y.dtype, y.shape) == ("y", np.float32, ("M", 1))
    for name, value in w.mlp_weights().items():
        np.testing.assert_array_equal(model.graph.initializers[name], value)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", [d.name for d in ELEMENTS.values()])
def test_tensors_of_every_dtype_come_back(dtype: str, raw: bool) -> None:
    values = np.array([[0, 1, 2], [3, 4, 5]]).astype(dtype)
    signed = -values if dtype in ("int8", "int32", "int64") else values
    for value in (values, signed, values[:0], values[0, 0]):
        got = constant(w.tensor("c", value, raw)).graph.initializers["c"]
        assert (got.dtype, got.shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(got, value)
        assert not got.flags.writeable


def test_infinite_initialisers_are_allowed() -> None:
    got = constant(w.tensor("c", np.array([np.inf, -np.inf]))).graph.initializers["c"]
    assert np.isinf(got).all()


def test_attributes_of_every_kind_come_back() -> None:
    given_values = {
        "i": -3,
        "f": 0.5,
        "s": "text",
        "is": [1, -2],
        "fs": [0.5, 2.0],
        "ss": ["a", "b"],
        "t": np.array([1.0, 2.0]),
        "none": [],
    }
    (node,) = parse(model_of(w.node("Tanh", ["x"], ["y"], given_values))).graph.nodes
    got = {name: a.value for name, a in node.attributes.items()}
    np.testing.assert_array_equal(got.pop("t"), [1.0, 2.0])
    assert got == {"i": -3, "f": 0.5, "s": "text", "is": (1, -2), "fs": (0.5, 2.0), "ss": ("a", "b"), "none": ()}


def test_packed_attributes_are_read_too() -> None:
    packed = w.field_bytes(1, "perm") + w.field_bytes(8, w.varint(1) + w.varint(300)) + w.field_int(20, 7)
    (node,) = parse(model_of(w.node("Tanh", ["x"], ["y"], encoded_attributes=[packed]))).graph.nodes
    assert node.attributes["perm"].value == (1, 300)


def test_functions_are_read() -> None:
    body = [w.node("Elu", ["a"], ["b"], encoded_attributes=[w.reference_attribute("alpha", "slope", 1)])]
    function = w.function("edgepde", "f", ["a"], ["b"], body, attributes=["slope"], opsets={"": 20, "edgepde": 1})
    model = parse(w.model(w.graph([TANH], [X], [Y]), functions=[function]))
    f = model.functions["edgepde", "f"]
    assert (f.inputs, f.outputs, f.attributes, dict(f.opsets)) == (("a",), ("b",), ("slope",), {"": 20, "edgepde": 1})
    assert f.nodes[0].attributes["alpha"].reference == "slope"


def test_graphs_inside_attributes_are_not_read_however_deep() -> None:
    inner = b"\xff" * 20
    for _ in range(5000):
        inner = w.field_bytes(5, w.field_bytes(6, w.field_bytes(1, inner)))
    loop = w.field_bytes(1, "body") + w.field_bytes(6, inner) + w.field_int(20, 5)
    (node,) = parse(model_of(w.node("Loop", ["x"], ["y"], encoded_attributes=[loop]))).graph.nodes
    assert (node.attributes["body"].kind, node.attributes["body"].value) == ("graph", None)


def test_unknown_fields_of_every_wire_type_are_skipped() -> None:
    extra = (
        w.field_int(900, 5) + w.field_bytes(901, "x") + w.field_float(902, 1.0) + w.varint(903 << 3 | 1) + b"8bytes.."
    )
    assert parse(w.mlp_model() + extra).graph.nodes[0].op_type == "Gemm"
    assert parse(model_of(extra=extra)).graph.nodes[0].op_type == "Tanh"


def test_an_input_with_an_initialiser_is_a_constant() -> None:
    assert parse(model_of(initializers=(w.tensor("x", np.zeros((1, 2), np.float32)),))).graph.inputs == ()


def test_the_default_domain_has_two_names() -> None:
    graph = w.graph([w.node("Tanh", ["x"], ["y"], domain="ai.onnx")], [X], [Y])
    model = parse(w.model(graph, opsets={"ai.onnx": 20}))
    assert (model.graph.nodes[0].domain, dict(model.opsets)) == ("", {"": 20})


def test_hash_ignores_metadata_wherever_it_lies_and_nothing_else() -> None:
    plain, entry = w.mlp_model(), w.field_bytes(14, w.field_bytes(1, "k") + w.field_bytes(2, "v"))
    assert model_hash(plain) == hashlib.sha256(plain).hexdigest()
    assert model_hash(w.mlp_model(metadata={"a": "b"})) == model_hash(plain)
    assert model_hash(entry + plain + entry) == model_hash(plain)
    assert model_hash(w.mlp_model(seed=1)) != model_hash(plain)
    with pytest.raises(ModelFileError, match="bytes"):
        model_hash(plain[:-1])
