"""The reader of model files: one test per way to be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.onnxfile import Model, parse
from edgepde_runtime.protobuf import MAX_FIELDS
from support import onnx_writer as w

X, Y = w.value_info("x", np.float32, ["M", 2]), w.value_info("y", np.float32, ["M", 2])
TANH = w.node("Tanh", ["x"], ["y"], name="only")


def model_of(*nodes: bytes, initializers: tuple[bytes, ...] = (), extra: bytes = b"") -> bytes:
    return w.model(w.graph(nodes or [TANH], [X], [Y], initializers) + extra)


def constant(encoded: bytes) -> Model:
    """A model with one more initialiser, encoded."""
    return parse(model_of(initializers=(encoded,)))


LONG_INTEGER = w.varint(1 << 3) + b"\x80" * 10 + b"\x01"
TOO_LARGE = w.varint(1 << 3) + b"\xff" * 9 + b"\x02"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"model\.ir_version: expected 4 \.\.\. 14, got 0"),
        (w.field_int(1, 99), r"model\.ir_version: .* got 99"),
        (w.field_int(1, 10), r"model\.graph: expected a graph, got none"),
        (LONG_INTEGER, r"model: expected an integer below 2\^64"),
        (TOO_LARGE, r"model: expected an integer below 2\^64"),
        (b"\x08\x80", r"model: expected the rest of an integer at byte 1, got the end"),
        (b"\x3a\x05ab", r"model: field 7 expected 5 bytes, got 2"),
        (b"\x3a" + w.varint(2**63), r"model: field 7 expected 9223372036854775808 bytes, got 0"),
        (b"\x3d\x00\x00", r"model: field 7 expected 4 bytes, got 2"),
        (b"\x39\x00", r"model: field 7 expected 8 bytes, got 1"),
        (b"\x0b", r"model: field 1 expected wire type 0, 1, 2 or 5, got 3"),
        (b"\x00\x00", r"model: expected a field number in 1 .* got 0"),
        (w.field_bytes(1, "x"), r"model\.ir_version: expected wire type 0, got 2"),
        (w.field_int(1, 10) + w.field_int(7, 1), r"model\.graph: expected wire type 2, got 0"),
        (w.mlp_model() + w.mlp_model(), r"model\.graph: expected it once, got it 2 times"),
        (w.mlp_model() + w.field_bytes(8, w.opset("", 21)), r"expected each domain once, got '' again"),
        (w.mlp_model(metadata={"a": "1"}) + w.field_bytes(14, w.field_bytes(1, "a")), r"distinct names, got 'a' twice"),
        (model_of(w.field_bytes(4, b"\xff\xfe")), r"node\[0\]\.op_type: expected UTF-8 text"),
        (model_of(w.node("", ["x"], ["y"])), r"op_type: expected an op, got none"),
        (model_of(TANH + w.field_bytes(8, "v2")), r"'only' \(Tanh\)\.overload: expected none, got 'v2'"),
        (model_of(w.node("Tanh", ["z"], ["y"], name="only")), r"'only' \(Tanh\): expected input 'z'.*nothing makes it"),
        (model_of(w.node("Tanh", ["y"], ["y"])), r"expected input 'y' to exist.*this or a later node"),
        (model_of(w.node("Tanh", ["b"], ["y"]), w.node("Tanh", ["y"], ["b"])), r"'b' to exist.*later node"),
        (model_of(w.node("Tanh", ["x"], ["b"])), r"graph\.output: expected output 'y' .* nothing makes it"),
        (model_of(TANH, TANH), r"node\[1\] 'only' .* expected a new name for its output, got 'y' again"),
        (model_of(w.node("Tanh", ["x"], ["x"]), TANH), r"expected a new name for its output, got 'x'"),
        (w.model(w.graph([TANH], [X, X], [Y])), r"graph\.input: expected distinct names, got 'x' twice"),
        (w.model(w.graph([TANH], [X], [Y, Y])), r"graph\.output: expected distinct names, got 'y' twice"),
        (w.model(w.graph([TANH], [X], [])), r"graph\.output: expected at least one output"),
        (
            w.model(w.graph([TANH], [w.field_bytes(1, "x")], [Y])),
            r"graph\.input\[0\] 'x'\.type: expected a dense tensor",
        ),
        (
            w.model(w.graph([TANH], [w.value_info("x", np.float32, [-1])], [Y])),
            r"dim\[0\]: expected a size >= 0, got -1",
        ),
        (model_of(initializers=(w.tensor("c", 1.0), w.tensor("c", 2.0))), r"initializer: .*'c' twice"),
        (model_of(initializers=(w.tensor("", 1.0),)), r"graph\.initializer: expected a name, got none"),
        (model_of(extra=w.field_bytes(15, b"")), r"graph\.sparse_initializer: expected dense"),
    ],
)
def test_a_broken_file_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        parse(data)


def tensor_fields(dims: list[int], code: int, *rest: bytes) -> bytes:
    return b"".join(w.field_int(1, d) for d in dims) + w.field_int(2, code) + w.field_bytes(8, "c") + b"".join(rest)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (tensor_fields([2], 8, w.field_bytes(9, b"")), r"initializer\[0\] 'c'\.data_type: expected .* got code 8"),
        (tensor_fields([2], 1, w.field_bytes(9, b"1234")), r"'c'\.raw_data: expected 8 bytes, got 4"),
        (tensor_fields([2], 1, w.field_bytes(9, b"")), r"raw_data: expected 8 bytes, got 0"),
        (tensor_fields([2], 1), r"'c'\.float_data: expected 2 values, got 0"),
        (tensor_fields([1], 1, w.field_bytes(4, b"12345")), r"float_data: expected a multiple of 4 bytes, got 5"),
        (tensor_fields([1], 1, w.field_int(4, 1)), r"float_data: expected wire type 5 or 2, got 0"),
        (tensor_fields([1], 1, w.field_bytes(4, b"12345678")), r"float_data: expected at most 1 values, got 2"),
        (tensor_fields([1], 7, w.field_bytes(7, b"\x01\x02")), r"int64_data: expected at most 1 values, got 2"),
        (tensor_fields([1], 7, w.field_bytes(7, b"\x81")), r"int64_data: expected the rest of an integer"),
        (tensor_fields([1], 7, w.field_bytes(7, b"\x01\x81")), r"int64_data: expected the rest of an integer"),
        (tensor_fields([1], 7, w.field_float(7, 1.0)), r"int64_data: expected wire type 0 or 2, got 5"),
        (tensor_fields([1], 6, w.field_int(5, 2**31)), r"int32_data: expected values in -2147483648"),
        (tensor_fields([1], 2, w.field_int(5, 256)), r"int32_data: expected values in 0 \.\.\. 255 for uint8, got 256"),
        (tensor_fields([1], 3, w.field_int(5, -129)), r"expected values in -128 \.\.\. 127 for int8"),
        (tensor_fields([1], 9, w.field_int(5, 2)), r"expected values in 0 \.\.\. 1 for bool"),
        (tensor_fields([1], 10, w.field_int(5, 65536)), r"expected values in 0 \.\.\. 65535 for float16"),
        (tensor_fields([1], 9, w.field_bytes(9, b"\x02")), r"raw_data: expected booleans 0 or 1, got 2"),
        (tensor_fields([-1], 1, w.field_bytes(9, b"")), r"'c'\.dims: expected sizes >= 0"),
        (tensor_fields([2**40, 2**40], 1, w.field_bytes(9, b"")), r"dims: expected sizes >= 0 of at most"),
        (tensor_fields([0, 2**62], 1, w.field_bytes(9, b"")), r"dims: expected sizes >= 0 of at most"),
        (tensor_fields([2**27], 1, w.field_bytes(9, b"1234")), r"raw_data: expected 536870912 bytes, got 4"),
        (tensor_fields([1] * 17, 1, w.field_bytes(9, b"1234")), r"dims: expected at most 16 values, got 17"),
        (tensor_fields([1], 1, w.field_bytes(13, b"")), r"expected its data inside the file, got external"),
        (tensor_fields([1], 1, w.field_int(14, 1)), r"expected its data inside the file, got external"),
        (w.tensor("c", np.array([1.0, np.nan])), r"'c': expected numbers, got NaN"),
        (w.tensor("c", np.array([1.0, np.nan], np.float16)), r"'c': expected numbers, got NaN"),
    ],
)
def test_a_broken_tensor_is_refused_by_name(encoded: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        constant(encoded)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (w.attribute("a", float("nan")), r"'only' \(Tanh\)\.attribute 'a': expected numbers, got NaN"),
        (w.attribute("a", [1.0, float("nan")]), r"attribute 'a': expected numbers, got NaN"),
        (w.attribute("a", np.array(np.nan)), r"attribute 'a'\.t: expected numbers, got NaN"),
        (w.field_bytes(1, "a") + w.field_int(20, 13), r"attribute 'a'\.type: expected .*, got code 13"),
        (w.field_bytes(1, "a"), r"attribute 'a'\.type: expected .*, got code 0"),
        (w.field_bytes(1, "a") + w.field_int(20, 4), r"attribute 'a'\.t: expected a tensor, got none"),
        (w.attribute("", 1), r"attribute: expected a name, got none"),
    ],
)
def test_a_broken_attribute_is_refused_by_name(encoded: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        parse(model_of(w.node("Tanh", ["x"], ["y"], name="only", encoded_attributes=[encoded])))


def test_an_attribute_twice_is_refused() -> None:
    twice = [w.attribute("a", 1), w.attribute("a", 2)]
    with pytest.raises(ModelFileError, match=r"attribute: expected distinct names, got 'a' twice"):
        parse(model_of(w.node("Tanh", ["x"], ["y"], encoded_attributes=twice)))


BODY = [w.node("Tanh", ["a"], ["b"])]


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        (
            [w.function("d", "f", ["a"], ["b"], BODY)] * 2,
            r"model\.functions: .*'d\.f' twice",
        ),
        ([w.function("d", "", ["a"], ["b"], BODY)], r"function d\.\.name: expected a name"),
        ([w.function("d", "f", ["a", "a"], ["b"], BODY)], r"function d\.f\.input: .*'a' twice"),
        ([w.function("d", "f", ["c"], ["b"], BODY)], r"function d\.f\.node\[0\] '' \(Tanh\): expected input 'a'"),
        ([w.function("d", "f", ["a"], ["c"], BODY)], r"function d\.f\.output: expected output 'c'"),
        ([w.function("d", "f", ["a"], ["b"], BODY, attributes=["k", "k"])], r"function d\.f\.attribute: .*'k' twice"),
        ([w.function("d", "f", ["a"], ["b"], BODY) + w.field_bytes(13, "v")], r"function d\.f\.overload: .*'v'"),
    ],
)
def test_a_broken_function_is_refused_by_name(functions: list[bytes], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        parse(w.model(w.graph([TANH], [X], [Y]), functions=functions))


def test_a_file_of_countless_fields_is_refused() -> None:
    nodes = [w.node("Tanh", ["x"] * 1000, [f"v{i}"]) for i in range(MAX_FIELDS // 1000 + 1)]
    with pytest.raises(ModelFileError, match=rf"at most {MAX_FIELDS} fields in the file"):
        parse(model_of(*nodes))
