"""How the readouts of a graph ship: as the op basis_readout, or as the plain nodes that it stands for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import onnx
from edgepde_runtime import choose, native
from edgepde_runtime.errors import EdgePDEError
from numpy.typing import NDArray
from onnx import helper

from ..passes.clean import clean, serialize
from ..passes.simplify import Log
from .blocks import without_leftovers
from .custom_ops import DOMAIN

OP = "basis_readout"
# Plain nodes must be faster than the op by this factor: a measurement is not better than that.
CLEARLY = 1.25
ROUNDS, SECONDS = 7, 0.01
Arrays = Mapping[str, NDArray[np.generic]]


@final
@dataclass(frozen=True)
class Chosen:
    """The graph that ships and rows of the ledger, one per readout."""

    model: onnx.ModelProto
    ledger: tuple[Mapping[str, Any], ...] = ()


def chosen(model: onnx.ModelProto, *, c99: bool, log: Log) -> Chosen:
    """Every readout in the form that is faster here at batch 1 in onnxruntime, the op in case of doubt.

    c99: the C code is wanted, which has the op alone where a basis is halves; what plain nodes would have taken is then
    said all the same. Times go to `log` alone.
    """
    ledger, made = [], model
    for node in [n for n in model.graph.node if (n.domain, n.op_type) == (DOMAIN, OP)]:
        way, why = _faster(model, node, c99, log)
        ledger.append({"layer": node.output[0], "form": way, "why": why})
        log(f"readout: {node.output[0]}: {way}, {why}")
        if way == "plain":
            made = _rewritten(made, node.output[0])
    return Chosen(model if made is model else clean(made), tuple(ledger))


def _faster(model: onnx.ModelProto, node: onnx.NodeProto, c99: bool, log: Log) -> tuple[str, str]:
    if native.library() is None:
        return "op", "not measured: this installation has no library of kernels"
    try:
        alone, given = _alone(model, node)
        ways = {"op": alone, "plain": _rewritten(alone, node.output[0])}
        seconds = {way: _timed(one, given) for way, one in ways.items()}
    except EdgePDEError as error:
        return "op", f"not measured: {error}"
    log(f"readout: {node.output[0]}: " + ", ".join(f"{way} {1e6 * s:.3g} us" for way, s in seconds.items()))
    return settled(seconds, needed=c99 and given[node.input[1]].dtype == np.float16)


def settled(seconds: Mapping[str, float], *, needed: bool) -> tuple[str, str]:
    """The way that ships and why; needed: the C code has no other."""
    if seconds["plain"] * CLEARLY > seconds["op"]:
        return "op", "plain nodes are not clearly faster here"
    if needed:
        return "op", "slower here than plain nodes, but the C code has no other form for halves"
    return "plain", "faster here than our op"


def _alone(model: onnx.ModelProto, node: onnx.NodeProto) -> tuple[onnx.ModelProto, Arrays]:
    """A model of one readout by itself, and inputs of one row for it."""
    known = _types(model)
    basis, scale = known[node.input[1]], known[node.input[2]]
    sizes = [d.dim_value for d in basis.shape.dim]
    kind = scale.elem_type
    alone = onnx.ModelProto()
    alone.CopyFrom(model)
    graph = alone.graph
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:], graph.initializer[:]
    graph.node.append(node)
    shapes = ((kind, ["M", sizes[0]]), (basis.elem_type, sizes), (kind, [scale.shape.dim[0].dim_value]))
    for name, (code, shape) in zip(node.input, shapes, strict=True):
        graph.input.append(helper.make_tensor_value_info(name, code, shape))
    graph.output.append(helper.make_tensor_value_info(node.output[0], kind, ["M", sizes[1]]))
    rng = np.random.default_rng(0)
    given = {
        name: rng.standard_normal([n if isinstance(n, int) else 1 for n in shape]).astype(
            helper.tensor_dtype_to_np_dtype(code)
        )
        for name, (code, shape) in zip(node.input, shapes, strict=True)
    }
    return alone, given


def _types(model: onnx.ModelProto) -> dict[str, Any]:
    """Type and shape of every input and constant."""
    held = {t.name: helper.make_tensor_type_proto(t.data_type, t.dims).tensor_type for t in model.graph.initializer}
    return held | {v.name: v.type.tensor_type for v in model.graph.input}


def _timed(model: onnx.ModelProto, given: Arrays) -> float:
    """The median time of a call, in onnxruntime with our kernels."""
    backend = choose.of_model("ort", serialize(model))
    backend.run(given)
    found = []
    for _ in range(ROUNDS):
        began, calls = time.perf_counter(), 0
        while calls < 3 or time.perf_counter() - began < SECONDS:
            backend.run(given)
            calls += 1
        found.append((time.perf_counter() - began) / calls)
    return float(np.median(found))


def _rewritten(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """The graph with the readout that makes `output` as Cast, MatMul and Mul."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    (place,) = (i for i, node in enumerate(made.graph.node) if output in node.output)
    coefficients, basis, scale = made.graph.node[place].input
    held, sums = f"{output}_held", f"{output}_sums"
    types = _types(made)
    cast = [helper.make_node("Cast", [basis], [held], name=held, to=types[scale].elem_type)]
    same = types[basis].elem_type == types[scale].elem_type
    plain = [
        *([] if same else cast),
        helper.make_node("MatMul", [coefficients, basis if same else held], [sums], name=sums),
        helper.make_node("Mul", [sums, scale], [output], name=output),
    ]
    every = [*made.graph.node[:place], *plain, *made.graph.node[place + 1 :]]
    del made.graph.node[:]
    made.graph.node.extend(every)
    return without_leftovers(made)
