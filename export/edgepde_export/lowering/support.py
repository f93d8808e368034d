"""Whether the runtime can run a graph: every node needs a room, and tensors of the types that room takes."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import onnx
import onnx.numpy_helper
from edgepde_runtime.errors import EdgePDEError, UnsupportedModel
from edgepde_runtime.ops.check import FAMILIES, arguments, complete
from edgepde_runtime.ops.schema import Argument, Op
from edgepde_runtime.rooms import required_room

from .graph import describe

DTYPES = ("float32", "float64", "int32", "int64", "bool")


def origins(model: onnx.ModelProto) -> dict[str, str]:
    """Output name of each node -> the torch module it came from, in words; before simplification and cleaning."""
    found = {}
    for node in model.graph.node:
        notes = {entry.key: entry.value for entry in node.metadata_props}
        paths = _strings(notes.get("pkg.torch.onnx.name_scopes"))
        kinds = _strings(notes.get("pkg.torch.onnx.class_hierarchy"))
        if len(paths) >= 2 and len(kinds) == len(paths):
            found.update({name: describe(paths[-2], kinds[-2]) for name in node.output})
    return found


def check_supported(model: onnx.ModelProto, origin: Mapping[str, str] | None = None) -> None:
    """Raises UnsupportedModel naming module path, node and op of the first node the runtime has no room for."""
    dtypes = _dtypes(model)
    for node in model.graph.node:
        where = f"node {node.name or node.output[0]} ({node.domain + '.' if node.domain else ''}{node.op_type})"
        came_from = next((origin[name] for name in node.output if origin and name in origin), None)
        where = f"{came_from}: {where}" if came_from else where
        try:
            op = required_room("" if node.domain == "ai.onnx" else node.domain, node.op_type).op
        except UnsupportedModel as error:
            raise UnsupportedModel(f"{where}: {error}") from None
        _check_fits(node, op, dtypes, where)
    _check_loads(model)


def _strings(text: str | None) -> list[str]:
    try:
        value = ast.literal_eval(text or "[]")
    except (ValueError, SyntaxError):
        return []
    return [str(item) for item in value] if isinstance(value, list) else []


def _dtypes(model: onnx.ModelProto) -> dict[str, int]:
    graph = model.graph
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.output, *graph.value_info, *inferred.value_info)
    dtypes = {value.name: value.type.tensor_type.elem_type for value in values}
    return dtypes | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _check_fits(node: onnx.NodeProto, op: Op, dtypes: Mapping[str, int], where: str) -> None:
    try:
        complete(op, {attribute.name: _value(attribute) for attribute in node.attribute})
        made = [op.outputs[min(i, len(op.outputs) - 1)] for i in range(len(node.output))]
        declared = [*arguments(op.inputs, len(node.input)), *made]
        for argument, name in zip(declared, (*node.input, *node.output), strict=True):
            if name and name in dtypes:
                _check_element(argument, dtypes[name])
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{where}: {error}") from None


def _value(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else value


def _check_element(argument: Argument, dtype: int) -> None:
    got = onnx.helper.tensor_dtype_to_np_dtype(dtype).name
    if argument.element in ("V", "any"):
        allowed: tuple[str, ...] = DTYPES
    else:
        allowed = FAMILIES.get(argument.element, (argument.element,))
    if got not in allowed:
        raise UnsupportedModel(f"{argument.name} expected {' or '.join(allowed)}, got {got}")


def _check_loads(model: onnx.ModelProto) -> None:
    """The runtime's own reader has the last word."""
    from edgepde_runtime.backends.reference import load

    try:
        load(model.SerializeToString(deterministic=True))
    except EdgePDEError as error:
        raise UnsupportedModel(f"the runtime cannot read the graph: {error}") from error
