"""A writer of the ONNX subset the runtime reads, in plain Python: tests make models where onnx is not installed."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

DATA_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
}


def varint(value: int) -> bytes:
    """A non-negative or two's-complement 64-bit integer in base 128, least significant group first."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_int(number: int, value: int) -> bytes:
    """A field of wire type 0."""
    return varint(number << 3) + varint(value)


def field_bytes(number: int, value: bytes | str) -> bytes:
    """A field of wire type 2: bytes, text or an encoded message."""
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def field_float(number: int, value: float) -> bytes:
    """A field of wire type 5: one little-endian float32."""
    return varint(number << 3 | 5) + struct.pack("<f", value)


def tensor(name: str, value: ArrayLike, raw: bool = True) -> bytes:
    """A TensorProto; `raw` chooses raw_data over the typed field of its dtype."""
    array = np.asarray(value)
    dtype = array.dtype.name
    out = b"".join(field_int(1, d) for d in array.shape) + field_int(2, DATA_TYPES[dtype])
    out += field_bytes(8, name) if name else b""
    if raw:
        return out + field_bytes(9, array.astype(array.dtype.newbyteorder("<")).tobytes())
    if dtype == "float32":
        return out + field_bytes(4, array.astype("<f4").tobytes())
    if dtype == "float64":
        return out + field_bytes(10, array.astype("<f8").tobytes())
    integers = array.view(np.uint16) if dtype == "float16" else array
    packed = b"".join(varint(int(v)) for v in integers.ravel())
    return out + field_bytes(7 if dtype == "int64" else 5, packed)


def attribute(name: str, value: Any) -> bytes:
    """An AttributeProto, its kind from the Python type; an empty sequence counts as ints, an array is a tensor."""
    if isinstance(value, np.ndarray):
        body, kind = field_bytes(5, tensor("", value)), 4
    elif isinstance(value, float):
        body, kind = field_float(2, value), 1
    elif isinstance(value, int):
        body, kind = field_int(3, value), 2
    elif isinstance(value, str):
        body, kind = field_bytes(4, value), 3
    elif value and all(isinstance(v, str) for v in value):
        body, kind = b"".join(field_bytes(9, v) for v in value), 8
    elif any(isinstance(v, float) for v in value):
        body, kind = b"".join(field_float(7, v) for v in value), 6
    else:
        body, kind = b"".join(field_int(8, v) for v in value), 7
    return field_bytes(1, name) + body + field_int(20, kind)


def reference_attribute(name: str, of: str, kind: int) -> bytes:
    """Inside a function body: an attribute that takes the value of the function's attribute `of`."""
    return field_bytes(1, name) + field_int(20, kind) + field_bytes(21, of)


def node(
    op_type: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    attributes: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    domain: str = "",
    encoded_attributes: Iterable[bytes] = (),
) -> bytes:
    """A NodeProto; "" is an absent optional input."""
    out = b"".join(field_bytes(1, i) for i in inputs) + b"".join(field_bytes(2, o) for o in outputs)
    out += (field_bytes(3, name) if name else b"") + field_bytes(4, op_type)
    encoded = [*(attribute(k, v) for k, v in (attributes or {}).items()), *encoded_attributes]
    out += b"".join(field_bytes(5, a) for a in encoded)
    return out + (field_bytes(7, domain) if domain else b"")


def value_info(name: str, dtype: DTypeLike, shape: Sequence[int | str]) -> bytes:
    """A ValueInfoProto of a tensor; a text in `shape` is a symbol."""
    dims = b"".join(field_bytes(1, field_bytes(2, d) if isinstance(d, str) else field_int(1, d)) for d in shape)
    kind = field_int(1, DATA_TYPES[np.dtype(dtype).name]) + field_bytes(2, dims)
    return field_bytes(1, name) + field_bytes(2, field_bytes(1, kind))


def graph(
    nodes: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    initializers: Mapping[str, ArrayLike] | Iterable[bytes] = (),
    name: str = "graph",
) -> bytes:
    """A GraphProto of encoded parts; initializers as arrays by name, or encoded."""
    if isinstance(initializers, Mapping):
        initializers = [tensor(k, v) for k, v in initializers.items()]
    out = b"".join(field_bytes(1, n) for n in nodes) + field_bytes(2, name)
    out += b"".join(field_bytes(5, t) for t in initializers)
    return out + b"".join(field_bytes(11, i) for i in inputs) + b"".join(field_bytes(12, o) for o in outputs)


def opset(domain: str, version: int) -> bytes:
    """An OperatorSetIdProto."""
    return (field_bytes(1, domain) if domain else b"") + field_int(2, version)


def function(
    domain: str,
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    nodes: Iterable[bytes],
    *,
    attributes: Sequence[str] = (),
    opsets: Mapping[str, int] | None = None,
) -> bytes:
    """A FunctionProto; `attributes` are the names a caller must set."""
    out = field_bytes(1, name) + b"".join(field_bytes(4, i) for i in inputs)
    out += b"".join(field_bytes(5, o) for o in outputs) + b"".join(field_bytes(6, a) for a in attributes)
    out += b"".join(field_bytes(7, n) for n in nodes)
    out += b"".join(field_bytes(9, opset(d, v)) for d, v in (opsets or {"": 20}).items())
    return out + field_bytes(10, domain)


def model(
    encoded_graph: bytes,
    opsets: Mapping[str, int] | None = None,
    metadata: Mapping[str, str] | None = None,
    functions: Iterable[bytes] = (),
    ir_version: int = 10,
) -> bytes:
    """A ModelProto: the bytes of a model file."""
    out = field_int(1, ir_version) + field_bytes(7, encoded_graph)
    out += b"".join(field_bytes(8, opset(d, v)) for d, v in (opsets or {"": 20}).items())
    out += b"".join(field_bytes(14, field_bytes(1, k) + field_bytes(2, v)) for k, v in (metadata or {}).items())
    return out + b"".join(field_bytes(25, f) for f in functions)


def mlp_weights(hidden: int = 8, seed: int = 0, dtype: DTypeLike = np.float32) -> dict[str, NDArray[Any]]:
    """Weights W1 [2, h], b1 [h], W2 [h, 1], b2 [1] of `mlp_model` with the same arguments."""
    rng = np.random.default_rng(seed)
    shapes = {"W1": (2, hidden), "b1": (hidden,), "W2": (hidden, 1), "b2": (1,)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def mlp_model(
    *,
    hidden: int = 8,
    seed: int = 0,
    dtype: DTypeLike = np.float32,
    metadata: Mapping[str, str] | None = None,
    input_name: str = "x",
    output_name: str = "y",
) -> bytes:
    """The model y = tanh(x W1 + b1) W2 + b2, x [M, 2], y [M, 1], batch M symbolic, as bytes of a model file."""
    nodes = [
        node("Gemm", [input_name, "W1", "b1"], ["z"], name="first"),
        node("Tanh", ["z"], ["a"], name="activation"),
        node("Gemm", ["a", "W2", "b2"], [output_name], name="second"),
    ]
    inputs, outputs = [value_info(input_name, dtype, ["M", 2])], [value_info(output_name, dtype, ["M", 1])]
    return model(graph(nodes, inputs, outputs, mlp_weights(hidden, seed, dtype), name="mlp"), metadata=metadata)
