"""Whole simulators of the study at batch 1 on one thread: milliseconds and the memory of intermediate results.

Dense rival in ONNX Runtime against the factorised members in ONNX Runtime and as generated C. Memory: the most bytes of
intermediate results alive at a time over the nodes of each graph, in order; the scratch of generated C.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from _generated import generated
from _harness import OURS, Row, say, timing
from _sessions import bound
from edgepde_export.lowering.convolutions import chosen
from edgepde_export.lowering.graph import to_onnx
from edgepde_export.lowering.prepare import prepare
from edgepde_export.passes.clean import serialize
from edgepde_runtime import native
from edgepde_runtime.latency import measure
from numpy.typing import NDArray
from torch import nn

from . import oversized
from ._rivals import FULL, QUICK, decoder, filters, generator, smallest_good, sweep
from ._study import SEEDS, Data, Trained, obtain, obtain_data

Array = NDArray[np.float32]
CASE, MEMORY = "simulators", "simulators, memory"
OVERSIZED = "simulators, over-sized, 3-D kernels of 5"
ORT, C99 = "ONNX Runtime", "generated C"
SECONDS, QUICK_SECONDS = 12.0, 1.0
FACTORISED, BEST, LESS = 3.0, 10.0, 0.5
CLOSE = 1e-3
IN_PLACE = ("Add", "Mul", "Sigmoid", "Sin", "Reshape", "Squeeze", "Unsqueeze")


def rows(quick: bool, runs: Path) -> list[Row]:
    """Members of the first seed; trained where they were not."""
    plan, data, seed = QUICK if quick else FULL, obtain_data(runs, quick), SEEDS[0]
    found = sweep(runs, data, plan, seed)
    rival = found[smallest_good(found)]
    nets: dict[str, Trained] = {
        "dense rival": rival,
        "1-way filters": filters(runs, data, plan, seed, rival.validation),
        "1-way filters, recipe": obtain(runs, data, "shared-32", generator(data, 32, "shared"), plan.fit, seed),
        "decoder": decoder(runs, data, plan, seed, rival.validation),
    }
    x = data.test.parameters[:1].astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        return [*_rows(nets, x, Path(folder), quick), *_oversized(data, x, quick)]


def _oversized(data: Data, x: Array, quick: bool) -> Iterator[Row]:
    """3-D kernels, k = 5: the over-sized dense net and its twin as they are drawn, in ONNX Runtime alone."""
    channels = oversized.QUICK_CHANNELS if quick else oversized.CHANNELS
    calls, numbers = {}, {}
    for name, form in (("dense", "dense"), ("factorised twin", "shared")):
        module = oversized.description(data, channels, form).seeded(0).eval()
        numbers[name] = sum(p.numel() for p in module.parameters())
        calls[name] = session(graph(module, x.shape[1]), x, (1, *data.train.grid))
    found = measure(dict(calls), QUICK_SECONDS if quick else SECONDS, time.thread_time_ns)
    for name in calls:
        yield timing(OVERSIZED, name, found[name], note=f"{numbers[name]} numbers, {ORT}")
    ratio = found["dense"].p50 / found["factorised twin"].p50
    yield Row(f"{OVERSIZED}, dense / twin", OURS, "x", ratio, None if quick else BEST, ">=")


def _rows(nets: Mapping[str, Trained], x: Array, folder: Path, quick: bool) -> Iterator[Row]:
    calls: dict[str, Callable[[], Array]] = {}
    alive: dict[str, int] = {}
    scratch: dict[str, int] = {}
    for name, net in nets.items():
        say(f"  {name}: graph, C")
        model = graph(net.module, x.shape[1])
        wanted = net.module(torch.from_numpy(x)).detach().numpy()
        calls[f"{name}, {ORT}"] = session(model, x, wanted.shape)
        alive[name] = liveness(model)
        place = folder / name.replace(" ", "").replace(",", "")
        place.mkdir()
        calls[f"{name}, {C99}"], scratch[name] = generated(serialize(model), x, wanted.shape, place)
        for way in (ORT, C99):
            error = float(np.abs(calls[f"{name}, {way}"]() - wanted).max() / np.abs(wanted).max())
            if not error < CLOSE:
                raise AssertionError(f"{name}, {way}: {error:.2g} off torch's")
    found = measure(dict(calls), QUICK_SECONDS if quick else SECONDS, time.thread_time_ns)
    for name, latency in ((key, found[key]) for key in calls):
        yield timing(CASE, name, latency, note=f"{nets[name.rsplit(', ', 1)[0]].parameters} numbers")
    dense = found[f"dense rival, {ORT}"].p50
    for member, target in (("1-way filters", FACTORISED), ("1-way filters, recipe", None), ("decoder", BEST)):
        for way in (ORT, C99):
            ratio = dense / found[f"{member}, {way}"].p50
            best = way == min((ORT, C99), key=lambda w: found[f"{member}, {w}"].p50)
            goal = target if best and not quick else None
            yield Row(f"{CASE}, dense rival in {ORT} / {member}, {way}", OURS, "x", ratio, goal, ">=")
    for name in nets:
        goal = LESS if name in ("1-way filters", "decoder") and not quick else None
        share = scratch[name] / scratch["dense rival"]
        note = f"{alive[name]} bytes; scratch of generated C {scratch[name]} bytes, {share:.2f} of the rival's"
        yield Row(f"{MEMORY}, {name}", OURS, "of the dense rival", alive[name] / alive["dense rival"], goal, note=note)


def graph(module: nn.Module, columns: int) -> onnx.ModelProto:
    """What the exporter makes of it, every factorised layer in the way that is fastest here."""
    made = prepare(to_onnx(module, {"x": torch.zeros(2, columns)}, {"x": {0: "M"}}, ["u"]), lambda _: None)
    return chosen(made, "auto", c99=False, log=lambda _: None).model


def session(model: onnx.ModelProto, x: Array, shape: tuple[int, ...]) -> Callable[[], Array]:
    """A call in ONNX Runtime; our ops by our library where there is one."""
    return bound(serialize(model), x, shape, "u", native.library())


def liveness(model: onnx.ModelProto) -> int:
    """The most bytes of results alive at a time for one row, without the outputs: from their node to their last use.

    A node of IN_PLACE takes the memory of an input of the same size that is used there last.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in (*fixed.graph.input, *fixed.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    inferred = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    sizes = {v.name: _bytes(v) for v in inferred.value_info}
    last = {name: i for i, node in enumerate(inferred.node) for name in node.input}
    living, most = 0, 0
    for i, node in enumerate(inferred.node):
        made = sum(sizes.get(name, 0) for name in node.output)
        gone = {name: sizes[name] for name in (*node.input, *node.output) if name in sizes and last.get(name, i) <= i}
        shared = node.op_type in IN_PLACE and made in gone.values()
        most = max(most, living + (0 if shared else made))
        living += made - sum(gone.values())
    return most


def _bytes(value: onnx.ValueInfoProto) -> int:
    tensor = value.type.tensor_type
    width = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
    return int(np.prod([max(1, d.dim_value) for d in tensor.shape.dim])) * width
