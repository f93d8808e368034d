"""Ops of the domain "edgepde" on their way to ONNX: what rooms declare, told to torch.onnx, written into the file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import onnx
import torch
from edgepde_runtime.errors import ModelFileError
from edgepde_runtime.ops.check import FAMILIES
from edgepde_runtime.ops.schema import Argument, Attribute, Op

DOMAIN = "edgepde"
VERSION = 1
SOFTPLUS_THRESHOLD = 20.0
_TENSOR_TYPES = {
    "float16": "tensor(float16)",
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "int32": "tensor(int32)",
    "int64": "tensor(int64)",
    "bool": "tensor(bool)",
}
_PYTHON_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "string": str,
    "ints": list[int],
    "floats": list[float],
    "strings": list[str],
}


def rooms_with_body() -> Iterator[tuple[Op, str]]:
    """(schema, text of the function body) of every room of our domain."""
    from edgepde_runtime.rooms import rooms

    for room in rooms().values():
        if room.op.domain == DOMAIN and room.body_text is not None:
            yield room.op, room.body_text


def translation_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Translations for torch.onnx.export: torch.ops.edgepde.<op>.default -> a node of ours, where torch has the op."""
    table: dict[Callable[..., Any], Callable[..., Any]] = {torch.ops.aten.softplus.default: _softplus}
    for op, _ in rooms_with_body():
        register_schema(op)
        torch_op = _torch_op(op.name)
        if torch_op is not None:
            table[torch_op] = _translation(op, torch_op)
    return table


def append_bodies(model: onnx.ModelProto) -> None:
    """Append the function body of every op of our domain the graph uses, at the model's own opset.

    Raises ModelFileError where a node of our domain has no room with a body, or a body does not parse.
    """
    used = {node.op_type for node in model.graph.node if node.domain == DOMAIN}
    texts = {op.name: text for op, text in rooms_with_body()}
    opset = next(entry.version for entry in model.opset_import if entry.domain == "")
    for name in sorted(used):
        if name not in texts:
            raise ModelFileError(f"op {DOMAIN}.{name}: expected a room with body.onnxtxt, found none")
        model.functions.append(_body(name, texts[name], opset))
    if used and all(entry.domain != DOMAIN for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, VERSION))


def register_schema(op: Op) -> None:
    """Make the op known to the onnx package, once per process."""
    if onnx.defs.has(op.name, VERSION, DOMAIN):
        return
    option = onnx.defs.OpSchema.FormalParameterOption
    letters = {a.element for a in (*op.inputs, *op.outputs)} - set(_TENSOR_TYPES)
    constraints = [(letter, _allowed(letter), f"the types {letter} stands for") for letter in sorted(letters)]

    def parameter(argument: Argument) -> onnx.defs.OpSchema.FormalParameter:
        kind = option.Variadic if argument.variadic else option.Optional if argument.optional else option.Single
        return onnx.defs.OpSchema.FormalParameter(
            argument.name, _TENSOR_TYPES.get(argument.element, argument.element), param_option=kind
        )

    schema = onnx.defs.OpSchema(
        op.name,
        DOMAIN,
        VERSION,
        inputs=[parameter(a) for a in op.inputs],
        outputs=[parameter(a) for a in op.outputs],
        type_constraints=constraints,
        attributes=[_attribute(a) for a in op.attributes],
    )
    onnx.defs.register_schema(schema)


def _allowed(letter: str) -> list[str]:
    return [_TENSOR_TYPES[dtype] for dtype in FAMILIES.get(letter, tuple(_TENSOR_TYPES))]


def _attribute(attribute: Attribute) -> onnx.defs.OpSchema.Attribute:
    kind = getattr(onnx.defs.OpSchema.AttrType, attribute.kind.upper())
    if attribute.default is None:
        return onnx.defs.OpSchema.Attribute(attribute.name, kind, required=not attribute.optional)
    value = list(attribute.default) if isinstance(attribute.default, tuple) else attribute.default
    return onnx.defs.OpSchema.Attribute(attribute.name, onnx.helper.make_attribute(attribute.name, value))


def _body(name: str, text: str, opset: int) -> onnx.FunctionProto:
    try:
        body = onnx.parser.parse_function(text)
    except onnx.parser.ParseError as error:
        raise ModelFileError(f"op {DOMAIN}.{name}: body.onnxtxt does not parse: {error}") from error
    if (body.domain, body.name) != (DOMAIN, name):
        raise ModelFileError(f"op {DOMAIN}.{name}: body.onnxtxt defines {body.domain}.{body.name}")
    for entry in body.opset_import:
        if entry.domain == "":
            entry.version = opset
    return body


def _softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + exp(beta x)) / beta as one smooth node: torch.onnx would jump to x where beta x > threshold."""
    from onnxscript import opset20 as op

    if threshold < SOFTPLUS_THRESHOLD:
        return op.Where(x * beta > threshold, x, op.Softplus(x * beta) / beta)
    return op.Softplus(x) if beta == 1.0 else op.Softplus(x * beta) / beta


def _torch_op(name: str) -> Any | None:
    try:
        return getattr(torch.ops.edgepde, name).default
    except AttributeError:
        return None


def _translation(op: Op, torch_op: Any) -> Callable[..., Any]:
    """A plain function with the torch op's parameters that emits one node; the room says which are attributes."""
    from onnxscript.values import Opset

    node = Opset(DOMAIN, VERSION)[op.name]
    kinds = {attribute.name: attribute.kind for attribute in op.attributes}
    names = [argument.name for argument in torch_op._schema.arguments]
    unknown = set(names) - set(kinds) - {argument.name for argument in op.inputs}
    if unknown:
        raise ModelFileError(f"op {DOMAIN}.{op.name}: torch declares {sorted(unknown)}, schema.py does not")

    def translate(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(names, args, strict=False)) | kwargs
        inputs = [given.get(argument.name) for argument in op.inputs]
        while inputs and inputs[-1] is None:
            inputs.pop()
        return node(*inputs, **{k: v for k, v in given.items() if k in kinds and v is not None})

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = []
    for argument in torch_op._schema.arguments:
        default = argument.default_value if argument.has_default_value() else inspect.Parameter.empty
        parameters.append(inspect.Parameter(argument.name, positional, default=default))
    translate.__name__ = op.name
    translate.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    translate.__annotations__ = {name: _PYTHON_TYPES[kinds[name]] for name in names if name in kinds}
    return translate
