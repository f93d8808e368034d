"""Whether the runtime can run a graph: every node needs a room, and tensors of the types that room takes."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import onnx
from edgepde_runtime.errors import EdgePDEError, UnsupportedModel
from edgepde_runtime.ops.schema import Argument, Op

from .graph import describe

_DTYPES = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.DOUBLE: "float64",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
}


def origins(model: onnx.ModelProto) -> dict[str, str]:
    """Output name of each node -> the torch module it came from, as messages say it; before simplification and cleaning."""
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
    ops = _known()
    dtypes = _dtypes(model)
    for node in model.graph.node:
        where = f"node {node.name or node.output[0]} ({node.domain + '.' if node.domain else ''}{node.op_type})"
        came_from = next((origin[name] for name in node.output if origin and name in origin), None)
        where = f"{came_from}: {where}" if came_from else where
        op = ops.get((node.domain if node.domain != "ai.onnx" else "", node.op_type))
        if op is None:
            raise UnsupportedModel(f"{where}: the runtime has no such op")
        _check_attributes(node, op, where)
        _check_dtypes(node, op, dtypes, where)
    _check_loads(model)


def _known() -> dict[tuple[str, str], Op]:
    from edgepde_runtime.rooms import rooms

    return {(room.op.domain, room.op.name): room.op for room in rooms().values()}


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


def _check_attributes(node: onnx.NodeProto, op: Op, where: str) -> None:
    known = {attribute.name for attribute in op.attributes}
    for attribute in node.attribute:
        if attribute.name not in known:
            raise UnsupportedModel(f"{where}: attribute {attribute.name} is not supported, known are {sorted(known)}")


def _check_dtypes(node: onnx.NodeProto, op: Op, dtypes: Mapping[str, int], where: str) -> None:
    for i, name in enumerate(node.input):
        argument = op.inputs[min(i, len(op.inputs) - 1)] if op.inputs else None
        if argument is None or (i >= len(op.inputs) and not argument.variadic):
            raise UnsupportedModel(f"{where}: expected {len(op.inputs)} inputs, got {len(node.input)}")
        if name and name in dtypes:
            _check_element(argument, dtypes[name], where)
    for argument, name in zip(op.outputs, node.output, strict=False):
        if name and name in dtypes:
            _check_element(argument, dtypes[name], where)


def _check_element(argument: Argument, dtype: int, where: str) -> None:
    allowed = {"T": {"float32", "float64"}, "any": set(_DTYPES.values())}.get(argument.element, {argument.element})
    got = _DTYPES.get(dtype, onnx.TensorProto.DataType.Name(dtype).lower())
    if got not in allowed:
        raise UnsupportedModel(f"{where}: {argument.name} expected {' or '.join(sorted(allowed))}, got {got}")


def _check_loads(model: onnx.ModelProto) -> None:
    """The runtime's own reader has the last word."""
    from edgepde_runtime.backends import reference

    try:
        reference.load(model.SerializeToString(deterministic=True))
    except EdgePDEError as error:
        raise UnsupportedModel(f"the runtime cannot read the graph: {error}") from error
