"""The ONNX graph that ships, of one input [M, d], as a network of the certificate with the constants it stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.errors import EdgePDEError, UnsupportedModel
from edgepde_runtime.onnxmodel import Graph, Model, Node, NodeAttribute, ValueInfo
from edgepde_runtime.ops.check import complete
from edgepde_runtime.rooms import Room, required_room
from numpy.typing import NDArray

from .building import Builder, Value
from .graph_rules import rule_for
from .graph_rules._call import Call, Known
from .network import Network

PROBES = 5
AGREEMENT = 1e-9
# Ops whose result has sizes of an input but no number from them: which input alone can bring such a number in.
_SIZED_BY = {"ConstantOfShape": (), "Expand": (0,), "Reshape": (0,), "Slice": (0,), "Tile": (0,)}

# Ops that make numbers of their constants, rounded to the graph's type: in float64 they make slightly others.
_MADE_OF_CONSTANTS, SLIGHTLY = frozenset({"BatchNormalization"}), 1e-4


def from_graph(graph: Graph | Model, d: int | None = None, output: str | None = None) -> Network:
    """The network of a graph that maps its only input [M, d] to one output [M, ...], row by row.

    Constants are the stored ones; those computed from them by single IEEE operations are what a device computes.
    Raises UnsupportedModel naming the first node that has no rule, or where rows depend on each other.
    """
    graph = graph.graph if isinstance(graph, Model) else graph
    name = _output(graph, output)
    reader = _Reader(graph, name, _columns(graph, d))
    made = reader.network(name)
    _check_rows(reader, made, name)
    return made


def _output(graph: Graph, name: str | None) -> str:
    names = [info.name for info in graph.outputs]
    if name is None and len(names) != 1:
        raise UnsupportedModel(f"graph.output: expected one output, got {', '.join(names)}")
    if name is not None and name not in names:
        raise UnsupportedModel(f"graph.output: expected one of {', '.join(names)}, got {name!r}")
    return names[0] if name is None else name


def _columns(graph: Graph, d: int | None) -> int:
    if len(graph.inputs) != 1:
        raise UnsupportedModel(f"graph.input: expected one input, got {', '.join(i.name for i in graph.inputs)}")
    info: ValueInfo = graph.inputs[0]
    shape = info.shape or ()
    fits = len(shape) == 2 and (isinstance(shape[0], str) or shape[0] == 1) and info.dtype.kind == "f"
    columns = shape[1] if fits and isinstance(shape[1], int) else d
    if not fits or columns is None or columns < 1 or d not in (None, columns):
        wanted = f"floats [M, {'d' if d is None else d}]"
        raise UnsupportedModel(f"input {info.name!r}: expected {wanted}, got {info.dtype}{list(shape)}")
    return columns


@final
class _Reader:
    """Walks the nodes an output needs, the batch being one row; holds what every name stands for.

    moving: names of what is made of the input, were it only its size. makers: see `_makers`.
    """

    def __init__(self, graph: Graph, output: str, d: int) -> None:
        self.graph = graph
        self.builder = Builder(d)
        self.dtype = graph.inputs[0].dtype
        self.nodes = _needed(graph, output)
        self.values: dict[str, Value | Known | None] = {"": None, graph.inputs[0].name: self.builder.input}
        self.moving = {graph.inputs[0].name}
        self.makers = _makers(graph)
        self.values |= {n: Known(np.asarray(x)) for n, x in graph.initializers.items()}

    def network(self, output: str) -> Network:
        """The network whose output is the value of that name."""
        for node in self.nodes:
            self._step(node)
        value = self.values[output]
        if not isinstance(value, Value):
            raise UnsupportedModel(f"output {output!r}: expected a function of the input, got a constant")
        return self.builder.network(value)

    def _step(self, node: Node) -> None:
        self.builder.here = node.label
        try:
            room = required_room(node.domain, node.op_type)
            attributes = complete(room.op, {a.name: _plain(a) for a in node.attributes.values()})
        except EdgePDEError as error:
            raise UnsupportedModel(f"{node.label}: {error}") from error
        inputs = tuple(self.values[name] for name in node.inputs)
        folded = None if any(isinstance(v, Value) for v in inputs) else self._folded(node, room, attributes)
        makers = [self.makers.get(name, "") for name in node.inputs]
        call = Call(room, attributes, inputs, self.dtype, node, makers)
        results = folded or rule_for(room, node.label)(call, self.builder)
        self.values.update((n, y) for n, y in zip(node.outputs, results, strict=False) if n)
        if self.moving & set(node.inputs):
            self.moving.update(n for n in node.outputs if n)

    def _folded(self, node: Node, room: Room, attributes: Mapping[str, Any]) -> list[Known]:
        """The outputs of a node whose inputs are constants, by the op's own definition."""
        given = [v if isinstance(v, Known) else None for v in (self.values[n] for n in node.inputs)]
        try:
            results = room.run([None if v is None else v.data for v in given], attributes)
        except (EdgePDEError, ArithmeticError, IndexError, MemoryError, TypeError, ValueError) as error:
            raise UnsupportedModel(f"{node.label}: {error}") from error
        if any(np.asarray(y).dtype.kind == "f" for y in results) and not _single_rounding(room):
            raise self.builder.refuse("constants expected from single IEEE operations; other ops differ by device")
        counts = _SIZED_BY.get(room.op.name, range(len(given)))
        sized = any(v is not None and v.sized for i, v in enumerate(given) if i in counts)
        return [Known(np.asarray(y), sized) for y in results]


def _single_rounding(room: Room) -> bool:
    """Whether IEEE arithmetic decides an op's floats: at most one rounding each, nothing summed or looked up."""
    r = room.rounding
    return r.roundings <= 1 and r.ulps == 0.0 and r.own_ulps is None and not (r.reduction or r.settled_by)


def _makers(graph: Graph) -> dict[str, str]:
    """By name the op that makes a value which one node alone reads."""
    read = Counter([name for node in graph.nodes for name in node.inputs] + [info.name for info in graph.outputs])
    return {name: node.op_type for node in graph.nodes for name in node.outputs if read[name] == 1}


def _needed(graph: Graph, output: str) -> list[Node]:
    wanted, found = {output}, []
    for node in reversed(graph.nodes):
        if wanted & set(node.outputs):
            found.append(node)
            wanted |= set(node.inputs)
    return found[::-1]


def _plain(attribute: NodeAttribute) -> Any:
    if attribute.reference or attribute.kind == "graph":
        raise UnsupportedModel(f"attribute {attribute.name!r} is not a value")
    return attribute.value


def _check_rows(reader: _Reader, made: Network, output: str) -> None:
    """Compares the network with the graph's own definition in float64, several rows at once where it takes them."""
    x = torch.rand(PROBES, made.dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = made(x).numpy()
    one = (reader.graph.inputs[0].shape or ("",))[0] == 1
    parts = np.split(x.numpy(), PROBES) if one else [x.numpy()]
    theirs = np.concatenate([_evaluated(reader, part)[output].ravel() for part in parts])
    made_of = reader.dtype != np.float64 and any(node.op_type in _MADE_OF_CONSTANTS for node in reader.nodes)
    within = SLIGHTLY if made_of else AGREEMENT
    scale = within * (1.0 + np.max(np.abs(ours), initial=0.0, where=np.isfinite(ours)))
    if theirs.size != ours.size or not np.allclose(ours, theirs.reshape(ours.shape), within, scale, equal_nan=True):
        raise UnsupportedModel("graph: expected rows to be mapped one by one, got other values for a batch of rows")


def _evaluated(reader: _Reader, x: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    values: dict[str, NDArray[Any] | None] = {"": None, reader.graph.inputs[0].name: x}
    values |= {n: _wide(v.data) for n, v in reader.values.items() if isinstance(v, Known) and n not in reader.moving}
    for node in reader.nodes:
        if all(n in values for n in node.outputs):
            continue
        if node.op_type == "Cast" and isinstance(reader.values[node.inputs[0]], Value):
            values[node.outputs[0]] = values[node.inputs[0]]
            continue
        room = required_room(node.domain, node.op_type)
        try:
            results = room.run([values[n] for n in node.inputs], {a.name: a.value for a in node.attributes.values()})
        except (EdgePDEError, ArithmeticError, IndexError, MemoryError, TypeError, ValueError) as error:
            raise UnsupportedModel(f"{node.label}: several rows at once: {error}") from error
        values.update((n, _wide(np.asarray(y))) for n, y in zip(node.outputs, results, strict=False) if n)
    return {n: v for n, v in values.items() if v is not None}


def _wide(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float64) if values.dtype.kind == "f" else values
