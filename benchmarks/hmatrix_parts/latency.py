"""Operator layers as blocks: how much faster than a dense Gemm, and than the same blocks in standard nodes?

The logarithmic kernel on a grid of the square, relative error 1e-3, leaf 32, on one thread. Kernels alone (as the C99
target calls them), in ONNX Runtime, in standard nodes of ONNX Runtime with one product per row or for all rows, dense.
Candidates run in turn, each for some milliseconds: its numbers are where they are in a loop that calls it. Times are
processor time of the one thread.

Ranks that do not fill a vector: HODLR matrices of rank 8 and 16, and the same kernel with partial vectors copied into
zeroed ones by memcpy, as our study's kernel had it, which lost to standard nodes at rank 8 and won at 16.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from _harness import OURS, Row, say
from _sessions import bound
from edgepde_export.lowering.block_nodes import block_nodes
from edgepde_runtime import native
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.latency import measure
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgepde.hmatrix.clusters import from_points
from edgepde.hmatrix.compressing import compress
from edgepde.hmatrix.config import HConfig

from ._blocks_kernel import Kernel, built

Array = NDArray[np.float32]
Call = Callable[[], object]
SIDES, QUICK_SIDES, LEAF, EPS = (32, 64), (16,), 32, 1e-3
BATCHES = (1, 16)
SECONDS, QUICK_SECONDS = 9.0, 1.0
IN_A_ROW, FEWEST, MOST = 3e-3, 3, 300
CLOCK = time.thread_time_ns
RANKS, RANK_LEAF = (8, 16), 64
COPIED = "partial vectors copied"
FASTER = {1024: 4.0, 4096: 15.0}
ORT, HALVES = "ours in ONNX Runtime", "ours in ONNX Runtime, halves"
NODES, NODES_MANY = "standard nodes, row by row", "standard nodes, rows together"
DENSE, KERNEL, KERNEL_HALVES = "dense Gemm in ONNX Runtime", OURS, "ours, halves"


@dataclass(frozen=True)
class Layer:
    """A kernel matrix [n, n] in cluster order, and as blocks."""

    dense: Array
    blocks: PackedBlocks

    @property
    def halves(self) -> PackedBlocks:
        """The same with factors in float16."""
        b = self.blocks
        right, left = b.right.astype(np.float16), b.left.astype(np.float16)
        return PackedBlocks(b.rows, b.columns, b.column_groups, right, b.row_groups, b.index, left)


def rows(quick: bool) -> list[Row]:
    """Every size and batch; targets for a batch of 1 at the sizes that have them."""
    made: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        kernel, copying = built(Path(folder)), built(Path(folder), copying=True)
        for side in QUICK_SIDES if quick else SIDES:
            say(f"log kernel on {side} x {side} points")
            layer = log_kernel(side)
            for batch in BATCHES:
                made += list(_case(layer, batch, kernel, QUICK_SECONDS if quick else SECONDS))
            made += list(_remainders(side, kernel, copying, QUICK_SECONDS if quick else SECONDS))
    return made


def log_kernel(side: int) -> Layer:
    """-log |p - q| between the midpoints of side x side cells, the diagonal that of 0.3 cells."""
    middle = (np.arange(side) + 0.5) / side
    points = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    apart = np.sqrt(((points[:, None] - points) ** 2).sum(axis=-1))
    tree = from_points(points, LEAF)
    made = compress(
        -np.log(np.maximum(apart, 0.3 / side)), HConfig(leaf=LEAF, eps=EPS, factorisation="aca"), tree, tree
    )
    (blocks,) = made.packed()
    return Layer(made.in_cluster_order().astype(np.float32), blocks)


def _case(layer: Layer, batch: int, kernel: Kernel, seconds: float) -> Iterator[Row]:
    """The latencies of one size and batch, then what ours gain."""
    n = layer.blocks.columns
    x = np.random.default_rng(n + batch).standard_normal((batch, n)).astype(np.float32)
    name, calls = f"operator {n} x {n}, batch {batch}", candidates(layer, x, kernel)
    note = f"{layer.blocks.numbers / n**2:.3f} of the dense numbers"
    times = {}
    for row in _timed(name, calls, seconds, note):
        times[row.rival] = row.measured or np.nan
        yield row
    for key in (KERNEL, ORT):
        if key not in times:
            continue
        target = FASTER.get(n) if batch == 1 else None
        yield Row(f"{name}, {DENSE} / {key}", OURS, "x", times[DENSE] / times[key], target, ">=")
        least = min(times[NODES], times[NODES_MANY])
        yield Row(f"{name}, the better standard nodes / {key}", OURS, "x", least / times[key], 1.0, ">=")


def candidates(layer: Layer, x: Array, kernel: Kernel) -> dict[str, Call]:
    """Every way to compute y [batch, n], each checked against the dense product."""
    made: dict[str, Callable[[], Array]] = {
        KERNEL: kernel.call(layer.blocks, x),
        KERNEL_HALVES: kernel.call(layer.halves, x),
        NODES: _session(*_standard(layer.blocks, many=False), x),
        NODES_MANY: _session(*_standard(layer.blocks, many=True), x),
        DENSE: _session([helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)], {"w": layer.dense}, x),
    }
    if native.library() is not None:
        made[ORT] = _session(*_op(layer.blocks), x, library=True)
        made[HALVES] = _session(*_op(layer.halves), x, library=True)
    exact = x.astype(np.float64) @ layer.dense.astype(np.float64).T
    for key, call in made.items():
        error = float(np.linalg.norm(call() - exact) / np.linalg.norm(exact))
        if not error < 1e-2:
            raise AssertionError(f"{key}: relative error {error:.2g}")
    return dict(made)


def _timed(case: str, calls: Mapping[str, Call], seconds: float, note: str) -> Iterator[Row]:
    """A row of microseconds per call for each; the note is that of the first."""
    times = {key: _in_a_row(call) for key, call in calls.items()}
    found = measure({key: _repeated(calls[key], count) for key, count in times.items()}, seconds, CLOCK)
    for key, count in times.items():
        low, middle, high = (found[key].quantile(q) / count for q in (0.25, 0.5, 0.75))
        yield Row(case, key, "us", middle, spread=(low, high), note=note)
        note = ""


def _in_a_row(call: Call) -> int:
    """How many calls last IN_A_ROW seconds."""
    took = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return int(np.clip(IN_A_ROW / min(took), FEWEST, MOST))


def _repeated(call: Call, count: int) -> Call:
    def run() -> None:
        for _ in range(count):
            call()

    return run


def _remainders(side: int, kernel: Kernel, copying: Kernel, seconds: float) -> Iterator[Row]:
    """Ranks that fill half a vector and a whole one, whole vectors read everywhere or partial ones copied."""
    for rank in RANKS:
        blocks = hodlr(side * side, RANK_LEAF, rank)
        x = np.random.default_rng(rank).standard_normal((1, blocks.columns)).astype(np.float32)
        calls: dict[str, Call] = {KERNEL: kernel.call(blocks, x), COPIED: copying.call(blocks, x)}
        for many, key in ((False, NODES), (True, NODES_MANY)):
            calls[key] = _session(*_standard(blocks, many=many), x)
        yield from _timed(f"HODLR {blocks.rows} x {blocks.rows}, rank {rank}", calls, seconds, "batch 1")


def hodlr(n: int, leaf: int, rank: int) -> PackedBlocks:
    """Random factors of one rank off the diagonal, halves of halves of 0 .. n; dense leaves, n = leaf 2^levels."""
    thin: list[list[int]] = []
    reads: dict[tuple[int, int], list[int]] = {}
    spans, leaves = [(0, n)], []
    for start, stop in spans:
        middle = (start + stop) // 2
        if stop - start <= leaf:
            leaves.append((start, stop))
            continue
        for rows, columns in (((start, middle), (middle, stop)), ((middle, stop), (start, middle))):
            first = rank * len(thin)
            thin.append([columns[0], columns[1] - columns[0], rank])
            reads.setdefault(rows, []).extend(range(first, first + rank))
        spans += [(start, middle), (middle, stop)]
    for start, stop in leaves:
        reads.setdefault((start, stop), []).extend(range(rank * len(thin) + start, rank * len(thin) + stop))
    wide = np.array([[start, stop - start, len(entries)] for (start, stop), entries in reads.items()], np.int64)
    groups, index = np.array(thin, np.int64), np.array([i for entries in reads.values() for i in entries], np.int64)
    rng = np.random.default_rng(n)
    right = rng.standard_normal(int((groups[:, 1] * groups[:, 2]).sum())).astype(np.float32)
    left = rng.standard_normal(int((wide[:, 1] * wide[:, 2]).sum())).astype(np.float32)
    return PackedBlocks(n, n, groups, right, wide, index, left)


def _op(blocks: PackedBlocks) -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]:
    names = ("column_groups", "right", "row_groups", "index", "left")
    node = helper.make_node("block_low_rank_apply", ["x", *names], ["y"], domain="edgepde", rows=blocks.rows)
    return [node], dict(zip(names, blocks.arrays, strict=True))


def _standard(blocks: PackedBlocks, *, many: bool) -> tuple[list[onnx.NodeProto], dict[str, NDArray[np.generic]]]:
    return block_nodes(blocks, "x", "y", "nodes", many=many)


def _session(
    nodes: list[onnx.NodeProto], constants: dict[str, NDArray[np.generic]], x: Array, *, library: bool = False
) -> Callable[[], Array]:
    """A graph in ONNX Runtime on one thread, arrays bound."""
    n = x.shape[1]
    given, made = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["B", n]) for name in "xy")
    held = [numpy_helper.from_array(v, k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "layer", [given], [made], held)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("edgepde", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return bound(bytes(model.SerializeToString()), x, x.shape, library=native.library() if library else None)
