"""From a model file to steps: constants folded, free sizes followed, every node through its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from edgepde_runtime.errors import EdgePDEError, UnsupportedModel
from edgepde_runtime.onnxmodel import Graph, Model, Node, NodeAttribute, ValueInfo
from edgepde_runtime.ops.check import complete
from edgepde_runtime.rooms import Room, required_room

from .building import Builder, Call
from .dims import Shape, dim, evaluate, features, spelled, stand_ins, symbols
from .operations import Operation
from .packed import packed
from .rules import rule_for
from .value import STORED, Store, Value, code_of, constant

LARGEST_FOLDED = 1 << 24
# What keeps products of free sizes products: ops whose inputs may all be such, and those of which the first may.
_PRODUCTS = {"Concat", "Mul"}
_MOVES = {"Cast", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}


@dataclass(frozen=True)
class Traced:
    """A graph as steps: `symbols` in order of the inputs, `lane` the one whose rows lie side by side, or None."""

    symbols: tuple[str, ...]
    lane: str | None
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    operations: tuple[Operation, ...]

    @property
    def outer(self) -> tuple[str, ...]:
        """Symbols that are looped over around the tiles, one row at a time."""
        return tuple(s for s in self.symbols if s != self.lane)


def trace(model: Model) -> Traced:
    """The steps of a model's graph; raises UnsupportedModel naming the node that the C99 target cannot take."""
    graph = model.graph
    words = {info.name for info in (*graph.inputs, *graph.outputs)}
    shapes = {info.name: _shape(info, words) for info in graph.inputs}
    names = tuple(dict.fromkeys(s for shape in shapes.values() for s in symbols(shape)))
    solved = _solved(graph, shapes)
    free = [s for s in names if s not in solved]
    lane = _inner(free, graph, words)
    builder = Builder(stand_ins(names), lane)
    values: dict[str, Value] = {}
    for info in graph.inputs:
        shape = shapes[info.name]
        code = STORED.get(info.dtype.name if not symbols(shape) else "") or code_of(info.dtype, f"input {info.name!r}")
        varying = lane in symbols(shape)
        values[info.name] = Value(Store("input", code, features(shape), varying, info.name), shape)
    inputs = dict(values)
    values |= {name: constant(np.asarray(data), name) for name, data in graph.initializers.items()}
    for node in graph.nodes:
        _step(node, values, builder)
    outputs = {info.name: _output(info, values[info.name], builder) for info in graph.outputs}
    return Traced(names, lane, inputs, outputs, tuple(builder.operations))


def _shape(info: ValueInfo, words: set[str]) -> Shape:
    """The shape of an input; a symbol that is called as one of `words` gets a name of its own."""
    if info.shape is None or any(size == "" for size in info.shape):
        raise UnsupportedModel(f"input {info.name!r}: expected a size or a symbol for every dimension")
    shape = tuple(dim(_apart(size, words) if isinstance(size, str) else size) for size in info.shape)
    if features(shape) == 0:
        raise UnsupportedModel(f"input {info.name!r}: expected sizes above 0, got {list(info.shape)}")
    return shape


def _apart(symbol: str, words: set[str]) -> str:
    while symbol in words:
        symbol += "_size"
    return symbol


def _solved(graph: Graph, shapes: Mapping[str, Shape]) -> set[str]:
    """Symbols of inputs that reach a solver row by row: those loop around the tiles."""
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op_type == "gauss_newton_solve" or wanted & set(node.outputs):
            wanted |= set(node.inputs)
    return {s for name, shape in shapes.items() if name in wanted for s in symbols(shape)}


def _inner(free: list[str], graph: Graph, words: set[str]) -> str | None:
    """The symbol whose rows lie innermost in outputs that have several, else the last."""
    named = [[_apart(s, words) for s in info.shape or () if isinstance(s, str)] for info in graph.outputs]
    shapes = [[s for s in shape if s in free] for shape in named]
    return str(next((s[-1] for s in shapes if len(s) > 1), free[-1])) if free else None


def _output(info: ValueInfo, value: Value, builder: Builder) -> Value:
    if value.sized or features(value.shape) == 0:
        raise UnsupportedModel(f"output {info.name!r}: expected numbers, got sizes or nothing ({spelled(value.shape)})")
    return value if value.apart is None else builder.copied(f"output {info.name!r}", value, value.shape)


def _step(node: Node, values: dict[str, Value], builder: Builder) -> None:
    try:
        room = required_room(node.domain, node.op_type)
        attributes = complete(room.op, {a.name: _plain(a) for a in node.attributes.values()})
        inputs = tuple(values[name] if name else None for name in node.inputs)
        folded = _folded(room, attributes, inputs, builder)
        results = folded or rule_for(room)(Call(room, attributes, inputs, node.label), builder)
        if missing := [name for name in node.outputs[len(results) :] if name]:
            raise UnsupportedModel(f"expected {len(results)} outputs for the C99 target, got {missing[0]!r} besides")
    except EdgePDEError as error:
        raise type(error)(f"{node.label}: {error}") from error
    for name, value in zip(node.outputs, results, strict=False):
        values[name] = value


def _plain(attribute: NodeAttribute) -> Any:
    if attribute.reference or attribute.kind == "graph":
        raise UnsupportedModel(f"attribute {attribute.name!r} is not a value")
    return attribute.value


def _folded(
    room: Room, attributes: Mapping[str, Any], inputs: tuple[Value | None, ...], builder: Builder
) -> tuple[Value, ...] | None:
    """The outputs of a node whose inputs are known, None where they are not; sizes count as known."""
    if (room.op.domain, room.op.name) == ("", "Shape"):
        return (_sizes(inputs[0], attributes, builder),)
    given = [v for v in inputs if v is not None]
    if any(v.data is None for v in given):
        return None
    sized = any(v.sized for v in given)
    moved = room.op.name in _MOVES and not any(v.sized for v in given[1:])
    if sized and not moved and room.op.name not in _PRODUCTS:
        return None
    if any(v.shape != tuple(dim(n) for n in v.data.shape) for v in given if v.data is not None):
        return None
    results = room.run([None if v is None else v.data for v in inputs], attributes)
    if sized and any(y.dtype != np.int64 for y in results):
        raise UnsupportedModel("a free size is used as a number, which the C99 target does not support")
    if sum(y.size for y in results) > LARGEST_FOLDED:
        raise UnsupportedModel(f"expected constants of at most {LARGEST_FOLDED} elements")
    made = tuple(constant(np.asarray(y), sized=sized) for y in results)
    if len(made) == 1:
        made[0].store.packed = packed(room.op.name, given, made[0])
    return made


def _sizes(x: Value | None, attributes: Mapping[str, Any], builder: Builder) -> Value:
    if x is None:
        raise UnsupportedModel("input 'data' is missing")
    end = attributes.get("end")
    part = x.shape[slice(int(attributes.get("start") or 0), None if end is None else int(end))]
    return constant(np.array(evaluate(part, builder.stand_ins), np.int64), sized=bool(symbols(part)))
