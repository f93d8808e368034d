"""Reader of model files: the ONNX protobuf subset, bounds-checked, into the values of `onnxmodel`.

Graphs held by attributes are not read, so nesting never goes deeper than model, function, node, attribute, tensor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from .errors import ModelFileError
from .onnxcheck import distinct, runnable
from .onnxmodel import Function, Graph, Kind, Model, Node, NodeAttribute, Tensor, Value, ValueInfo
from .onnxtensor import element, read_tensor
from .protobuf import Message, scan

__all__ = ["Function", "Graph", "Model", "Node", "NodeAttribute", "Tensor", "ValueInfo", "model_hash", "parse"]

MAX_BYTES = 1 << 28
IR_VERSIONS = range(4, 15)
METADATA = 14
KINDS: dict[int, Kind] = {
    1: "float",
    2: "int",
    3: "string",
    4: "tensor",
    5: "graph",
    6: "floats",
    7: "ints",
    8: "strings",
}


def parse(data: bytes) -> Model:
    """The model in the bytes of a file; raises ModelFileError naming the node or field that is wrong."""
    if len(data) > MAX_BYTES:
        raise ModelFileError(f"model: expected at most {MAX_BYTES} bytes, got {len(data)}")
    message = Message(memoryview(data), "model")
    version = message.integer(1, "ir_version")
    if version not in IR_VERSIONS:
        known = f"{IR_VERSIONS.start} ... {IR_VERSIONS.stop - 1}"
        raise ModelFileError(f"model.ir_version: expected {known}, got {version}")
    graph = message.message(7, "graph")
    if graph is None:
        raise ModelFileError("model.graph: expected a graph, got none")
    functions = [_function(m) for m in message.messages(25, "functions")]
    distinct((f"{f.domain}.{f.name}" for f in functions), "model.functions")
    metadata = [(m.text(1, "key"), m.text(2, "value")) for m in message.messages(METADATA, "metadata_props")]
    distinct((key for key, _ in metadata), "model.metadata_props")
    return Model(
        ir_version=version,
        opsets=_opsets(message, 8),
        graph=_graph(graph),
        metadata=MappingProxyType(dict(metadata)),
        functions=MappingProxyType({(f.domain, f.name): f for f in functions}),
    )


def model_hash(data: bytes) -> str:
    """sha256 hex over the file without its top-level metadata_props.

    The bytes of every other top-level field are hashed as they lie in the file, in file order: the hash is stable under
    any change of metadata_props and defined by the file alone. Raises ModelFileError where the wire format is broken.
    """
    digest = hashlib.sha256()
    for entry in scan(memoryview(data), "model"):
        if entry.number != METADATA:
            digest.update(entry.raw)
    return digest.hexdigest()


def _opsets(owner: Message, number: int) -> MappingProxyType[str, int]:
    versions: dict[str, int] = {}
    for message in owner.messages(number, "opset_import"):
        domain = _domain(message.text(1, "domain"))
        if domain in versions:
            raise ModelFileError(f"{message.where}: expected each domain once, got {domain!r} again")
        versions[domain] = message.integer(2, "version")
    return MappingProxyType(versions)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _graph(message: Message) -> Graph:
    message.where = "graph"
    if message.has(15):
        raise ModelFileError("graph.sparse_initializer: expected dense initialisers, got sparse ones")
    tensors = [read_tensor(m) for m in message.messages(5, "initializer")]
    distinct((name for name, _ in tensors), "graph.initializer")
    nodes = tuple(_node(m) for m in message.messages(1, "node"))
    inputs = tuple(_value_info(m) for m in message.messages(11, "input"))
    outputs = tuple(_value_info(m) for m in message.messages(12, "output"))
    distinct((v.name for v in inputs), "graph.input")
    distinct((v.name for v in outputs), "graph.output")
    if not outputs:
        raise ModelFileError("graph.output: expected at least one output, got none")
    initializers = dict(tensors)
    # An input that has an initialiser is a constant here.
    inputs = tuple(v for v in inputs if v.name not in initializers)
    runnable([*initializers, *(v.name for v in inputs)], nodes, [v.name for v in outputs], "graph.output")
    return Graph(message.text(2, "name"), nodes, inputs, outputs, MappingProxyType(initializers))


def _function(message: Message) -> Function:
    name, domain = message.text(1, "name"), _domain(message.text(10, "domain"))
    where = message.where = f"function {domain}.{name}"
    if not name:
        raise ModelFileError(f"{where}.name: expected a name, got none")
    _no_overload(message, 13)
    inputs, outputs = message.texts(4, "input"), message.texts(5, "output")
    nodes = tuple(_node(m) for m in message.messages(7, "node"))
    distinct(inputs, f"{where}.input")
    runnable(inputs, nodes, outputs, f"{where}.output")
    required, defaults = message.texts(6, "attribute"), _attributes(message, 11)
    distinct((*required, *defaults), f"{where}.attribute")
    return Function(domain, name, inputs, outputs, required, defaults, nodes, _opsets(message, 9))


def _node(message: Message) -> Node:
    name, op_type = message.text(3, "name"), message.text(4, "op_type")
    label = message.where = f"{message.where} {name!r} ({op_type})"
    if not op_type:
        raise ModelFileError(f"{label}.op_type: expected an op, got none")
    _no_overload(message, 8)
    inputs, outputs, domain = message.texts(1, "input"), message.texts(2, "output"), _domain(message.text(7, "domain"))
    return Node(name, op_type, domain, inputs, outputs, _attributes(message, 5), label)


def _no_overload(message: Message, number: int) -> None:
    overload = message.text(number, "overload")
    if overload:
        raise ModelFileError(f"{message.where}.overload: expected none, got {overload!r}")


def _attributes(owner: Message, number: int) -> MappingProxyType[str, NodeAttribute]:
    found = [_attribute(m, owner.where) for m in owner.messages(number, "attribute")]
    distinct((a.name for a in found), f"{owner.where}.attribute")
    return MappingProxyType({a.name: a for a in found})


def _attribute(message: Message, owner: str) -> NodeAttribute:
    name, code = message.text(1, "name"), message.integer(20, "type")
    where = message.where = f"{owner}.attribute {name!r}"
    if code not in KINDS:
        raise ModelFileError(f"{where}.type: expected one of {', '.join(KINDS.values())}, got code {code}")
    kind, reference = KINDS[code], message.text(21, "ref_attr_name")
    value = None if reference or kind == "graph" else _attribute_value(message, kind)
    if kind in ("float", "floats") and value is not None and np.isnan(np.asarray(value, np.float64)).any():
        raise ModelFileError(f"{where}: expected numbers, got NaN")
    return NodeAttribute(name, kind, value, reference)


def _attribute_value(message: Message, kind: Kind) -> Value:
    if kind == "tensor":
        tensor = message.message(5, "t")
        if tensor is None:
            raise ModelFileError(f"{message.where}.t: expected a tensor, got none")
        return read_tensor(tensor)[1]
    readers: dict[str, Callable[[], Value]] = {
        "float": lambda: message.single(2, "f"),
        "int": lambda: message.integer(3, "i"),
        "string": lambda: message.text(4, "s"),
        "floats": lambda: tuple(message.reals(7, "floats", "<f4").tolist()),
        "ints": lambda: tuple(message.integers(8, "ints").tolist()),
        "strings": lambda: message.texts(9, "strings"),
    }
    return readers[kind]()


def _value_info(message: Message) -> ValueInfo:
    name = message.text(1, "name")
    where = message.where = f"{message.where} {name!r}"
    kind = message.message(2, "type")
    tensor = None if kind is None else kind.message(1, "tensor_type")
    if tensor is None:
        raise ModelFileError(f"{where}.type: expected a dense tensor, got another type or none")
    dtype = element(tensor.integer(1, "elem_type"), f"{where}.type")
    shape = tensor.message(2, "shape")
    return ValueInfo(name, dtype, None if shape is None else tuple(_dim(m) for m in shape.messages(1, "dim")))


def _dim(message: Message) -> int | str:
    if not message.has(1):
        return message.text(2, "dim_param")
    size = message.integer(1, "dim_value")
    if size < 0:
        raise ModelFileError(f"{message.where}: expected a size >= 0, got {size}")
    return size
