"""block_low_rank_apply in standard nodes: groups of like size, padded with zeros, are one batched MatMul."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import onnx
from edgepde_runtime.blocks import PackedBlocks
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
# What a further MatMul with its nodes costs, in numbers that could be read meanwhile.
NODE_COST = 30_000


@final
@dataclass(frozen=True)
class Group:
    """Some entries read, a factor [entries, size], and where the results go."""

    reads: NDArray[np.int64]
    factor: Array
    place: int


@final
@dataclass
class Nodes:
    """The nodes and constants so far; names begin with `prefix`. many: rows of x share the factors of one product."""

    prefix: str
    many: bool
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    @property
    def axis(self) -> int:
        """Where the entries of a row lie: behind its number, or before it where there are many."""
        return 0 if self.many else 1

    def constant(self, value: Array) -> str:
        """The name of a constant."""
        name = f"{self.prefix}_c{len(self.constants)}"
        self.constants[name] = value
        return name

    def node(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """The name of a node's output."""
        made = output or f"{self.prefix}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, list(inputs), [made], name=f"{self.prefix}_{len(self.nodes)}n", **attributes)
        )
        return made

    def shaped(self, x: str, *sizes: int) -> str:
        """x with another shape, as Reshape has it: 0 keeps a size, -1 is what is left."""
        return self.node("Reshape", x, self.constant(np.array(sizes, np.int64)))


def block_nodes(
    blocks: PackedBlocks, x: str, y: str, prefix: str, *, dtype: str = "float32", many: bool = False
) -> tuple[list[onnx.NodeProto], dict[str, Array]]:
    """Nodes and constants that compute y [B, m] = x A^T from x [B, n], B >= 1, of dtype, opset 13 or newer.

    many: one product per group for all rows of x together, which pays from a few rows on; else row by row.
    """
    made = Nodes(prefix, many)
    x = made.node("Transpose", x, perm=[1, 0]) if many else x
    thin = [Group(np.arange(a, a + len(f)), f, t) for a, t, f in blocks.right_factors() if f.size]
    where = np.zeros(blocks.ranks, np.int64)
    parts, width = [], 0
    for some in binned(thin):
        part, size = _product(made, x, blocks.columns, some, dtype)
        for i, group in enumerate(some):
            rank = group.factor.shape[1]
            where[group.place : group.place + rank] = width + i * size + np.arange(rank)
        parts.append(part)
        width += len(some) * size
    s = made.node("Concat", *parts, x, axis=made.axis) if parts else x
    places = np.concatenate([where, width + np.arange(blocks.columns)])
    wide = [Group(places[index], f, a) for a, index, f in blocks.left_factors() if f.size]
    whole, apart = [], []
    for some in binned(wide):
        part, size = _product(made, s, width + blocks.columns, some, dtype)
        if _tiles([np.arange(g.place, g.place + g.factor.shape[1]) for g in some], blocks.rows):
            whole.append(part)
        else:
            apart.append((part, size, some))
    if apart or not whole:
        whole.append(_gathered(made, x, apart, blocks.rows, dtype))
    total = made.node("Sum", *whole, output="" if many else y)
    if many:
        made.node("Transpose", total, perm=[1, 0], output=y)
    return made.nodes, made.constants


def binned(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Groups for one product each: cut where padding to the largest of a bin costs more than another product."""
    ordered = sorted(groups, key=lambda g: (g.factor.size, g.place))
    for begin, end in _cuts([g.factor.shape for g in ordered]):
        yield sorted(ordered[begin:end], key=lambda g: (int(g.reads[0]), g.place))


def _cuts(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int]]:
    """Where to cut a list so that numbers with padding and NODE_COST for each part are fewest."""
    least, start = [0.0], [0]
    for end in range(1, len(shapes) + 1):
        best, at, read, made = np.inf, 0, 0, 0
        for begin in range(end - 1, -1, -1):
            read, made = max(read, shapes[begin][0]), max(made, shapes[begin][1])
            cost = least[begin] + NODE_COST + (end - begin) * read * made
            if cost < best:
                best, at = cost, begin
        least.append(best)
        start.append(at)
    found, end = [], len(shapes)
    while end:
        found.append((start[end], end))
        end = start[end]
    return found[::-1]


def _product(made: Nodes, source: str, width: int, some: Sequence[Group], dtype: str) -> tuple[str, int]:
    """The products of groups one after another, [B, count * size] or [count * size, B], and the size padded to."""
    count = len(some)
    read = max(len(g.reads) for g in some)
    size = max(g.factor.shape[1] for g in some)
    factor = np.zeros((count, read, size), some[0].factor.dtype)
    index = np.zeros((count, read), np.int64)
    for i, g in enumerate(some):
        factor[i, : len(g.reads), : g.factor.shape[1]] = g.factor
        index[i, : len(g.reads)] = g.reads
    entries = _entries(made, source, width, index)
    if made.many:
        product = made.node("MatMul", _stored(made, np.ascontiguousarray(factor.transpose(0, 2, 1)), dtype), entries)
        return made.shaped(product, count * size, -1), size
    product = made.node("MatMul", entries, _stored(made, factor, dtype))
    return made.shaped(product, 0, count * size), size


def _entries(made: Nodes, source: str, width: int, index: NDArray[np.int64]) -> str:
    """source at an index [count, read]: [B, count, 1, read] or [count, read, B]; in runs where it consists of such."""
    count, read = index.shape
    run = _run(index, width)
    places = index[:, ::run] // run
    if made.many:
        if np.array_equal(index.ravel(), np.arange(width)):
            return made.shaped(source, count, read, -1)
        cut = source if run == 1 else made.shaped(source, width // run, -1)
        return made.shaped(made.node("Gather", cut, made.constant(places), axis=0), count, read, -1)
    if np.array_equal(index.ravel(), np.arange(width)):
        return made.shaped(source, 0, count, 1, read)
    cut = source if run == 1 else made.shaped(source, 0, width // run, run)
    return made.shaped(made.node("Gather", cut, made.constant(places), axis=1), 0, count, 1, read)


def _run(index: NDArray[np.int64], width: int) -> int:
    """The longest power of 2 such that an index [count, read] consists of aligned runs of that length."""
    run = 1
    while (
        width % (2 * run) == 0
        and index.shape[1] % (2 * run) == 0
        and (index[:, :: 2 * run] % (2 * run) == 0).all()
        and (np.diff(index.reshape(-1, 2 * run), axis=1) == 1).all()
    ):
        run *= 2
    return run


def _stored(made: Nodes, factor: Array, dtype: str) -> str:
    """The factor as a constant; halves stay halves in the file."""
    name = made.constant(factor if factor.dtype == np.float16 else factor.astype(dtype))
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return made.node("Cast", name, to=kind) if factor.dtype == np.float16 else name


def _tiles(ranges: Sequence[NDArray[np.int64]], width: int) -> bool:
    """Whether ranges of one length follow each other and are 0 .. width together."""
    every = np.concatenate(list(ranges)) if ranges else np.zeros(0, np.int64)
    return len({len(r) for r in ranges}) == 1 and np.array_equal(every, np.arange(width))


def _gathered(made: Nodes, x: str, apart: Sequence[tuple[str, int, Sequence[Group]]], rows: int, dtype: str) -> str:
    """The sum of parts whose rows do not tile the output: each output gathers what belongs to it, or a zero."""
    zero = made.node(
        "Mul", made.node("Slice", x, *(made.constant(np.array([v])) for v in (0, 1, made.axis))), _nought(made, dtype)
    )
    pool = made.node("Concat", zero, *(part for part, _, _ in apart), axis=made.axis)
    taken: list[NDArray[np.int64]] = []
    width = 1
    for _, size, some in apart:
        for i, g in enumerate(some):
            span = slice(g.place, g.place + g.factor.shape[1])
            layer = next((t for t in taken if not t[span].any()), None)
            if layer is None:
                taken.append(layer := np.zeros(rows, np.int64))
            layer[span] = width + i * size + np.arange(g.factor.shape[1])
        width += len(some) * size
    layers = np.array(taken, np.int64).reshape(-1, rows) if taken else np.zeros((1, rows), np.int64)
    picked = made.node("Gather", pool, made.constant(layers), axis=made.axis)
    return made.node("ReduceSum", picked, made.constant(np.array([made.axis])), keepdims=0)


def _nought(made: Nodes, dtype: str) -> str:
    return made.constant(np.zeros((), dtype))


def plain_blocks(model: onnx.ModelProto, *, many: bool = False) -> onnx.ModelProto:
    """The model with every block_low_rank_apply of constant blocks in standard nodes, bodies no longer used dropped."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    known = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    types = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if (node.domain, node.op_type) != ("edgepde", "block_low_rank_apply"):
            nodes.append(node)
            continue
        rows = next(a.i for a in node.attribute if a.name == "rows")
        arrays = [known[name] for name in node.input[1:]]
        columns = _columns(graph, node.input[0], arrays)
        kind = types.get(node.output[0]) or types.get(node.input[0]) or onnx.TensorProto.FLOAT
        dtype = helper.tensor_dtype_to_np_dtype(kind).name
        blocks = PackedBlocks(rows, columns, *arrays)
        made, constants = block_nodes(
            blocks, node.input[0], node.output[0], f"{node.output[0]}_blocks", dtype=dtype, many=many
        )
        nodes += made
        graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {v.name for v in graph.output}
    kept = [t for t in graph.initializer if t.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    left = {node.op_type for node in nodes if node.domain == "edgepde"}
    functions = [f for f in found.functions if f.name in left]
    del found.functions[:]
    found.functions.extend(functions)
    return found


def _columns(graph: onnx.GraphProto, name: str, arrays: Sequence[Array]) -> int:
    """The width of an op's x: as the graph declares it, else the least that its groups and index need."""
    for info in (*graph.input, *graph.value_info, *graph.output):
        dims = info.type.tensor_type.shape.dim
        if info.name == name and len(dims) == 2 and dims[1].dim_value:
            return int(dims[1].dim_value)
    groups, _, _, index, _ = arrays
    need = int(index.max(initial=-1)) + 1 - int(groups[:, 2].sum())
    return max(need, int((groups[:, 0] + groups[:, 1]).max(initial=0)))
