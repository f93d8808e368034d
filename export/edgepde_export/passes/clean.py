"""Cleaning: a graph whose bytes depend on the mathematics alone, not on the machine or process that wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import onnx
from onnx import numpy_helper

PRODUCER = "edgepde"


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with names by position, attributes in order, and no documentation, metadata, producer or paths.

    Names of inputs, outputs and functions stay, and so do names of weights that torch gave.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    out.producer_name, out.producer_version, out.model_version = PRODUCER, "", 0
    out.domain = ""
    out.graph.name = PRODUCER
    _strip(out)
    del out.metadata_props[:]
    _order_initializers(out.graph)
    fixed = {value.name for value in (*out.graph.input, *out.graph.output)}
    _rename(out.graph, {name: name for name in fixed}, _Names(fixed))
    for nodes in (out.graph.node, *(f.node for f in out.functions)):
        _order_attributes(nodes)
    functions = sorted(out.functions, key=lambda f: (f.domain, f.name))
    opsets = sorted(out.opset_import, key=lambda entry: entry.domain)
    del out.functions[:], out.opset_import[:]
    out.functions.extend(functions)
    out.opset_import.extend(opsets)
    return out


def serialize(model: onnx.ModelProto) -> bytes:
    """The model's bytes, map entries in a fixed order."""
    return model.SerializeToString(deterministic=True)


def _strip(message: object) -> None:
    """Empty doc_string and metadata_props everywhere below, and the values torch and onnxsim infer."""
    if isinstance(message, onnx.GraphProto | onnx.FunctionProto):
        del message.value_info[:]
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        if field.name in {"doc_string", "metadata_props"}:
            message.ClearField(field.name)  # type: ignore[attr-defined]
        elif field.message_type is not None:
            for part in value if isinstance(value, Iterable) else (value,):
                _strip(part)


def _order_initializers(graph: onnx.GraphProto) -> None:
    """Initializers in the order of first use, unused ones dropped, values as raw bytes."""
    used = [name for node in graph.node for name in (*node.input, *_captured(node))]
    used += [value.name for value in graph.output]
    by_name = {tensor.name: tensor for tensor in graph.initializer}
    kept = [by_name[name] for name in dict.fromkeys(used) if name in by_name]
    tensors = [numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name) for tensor in kept]
    del graph.initializer[:]
    graph.initializer.extend(tensors)


def _captured(node: onnx.NodeProto) -> list[str]:
    inner = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return [name for graph in inner for child in graph.node for name in (*child.input, *_captured(child))]


class _Names:
    """Fresh names that avoid the graph's own inputs and outputs."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._next: Counter[str] = Counter()

    def fresh(self, stem: str) -> str:
        while True:
            name = f"{stem}{self._next[stem]}"
            self._next[stem] += 1
            if name not in self._taken:
                return name


def _rename(graph: onnx.GraphProto, known: dict[str, str], names: _Names) -> None:
    """Values become v0, v1, ..., constants without a module's name c0, c1, ..., nodes Op_0, ...; `known` is outside."""
    known = dict(known)
    for tensor in graph.initializer:
        if tensor.name not in known:
            known[tensor.name] = tensor.name if "." in tensor.name else names.fresh("c")
        tensor.name = known[tensor.name]
    for value in graph.input:
        if value.name not in known:
            known[value.name] = names.fresh("v")
        value.name = known[value.name]
    for node in graph.node:
        node.name = names.fresh(f"{node.op_type}_")
        for k, name in enumerate(node.input):
            node.input[k] = known.get(name, name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                attribute.g.name = f"{node.name}_{attribute.name}"
                _rename(attribute.g, known, names)
        for k, name in enumerate(node.output):
            if name and name not in known:
                known[name] = names.fresh("v")
            node.output[k] = known.get(name, name)
    for value in graph.output:
        value.name = known[value.name]


def _order_attributes(nodes: Iterable[onnx.NodeProto]) -> None:
    for node in nodes:
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _order_attributes(attribute.g.node)
