"""How the factorised convolutions of a graph ship: as our op, in standard nodes, or merged to a dense convolution."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from edgepde_runtime import choose, compiler, native
from edgepde_runtime.backends import Backend
from edgepde_runtime.errors import EdgePDEError, InputError
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from onnx import helper, numpy_helper

from .. import native as c99_target
from ..passes.clean import clean, serialize
from ..passes.simplify import Log
from .blocks import Chosen, without_leftovers
from .conv_chain import OP, Chain, chains
from .conv_forms import Written, bounded, rewritten, ways
from .custom_ops import DOMAIN, append_bodies

WAYS = ("auto", "op", "plain", "dense")
# Another way must be faster by this factor than the way a layer was written in: a measurement is not better than that.
CLEARLY = 1.25
ROUNDS, SECONDS, FEWEST = 7, 0.01, 3
FLAT = "_rows"
WHY = {
    "op": "our op is faster here",
    "plain": "standard nodes are faster here",
    "dense": "merged: the dense convolution is faster here",
}


def check(convolutions: str) -> None:
    """Raises InputError for a way nobody knows."""
    if convolutions not in WAYS:
        raise InputError(f"--convolutions expected {', '.join(WAYS)}, got {convolutions!r}")


def chosen(model: onnx.ModelProto, convolutions: str, *, c99: bool, log: Log) -> Chosen:
    """Every chain of convolutions as `convolutions` says; "auto": whatever is fastest here at batch 1.

    c99: times are those of the C code, where there is a compiler. Times go to `log` alone. Biases and kernels are
    merged in float64 and rounded once.
    """
    written, ledger, merged, known = [], [], False, True
    for chain in chains(model):
        forms = ways(chain)
        way, why = _taken(model, chain, convolutions, c99, log)
        if way == "dense":
            merged, known = True, known and bounded(chain)
        written.append(forms[way](chain))
        ledger.append({"layer": name(chain), "shape": _shape(chain), "form": way, "why": why})
    if not written:
        return Chosen(model)
    for row in ledger:
        log(f"convolutions: {row['layer']} {' x '.join(map(str, row['shape']))}: {row['form']}, {row['why']}")
    made = finished(rewritten(model, *written))
    choose.of_model("reference", serialize(made))
    return Chosen(made, tuple(ledger), merged, model if known else None)


def name(chain: Chain) -> str:
    """What messages and the ledger call a layer."""
    return chain.y


def finished(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with the bodies of the ops it uses, without what it no longer uses."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    kept = [f for f in made.functions if (f.domain, f.name) != (DOMAIN, OP)]
    others = [node for node in made.graph.node if node.domain == DOMAIN and node.op_type != OP]
    del made.functions[:]
    alone = onnx.ModelProto()
    alone.CopyFrom(made)
    del alone.graph.node[:]
    alone.graph.node.extend(node for node in made.graph.node if node not in others)
    append_bodies(alone)
    made.functions.extend([*kept, *alone.functions])
    del made.opset_import[:]
    made.opset_import.extend(alone.opset_import)
    return clean(without_leftovers(made))


def _shape(chain: Chain) -> list[int]:
    sizes = [max(step.kernel.shape[2 + i] for step in chain.steps) for i in range(chain.steps[0].axes)]
    return [*chain.channels[::-1], *sizes]


def _taken(model: onnx.ModelProto, chain: Chain, asked: str, c99: bool, log: Log) -> tuple[str, str]:
    forms = ways(chain)
    written = "op" if chain.is_op else "plain"
    if asked == "auto":
        return _fastest(model, chain, written, c99, log)
    if asked in forms:
        return asked, f"asked for with --convolutions {asked}"
    return written, f"it cannot be written as {asked}"


def _fastest(model: onnx.ModelProto, chain: Chain, written: str, c99: bool, log: Log) -> tuple[str, str]:
    if native.library() is None:
        return written, "not measured: this installation has no library of kernels"
    try:
        seconds, where = _measured(model, chain, c99)
    except EdgePDEError as error:
        return written, f"not measured: {error}"
    told = ", ".join(f"{way} {1e6 * s:.3g} us" for way, s in seconds.items())
    log(f"convolutions: {name(chain)} on {where}: {told}")
    best = min(seconds, key=lambda way: seconds[way])
    if best == "dense" and not bounded(chain):
        return written, "a merged kernel would lose more than rounding does"
    if best == written or seconds[best] * CLEARLY > seconds[written]:
        return written, "no other way is clearly faster here"
    return best, WHY[best]


def _measured(model: onnx.ModelProto, chain: Chain, c99: bool) -> tuple[dict[str, float], str]:
    """The median seconds of a call of each way at batch 1, in turn, and what ran them."""
    models = {way: alone(model, chain, form(chain)) for way, form in ways(chain).items()}
    backends: dict[str, Backend] = {}
    in_c = c99 and compiler.find() is not None
    for way, one in models.items():
        made = c99_target.backend(serialize(one), _signature(one), _silent) if in_c else None
        backends[way] = made if made is not None else choose.of_model("ort", serialize(one))
    return _timed(backends, chain), "c99" if in_c else "ort"


def alone(model: onnx.ModelProto, chain: Chain, written: Written) -> onnx.ModelProto:
    """A chain by itself as a model."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(chain.dtype))
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:], graph.initializer[:], made.functions[:]
    rest = chain.spatial
    for step in chain.steps:
        rest = step.sizes(rest)
    s, t = chain.channels
    graph.input.append(helper.make_tensor_value_info(FLAT, kind, ["M", s * math.prod(chain.spatial)]))
    graph.output.append(helper.make_tensor_value_info(chain.y, kind, ["M", t, *rest]))
    graph.initializer.append(numpy_helper.from_array(np.array([0, s, *chain.spatial], np.int64), "sizes"))
    graph.node.append(helper.make_node("Reshape", [FLAT, "sizes"], [chain.x]))
    graph.node.extend(written.nodes)
    graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in written.constants.items())
    return finished(made)


def _signature(model: onnx.ModelProto) -> tuple[tuple[InputSpec, ...], tuple[OutputSpec, ...]]:
    x, y = model.graph.input[0], model.graph.output[0]

    def shape(value: onnx.ValueInfoProto) -> tuple[str | int, ...]:
        return tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim)

    width = x.type.tensor_type.shape.dim[1].dim_value
    dtype = helper.tensor_dtype_to_np_dtype(x.type.tensor_type.elem_type).name
    columns = tuple(Column(f"x{i}", "", -1.0, 1.0) for i in range(width))
    spec = InputSpec(x.name, dtype, ("M", width), columns)
    return (spec,), (OutputSpec(y.name, dtype, shape(y), ""),)


def _timed(backends: Mapping[str, Backend], chain: Chain) -> dict[str, float]:
    width = chain.channels[0] * math.prod(chain.spatial)
    feed: dict[str, Any] = {FLAT: np.random.default_rng(0).uniform(-1.0, 1.0, (1, width)).astype(chain.dtype)}
    found: dict[str, list[float]] = {way: [] for way in backends}
    for backend in backends.values():
        backend.run(feed)
    for _ in range(ROUNDS):
        for way, backend in backends.items():
            began, calls = time.perf_counter(), 0
            while calls < FEWEST or time.perf_counter() - began < SECONDS:
                backend.run(feed)
                calls += 1
            found[way].append((time.perf_counter() - began) / calls)
    return {way: float(np.median(times)) for way, times in found.items()}


def _silent(_: str) -> None:
    return None
