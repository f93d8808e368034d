"""How the layers in blocks of a graph ship: as our op, in standard nodes, or merged back to a dense matrix."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import onnx
from edgepde_runtime import choose, native
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import EdgePDEError, InputError
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..passes.clean import clean, serialize
from ..passes.simplify import Log
from .block_nodes import block_nodes
from .custom_ops import DOMAIN

OP = "block_low_rank_apply"
WAYS = ("auto", "op", "plain", "dense")
# Another way must be faster than the op by this factor: a measurement is not better than that.
CLEARLY = 1.25
ROUNDS, SECONDS = 7, 0.02
Array = NDArray[Any]


def check(blocks: str) -> None:
    """Raises InputError for a way nobody knows."""
    if blocks not in WAYS:
        raise InputError(f"--blocks expected {', '.join(WAYS)}, got {blocks!r}")


@final
@dataclass(frozen=True)
class Chosen:
    """The graph that ships; rows of the ledger, one per layer; whether a layer's numbers were computed.

    before: the graph as it was, where layers were written in another way and what that changes is known: nothing, or
    as much as rounding where numbers were merged.
    """

    model: onnx.ModelProto
    ledger: tuple[Mapping[str, Any], ...] = ()
    merged: bool = False
    before: onnx.ModelProto | None = None


def chosen(model: onnx.ModelProto, blocks: str, *, c99: bool, log: Log) -> Chosen:
    """Every layer in blocks as `blocks` says; "auto": whatever is fastest here at batch 1, the op in case of doubt.

    c99: the C code is wanted, which has the op and dense layers. Times go to `log` alone.
    """
    nodes = [node for node in model.graph.node if (node.domain, node.op_type) == (DOMAIN, OP)]
    if not nodes:
        return Chosen(model)
    ledger, ways = [], []
    for node in nodes:
        layer = _Layer.of(model, node)
        way, why = (blocks, f"asked for with --blocks {blocks}") if blocks != "auto" else _fastest(layer, c99, log)
        ways.append(way)
        ledger.append({"layer": layer.name, "shape": list(layer.shape), "form": way, "why": why})
        log(f"blocks: {layer.name} {layer.shape[0]} x {layer.shape[1]}: {way}, {why}")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for node, way in zip(nodes, ways, strict=True):
        if way != "op":
            made = _rewritten(made, node.output[0], way)
    changed = any(way != "op" for way in ways)
    if changed:
        made = clean(made)
        choose.of_model("reference", serialize(made))
    return Chosen(made if changed else model, tuple(ledger), "dense" in ways)


@final
@dataclass(frozen=True, eq=False)
class _Layer:
    """One node of the op by itself."""

    name: str
    model: onnx.ModelProto
    blocks: PackedBlocks
    dtype: str

    @property
    def shape(self) -> tuple[int, int]:
        return self.blocks.rows, self.blocks.columns

    @classmethod
    def of(cls, model: onnx.ModelProto, node: onnx.NodeProto) -> _Layer:
        held = {t.name: t for t in model.graph.initializer}
        arrays = [numpy_helper.to_array(held[name]) for name in node.input[1:]]
        rows = next(a.i for a in node.attribute if a.name == "rows")
        kind = model.graph.input[0].type.tensor_type.elem_type
        part = PackedBlocks(int(rows), _columns(model, node, arrays), *arrays)
        alone = onnx.ModelProto()
        alone.CopyFrom(model)
        graph = alone.graph
        del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
        graph.node.append(node)
        graph.input.append(helper.make_tensor_value_info(node.input[0], kind, ["M", part.columns]))
        graph.output.append(helper.make_tensor_value_info(node.output[0], kind, ["M", part.rows]))
        kept = [held[name] for name in node.input[1:]]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        return cls(node.output[0], alone, part, helper.tensor_dtype_to_np_dtype(kind).name)


def _columns(model: onnx.ModelProto, node: onnx.NodeProto, arrays: Sequence[Array]) -> int:
    inferred = onnx.shape_inference.infer_shapes(model).graph
    for info in (*model.graph.input, *inferred.value_info):
        dims = info.type.tensor_type.shape.dim
        if info.name == node.input[0] and len(dims) == 2 and dims[1].dim_value:
            return int(dims[1].dim_value)
    groups, _, _, index, _ = arrays
    need = int(index.max(initial=-1)) + 1 - int(groups[:, 2].sum())
    return max(need, int((groups[:, 0] + groups[:, 1]).max(initial=0)))


def _fastest(layer: _Layer, c99: bool, log: Log) -> tuple[str, str]:
    if native.library() is None:
        return "op", "not measured: this installation has no library of kernels"
    ways = ("op", "dense") if c99 else ("op", "plain", "dense")
    try:
        seconds = {way: _timed(_rewritten(layer.model, layer.name, way), layer) for way in ways}
    except EdgePDEError as error:
        return "op", f"not measured: {error}"
    log(f"blocks: {layer.name}: " + ", ".join(f"{way} {1e6 * s:.3g} us" for way, s in seconds.items()))
    best = min(seconds, key=lambda way: seconds[way])
    if best == "op" or seconds[best] * CLEARLY > seconds["op"]:
        return "op", "no other way is clearly faster here"
    if best == "dense" and seconds.get("plain", np.inf) <= seconds["dense"] * CLEARLY:
        best = "plain"
    return best, {"dense": "merged back: the dense matrix is faster here", "plain": "faster here than our op"}[best]


def _timed(model: onnx.ModelProto, layer: _Layer) -> float:
    """The median time of a call at batch 1, in onnxruntime with our kernels."""
    backend = choose.of_model("ort", serialize(model))
    name = model.graph.input[0].name
    x = {name: np.random.default_rng(0).standard_normal((1, layer.shape[1])).astype(layer.dtype)}
    backend.run(x)
    found = []
    for _ in range(ROUNDS):
        began, calls = time.perf_counter(), 0
        while calls < 3 or time.perf_counter() - began < SECONDS:
            backend.run(x)
            calls += 1
        found.append((time.perf_counter() - began) / calls)
    return float(np.median(found))


def _rewritten(model: onnx.ModelProto, output: str, way: str) -> onnx.ModelProto:
    """The node that makes `output` in another way."""
    if way == "op":
        return model
    (place,) = (i for i, node in enumerate(model.graph.node) if output in node.output)
    node = model.graph.node[place]
    layer = _Layer.of(model, node)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    if way == "plain":
        nodes, constants = block_nodes(layer.blocks, node.input[0], output, f"{output}_blocks", dtype=layer.dtype)
        summed = [part for one in nodes for part in _as_adds(one)]
        every = [*model.graph.node[:place], *summed, *model.graph.node[place + 1 :]]
        del made.graph.node[:]
        made.graph.node.extend(every)
        made.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
        return without_leftovers(made)
    weight = f"{output}.dense"
    dense = np.ascontiguousarray(layer.blocks.dense().T).astype(layer.dtype)
    if not np.isfinite(dense).all():
        raise InputError(f"{output}: expected finite numbers in the dense matrix")
    made.graph.initializer.append(numpy_helper.from_array(dense, weight))
    made.graph.node[place].CopyFrom(helper.make_node("MatMul", [node.input[0], weight], [output]))
    return without_leftovers(made)


def _as_adds(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """A Sum, which the runtime has no room for, as nodes that it has one for; other nodes as they are."""
    if node.op_type != "Sum":
        return [node]
    terms, made = list(node.input), []
    if len(terms) == 1:
        return [helper.make_node("Identity", terms, list(node.output), name=node.name)]
    total = terms[0]
    for i, term in enumerate(terms[1:], 1):
        after = node.output[0] if i == len(terms) - 1 else f"{node.output[0]}_sum{i}"
        made.append(helper.make_node("Add", [total, term], [after], name=f"{node.name}_{i}"))
        total = after
    return made


def without_leftovers(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph without constants and function bodies that no node reads."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    kept = [t for t in graph.initializer if t.name in used]
    ops = {(node.domain, node.op_type) for node in graph.node}
    functions = [f for f in model.functions if (f.domain, f.name) in ops]
    del graph.initializer[:], model.functions[:]
    graph.initializer.extend(kept)
    model.functions.extend(functions)
    return model
