"""Layers in dense and low-rank blocks: which blocks, which ranks, how much is stored; read from the model's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError, ModelFileError
from edgepde_runtime.onnxfile import Graph, Node, Tensor, parse
from markupsafe import Markup

from edgepde.hmatrix.plot import blocks_of, draw_blocks, draw_ranks

from . import words
from .style import ACCENT, GRID, INK, MUTED, axes, svg

OP, ITEMSIZE = "block_low_rank_apply", 4
WIDE, HIGH, MOST = 6.4, 6.4, 6
"""Drawings in inches; at most so many layers are drawn."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A matrix as the sum of parts that read the same x."""

    name: str
    parts: tuple[PackedBlocks, ...]

    @property
    def bytes(self) -> int:
        """What its factors store."""
        return sum(part.right.nbytes + part.left.nbytes for part in self.parts)

    @property
    def dense(self) -> int:
        """What the dense float32 matrix would store."""
        return ITEMSIZE * self.parts[0].rows * self.parts[0].columns


@dataclass(frozen=True)
class Drawn:
    """A layer on the page: its blocks, its ranks, and the words below them."""

    title: str
    figures: str
    blocks: Markup
    ranks: Markup


def layers(model: bytes) -> list[Layer]:
    """The layers of a model whose factors are stored in it; raises ModelFileError where they do not fit."""
    graph = parse(model).graph
    held = _constants(graph)
    added = {name: node.outputs[0] for node in graph.nodes if node.op_type == "Add" for name in node.inputs}
    made: list[Layer] = []
    ends: dict[tuple[str, str], int] = {}
    for node in graph.nodes:
        part = _part(node, graph, held) if (node.domain, node.op_type) == ("edgepde", OP) else None
        if part is None:
            continue
        end = (node.inputs[0], added.get(node.outputs[0], ""))
        if end[1] and end in ends:
            place = ends[end]
            made[place] = Layer(made[place].name, (*made[place].parts, part))
        else:
            ends[end] = len(made)
            made.append(Layer(f"layer {len(made) + 1}", (part,)))
    return made


def table(found: Sequence[Layer]) -> Iterator[tuple[str, ...]]:
    """Per layer: name, size, blocks, dense ones, largest rank, bytes, of the dense float32 matrix."""
    for layer in found:
        blocks, (m, n) = blocks_of(layer.parts)
        ranks = [block.rank for block in blocks if block.rank is not None]
        cells = (len(blocks), len(blocks) - len(ranks), max(ranks, default=0), layer.bytes)
        share = words.number(layer.bytes / layer.dense)
        yield (layer.name, f"{m} × {n}", *map(words.count, cells), share)


def drawn(found: Sequence[Layer]) -> list[Drawn]:
    """The drawings of the first layers."""
    made = []
    for place, layer in enumerate(found[:MOST]):
        blocks, (m, n) = blocks_of(layer.parts)
        title = f"{layer.name.capitalize()}: {m} × {n} in {words.counted(len(blocks), 'block', 'blocks')}"
        stored = f"{words.count(layer.bytes)} of {words.count(layer.dense)} bytes in factors and dense blocks"
        figures = f"{stored}: storage ratio {words.number(layer.bytes / layer.dense)} of the dense float32 matrix"
        with axes(WIDE, HIGH) as plot:
            draw_blocks(plot, layer.parts, dense=MUTED, low=ACCENT, line=GRID, text=INK, strength=0.5)
            picture = svg(plot, f"blocks{place}", f"{len(blocks)} blocks with their ranks; dense ones are filled")
        with axes(0.6 * WIDE, 0.5 * HIGH) as plot:
            draw_ranks(plot, layer.parts, ACCENT, MUTED)
            ranks = svg(plot, f"ranks{place}", "how many blocks there are of each rank")
        made.append(Drawn(title, figures, picture, ranks))
    return made


def _constants(graph: Graph) -> Mapping[str, Tensor]:
    """What is stored, also where a Cast of it is read."""
    held = dict(graph.initializers)
    for node in graph.nodes:
        if node.op_type in {"Cast", "Identity"} and node.inputs[0] in held:
            held[node.outputs[0]] = held[node.inputs[0]]
    return held


def _part(node: Node, graph: Graph, held: Mapping[str, Tensor]) -> PackedBlocks | None:
    """The matrix of a node; None where its numbers are no constants."""
    if len(node.inputs) != 6 or any(name not in held for name in node.inputs[1:]):
        return None
    arrays: list[Any] = [np.asarray(held[name]) for name in node.inputs[1:]]
    rows = node.attributes["rows"].value if "rows" in node.attributes else None
    if not isinstance(rows, int) or arrays[0].ndim != 2:
        raise ModelFileError(f"{node.label}: expected the attribute rows and groups [G, 3]")
    try:
        return PackedBlocks(rows, _columns(node, graph, arrays), *arrays)
    except InputError as error:
        raise ModelFileError(f"{node.label}: {error}") from None


def _columns(node: Node, graph: Graph, arrays: Sequence[Tensor]) -> int:
    """The length of x: that of the Gather or Constant before it, else as far as the blocks read."""
    groups, index = np.asarray(arrays[0], dtype=np.int64), np.asarray(arrays[3], dtype=np.int64)
    for before in graph.nodes:
        if before.op_type == "Gather" and node.inputs[0] in before.outputs and before.inputs[1] in graph.initializers:
            return int(graph.initializers[before.inputs[1]].size)
    ends = (groups[:, 0] + groups[:, 1]).max(initial=0)
    return int(max(ends, index.max(initial=-1) + 1 - groups[:, 2].sum()))
