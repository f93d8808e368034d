"""A graph or function body made ready to run: every node bound to its room, every value freed after its last use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgePDEError, ModelFileError, UnsupportedModel
from ..onnxmodel import Function, Model, Node, NodeAttribute
from ..ops.check import arguments, complete
from ..rooms import Room, required_room, room_for

Array = NDArray[Any]
NEWEST_OPSETS = {"": 23, "edgepde": 1}
MAX_STEPS = 1 << 16
MAX_DEPTH = 16


@dataclass(frozen=True)
class Step:
    """One node: what it calls, and the values nobody reads after it."""

    node: Node
    call: Room | Program
    attributes: Mapping[str, Any]
    freed: tuple[str, ...]

    def run(self, inputs: Sequence[Array | None]) -> Sequence[Array]:
        """The node's outputs; every failure names the node and what came in."""
        try:
            if isinstance(self.call, Program):
                return self.call.run(inputs)
            return [np.asarray(y) for y in self.call.run(inputs, self.attributes)]
        except EdgePDEError as error:
            raise type(error)(f"{self.node.label}: {error}") from error
        except (ArithmeticError, IndexError, MemoryError, TypeError, ValueError) as error:
            came = ", ".join("none" if x is None else f"{x.dtype}{list(x.shape)}" for x in inputs)
            raise ModelFileError(f"{self.node.label}: inputs {came}: {error}") from error


@final
class Program:
    """Steps in order, from positional inputs to positional outputs."""

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str], steps: Sequence[Step], where: str) -> None:
        self.inputs, self.outputs, self.steps, self.where = inputs, outputs, steps, where

    def run(self, inputs: Sequence[Array | None], constants: Mapping[str, Array] | None = None) -> list[Array]:
        """The outputs; raises ModelFileError or UnsupportedModel naming the node that cannot be evaluated."""
        values: dict[str, Array | None] = dict(constants or {})
        values.update(dict.fromkeys(self.inputs))
        values.update(zip(self.inputs, inputs, strict=False))
        for step in self.steps:
            results = step.run([values[name] if name else None for name in step.node.inputs])
            if len(results) < len(step.node.outputs):
                raise ModelFileError(
                    f"{step.node.label}: expected {len(step.node.outputs)} outputs, got {len(results)}"
                )
            values.update((n, y) for n, y in zip(step.node.outputs, results, strict=False) if n)
            for name in step.freed:
                del values[name]
        found = [values[name] for name in self.outputs]
        absent = [name for name, y in zip(self.outputs, found, strict=True) if y is None]
        if absent:
            raise ModelFileError(f"{self.where}: expected output {absent[0]!r}, got an absent input")
        return [y for y in found if y is not None]


@final
class Compiler:
    """Binds nodes to rooms, and calls of the model's own functions without a room to their bodies."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._steps = 0

    def graph(self) -> Program:
        """The program of the main graph; raises UnsupportedModel naming the first node that cannot be run."""
        graph = self._model.graph
        names = [v.name for v in graph.inputs], [v.name for v in graph.outputs]
        return self._program(*names, graph.nodes, self._model.opsets, where="graph")

    def _program(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        nodes: Sequence[Node],
        opsets: Mapping[str, int],
        *,
        where: str,
        callers: tuple[tuple[str, str], ...] = (),
    ) -> Program:
        bound = [self._bind(node, opsets, callers) for node in nodes]
        last = {name: i for i, node in enumerate(nodes) for name in (*node.outputs, *node.inputs) if name}
        kept = {*outputs, ""}
        steps = []
        for i, (node, (call, attributes)) in enumerate(zip(nodes, bound, strict=True)):
            names = dict.fromkeys((*node.inputs, *node.outputs))
            freed = tuple(n for n in names if n not in kept and last[n] == i)
            steps.append(Step(node, call, attributes, freed))
        return Program(inputs, outputs, steps, where)

    def _bind(
        self, node: Node, opsets: Mapping[str, int], callers: tuple[tuple[str, str], ...]
    ) -> tuple[Room | Program, Mapping[str, Any]]:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise UnsupportedModel(f"{node.label}: expected at most {MAX_STEPS} nodes in all, functions unfolded")
        try:
            function = self._model.functions.get((node.domain, node.op_type))
            if function is not None and room_for(node.domain, node.op_type) is None:
                return self._call(node, function, callers), {}
            room = required_room(node.domain, node.op_type)
            _check_version(room, opsets)
            arguments(room.op.inputs, len(node.inputs))
            if not 0 < len(node.outputs) <= len(room.op.outputs) and not room.op.outputs[-1].variadic:
                raise UnsupportedModel(f"expected 1 to {len(room.op.outputs)} outputs, got {len(node.outputs)}")
            return room, complete(room.op, {a.name: _plain(a) for a in node.attributes.values()})
        except EdgePDEError as error:
            raise type(error)(f"{node.label}: {error}") from error

    def _call(self, node: Node, function: Function, callers: tuple[tuple[str, str], ...]) -> Program:
        key = (function.domain, function.name)
        if key in callers or len(callers) >= MAX_DEPTH:
            raise UnsupportedModel(f"expected functions that do not call themselves, at most {MAX_DEPTH} deep")
        if len(node.inputs) > len(function.inputs) or len(node.outputs) > len(function.outputs):
            raise UnsupportedModel(
                f"expected at most {len(function.inputs)} inputs and {len(function.outputs)} outputs, "
                f"got {len(node.inputs)} and {len(node.outputs)}"
            )
        given = {**function.defaults, **node.attributes}
        missing = set(function.attributes) - set(given)
        unknown = set(given) - set(function.attributes) - set(function.defaults)
        if missing or unknown:
            raise UnsupportedModel(f"expected attributes {sorted(function.attributes)}, got {sorted(given)}")
        nodes = [_substituted(n, given) for n in function.nodes]
        names = function.inputs, function.outputs
        where = f"function {function.domain}.{function.name}"
        return self._program(*names, nodes, function.opsets, where=where, callers=(*callers, key))


def _check_version(room: Room, opsets: Mapping[str, int]) -> None:
    domain, version = room.op.domain, opsets.get(room.op.domain)
    newest = NEWEST_OPSETS[domain]
    if version is None or not room.op.since <= version <= newest:
        name = domain or "ai.onnx"
        raise UnsupportedModel(f"expected opset {room.op.since} ... {newest} of domain {name}, got {version or 'none'}")


def _plain(attribute: NodeAttribute) -> Any:
    if attribute.reference:
        raise UnsupportedModel(f"attribute {attribute.name!r} refers to {attribute.reference!r} of no function")
    if attribute.kind == "graph":
        raise UnsupportedModel(f"attribute {attribute.name!r} is a graph")
    return attribute.value


def _substituted(node: Node, given: Mapping[str, NodeAttribute]) -> Node:
    """The node with references to the function's attributes replaced; one the caller left out is absent."""
    attributes = {}
    for name, attribute in node.attributes.items():
        if not attribute.reference:
            attributes[name] = attribute
        elif attribute.reference in given:
            value = given[attribute.reference]
            attributes[name] = NodeAttribute(name, value.kind, value.value, value.reference)
    return Node(node.name, node.op_type, node.domain, node.inputs, node.outputs, attributes, node.label)
