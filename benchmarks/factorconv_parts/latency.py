"""Factorised convolutions over three axes: how much faster than the dense kernel, and than the same chain of nodes?

Layers of as many channels out as in, rank twice that, kernels of 3^3 and 5^3, batch 1, one thread. Dense, the chain
of 1-way filters as it stands, with filters as pictures (grouped 2-D nodes), our op in ONNX Runtime, our generated C.
Plain convolutions as our C against ONNX Runtime. Candidates run in turn; times are processor time of the one thread.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from _generated import generated
from _harness import OURS, Row, say
from _sessions import bound
from edgepde_runtime import native
from edgepde_runtime.latency import measure
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[np.float32]
Call = Callable[[], Array]
Constants = dict[str, NDArray[np.generic]]
LAYERS = ((3, 64, (4, 8, 8)), (3, 16, (16, 32, 32)), (5, 64, (4, 8, 8)), (5, 16, (16, 32, 32)))
PLAIN = ((3, 16, (64, 64)), (5, 16, (64, 64)), (3, 64, (16, 16)))
SECONDS, QUICK_SECONDS, IN_A_ROW = 3.0, 1.0, 3e-3
CLOCK = time.thread_time_ns
DENSE, CHAIN, PICTURES = "dense Conv in ONNX Runtime", "chain of 3-D nodes", "chain of 2-D nodes"
ORT, C99 = "our op in ONNX Runtime", OURS
FASTER = {5: 10.0, 3: 3.0}
WITHIN = 2.0


@dataclass(frozen=True)
class Layer:
    """A layer's factors: read [R, S], filters [R, 3 k], write [S, R], bias [S]."""

    k: int
    x: Array
    read: Array
    filters: Array
    write: Array
    bias: Array

    @property
    def parts(self) -> list[Array]:
        """The filters of each axis [R, k]."""
        return [np.ascontiguousarray(part) for part in np.split(self.filters, 3, axis=1)]

    @property
    def dense(self) -> Array:
        """The kernel they are the factors of [S, S, k, k, k]."""
        return np.einsum("tr,rs,ri,rj,rl->tsijl", self.write, self.read, *self.parts, optimize=True)


def rows(quick: bool) -> list[Row]:
    """The latencies of every layer, then what ours gain."""
    made: list[Row] = []
    for k, channels, grid in LAYERS[2:3] if quick else LAYERS:
        say(f"kernel {k}^3, {channels} channels on {grid}")
        made += _factorised(k, channels, grid, QUICK_SECONDS if quick else SECONDS)
    for k, channels, grid in PLAIN[:1] if quick else PLAIN:
        say(f"plain convolution {k}, {channels} channels on {grid}")
        made += _plain(k, channels, grid, QUICK_SECONDS if quick else SECONDS)
    return made


def _factorised(k: int, channels: int, grid: tuple[int, ...], seconds: float) -> list[Row]:
    given = layer(k, channels, grid)
    case = f"k={k}, {channels} ch, {'x'.join(map(str, grid))}"
    with tempfile.TemporaryDirectory() as folder:
        calls, scratch = candidates(given, Path(folder))
        found = list(_timed(case, calls, seconds))
    times = {row.rival: row.measured or np.nan for row in found}
    note = f"{_numbers(given):,} for {given.dense.size + channels:,} numbers; scratch {scratch / 1024:.0f} KB"
    for key in (C99, ORT):
        if key in times:
            target = FASTER[k] if key == C99 else None
            found.append(Row(f"{case}, {DENSE} / {key}", OURS, "x", times[DENSE] / times[key], target, ">=", note=note))
            least = min(times[CHAIN], times[PICTURES])
            found.append(Row(f"{case}, the better chain / {key}", OURS, "x", least / times[key], 1.0, ">="))
            note = ""
    return found


def layer(k: int, channels: int, grid: tuple[int, ...]) -> Layer:
    """Random factors of rank 2 S, sized so that outputs are about as large as inputs."""
    rng = np.random.default_rng(k + channels)
    rank = 2 * channels
    shapes = ((1, channels, *grid), (rank, channels), (rank, 3 * k), (channels, rank), (channels,))
    scales = (1.0, channels**-0.5, k**-0.5, rank**-0.5, 1.0)
    arrays = [(rng.standard_normal(s) * scale).astype(np.float32) for s, scale in zip(shapes, scales, strict=True)]
    return Layer(k, *arrays)


def _numbers(given: Layer) -> int:
    return given.read.size + given.filters.size + given.write.size + given.bias.size


def candidates(given: Layer, folder: Path) -> tuple[dict[str, Call], int]:
    """Every way to compute y, each checked against the reference; and the scratch of our C in bytes."""
    x = given.x
    op = _model(*_op(given), x.shape)
    ours, scratch = generated(op, x, x.shape, folder)
    made = {
        C99: ours,
        PICTURES: _session(_model(*_pictures(given), x.shape), x),
        CHAIN: _session(_model(*_chain(given), x.shape), x),
        DENSE: _session(_model(*_dense(given.k, given.dense, given.bias), x.shape), x),
    }
    if native.library() is not None:
        made[ORT] = _session(op, x, library=True)
    factors = (v.astype(np.float64) for v in (x, given.read, given.filters, given.write, given.bias))
    (exact,) = Room("factorized_conv").run([*factors], _attributes(given))
    for key, call in made.items():
        error = float(np.linalg.norm(call() - exact) / np.linalg.norm(exact))
        if not error < 1e-5:
            raise AssertionError(f"{key}: relative error {error:.2g}")
    return made, scratch


def _timed(case: str, calls: Mapping[str, Call], seconds: float) -> Iterator[Row]:
    """A row of milliseconds per call for each."""
    times = {}
    for key, call in calls.items():
        took = []
        for _ in range(3):
            start = time.thread_time()
            call()
            took.append(time.thread_time() - start)
        times[key] = int(np.clip(IN_A_ROW / max(min(took), 1e-7), 1, 300))
    found = measure({key: _repeated(calls[key], count) for key, count in times.items()}, seconds, CLOCK)
    for key, count in times.items():
        low, middle, high = (found[key].quantile(q) / count / 1e3 for q in (0.25, 0.5, 0.75))
        yield Row(case, key, "ms", middle, spread=(low, high))


def _repeated(call: Call, count: int) -> Callable[[], object]:
    def run() -> None:
        for _ in range(count):
            call()

    return run


def _attributes(given: Layer) -> dict[str, object]:
    k = given.k
    sizes = {"kernel_shape": [k] * 3, "strides": [1] * 3, "pads": [k // 2] * 6, "dilations": [1] * 3}
    return {**sizes, "rank": len(given.read)}


def _op(given: Layer) -> tuple[list[onnx.NodeProto], Constants]:
    names = ("read", "filters", "write", "bias")
    node = helper.make_node("factorized_conv", ["x", *names], ["y"], domain="edgepde", **_attributes(given))
    return [node], {name: getattr(given, name) for name in names}


def _chain(given: Layer) -> tuple[list[onnx.NodeProto], Constants]:
    r, k, ones = len(given.read), given.k, (1, 1, 1)
    constants: Constants = {"r": given.read.reshape(*given.read.shape, *ones), "b": given.bias}
    constants["w"] = given.write.reshape(*given.write.shape, *ones)
    nodes, last = [helper.make_node("Conv", ["x", "r"], ["z3"])], "z3"
    for axis in (2, 1, 0):
        shape = [k if a == axis else 1 for a in range(3)]
        constants[f"f{axis}"] = given.parts[axis].reshape(r, 1, *shape)
        pads = [n // 2 for n in shape] * 2
        nodes.append(helper.make_node("Conv", [last, f"f{axis}"], [f"z{axis}"], group=r, pads=pads))
        last = f"z{axis}"
    return [*nodes, helper.make_node("Conv", [last, "w", "b"], ["y"])], constants


def _pictures(given: Layer) -> tuple[list[onnx.NodeProto], Constants]:
    """The filter along the last axis on [z y, x], the others on [z, y x]: along y a step is as many as there are x."""
    r, k, half = len(given.read), given.k, given.k // 2
    z, y, x = given.x.shape[2:]
    shapes = {"rows": (z * y, x), "planes": (z, y * x), "space": (z, y, x)}
    constants: Constants = {name: np.array([0, 0, *shape], np.int64) for name, shape in shapes.items()}
    constants |= {"r": given.read[..., None, None], "w": given.write[..., None, None], "b": given.bias}
    views = ((r, 1, k, 1), (r, 1, 1, k), (r, 1, 1, k))
    constants |= {f"f{a}": part.reshape(view) for a, (part, view) in enumerate(zip(given.parts, views, strict=True))}
    conv = lambda i, o, **more: helper.make_node("Conv", i, [o], **more)  # noqa: E731
    nodes = [
        helper.make_node("Reshape", ["x", "rows"], ["a"]),
        conv(["a", "r"], "c"),
        conv(["c", "f2"], "d", group=r, pads=[0, half, 0, half]),
        helper.make_node("Reshape", ["d", "planes"], ["e"]),
        conv(["e", "f1"], "f", group=r, dilations=[1, x], pads=[0, x * half, 0, x * half]),
        conv(["f", "f0"], "g", group=r, pads=[half, 0, half, 0]),
        conv(["g", "w", "b"], "h"),
        helper.make_node("Reshape", ["h", "space"], ["y"]),
    ]
    return nodes, constants


def _dense(k: int, weight: Array, bias: Array) -> tuple[list[onnx.NodeProto], Constants]:
    pads = [k // 2] * 2 * (weight.ndim - 2)
    return [helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=pads)], {"w": weight, "b": bias}


def _plain(k: int, channels: int, grid: tuple[int, ...], seconds: float) -> list[Row]:
    """A convolution as our C and in ONNX Runtime."""
    rng = np.random.default_rng(k)
    x = rng.standard_normal((1, channels, *grid)).astype(np.float32)
    weight = rng.standard_normal((channels, channels, *[k] * len(grid))).astype(np.float32)
    model = _model(*_dense(k, weight, np.ones(channels, np.float32)), x.shape)
    case = f"plain k={k}, {channels} ch, {'x'.join(map(str, grid))}"
    with tempfile.TemporaryDirectory() as folder:
        ours, scratch = generated(model, x, x.shape, Path(folder))
        found = list(_timed(case, {C99: ours, DENSE: _session(model, x)}, seconds))
    share = (found[0].measured or np.nan) / (found[1].measured or np.nan)
    return [*found, Row(f"{case}, ours / {DENSE}", OURS, "x", share, WITHIN, note=f"scratch {scratch / 1024:.0f} KB")]


def _model(nodes: list[onnx.NodeProto], constants: Constants, shape: tuple[int, ...]) -> bytes:
    """A graph from x to y of one shape, rows left open."""
    given, made = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["B", *shape[1:]]) for n in "xy")
    held = [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "layer", [given], [made], held)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("edgepde", 1)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())


def _session(model: bytes, x: Array, *, library: bool = False) -> Call:
    """A graph whose output has the shape of x."""
    return bound(model, x, x.shape, library=native.library() if library else None)
