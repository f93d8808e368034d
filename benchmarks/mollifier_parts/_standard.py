"""u_x, u_xx, u_xxxx and the Laplacian of a field as graphs of standard nodes, the ways somebody would write them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from edgepde_export.lowering.custom_ops import append_bodies
from edgepde_runtime.ops.mollified_derivative.reference import matrix, run
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from edgepde.mollifier.bank import Bank, bank
from edgepde.mollifier.grid import Grid

NAMES = ("u_x", "u_xx", "u_xxxx", "laplacian")
Array = NDArray[np.float32]
Held = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Graph:
    """A model of one input x [B, 1, n, n], the shapes of its outputs for B = 1, all derivatives in their order in them.

    everywhere: whether the ends of lines are right too; a convolution has zeros around the field.
    """

    model: bytes
    shapes: dict[str, tuple[int, ...]]
    everywhere: bool


def kernels(n: int, half: int) -> Bank:
    """Windows of 2 half + 1 points on [0, 1]^2, degree as it is chosen for them."""
    line = np.linspace(0.0, 1.0, n)
    return bank(Grid.of(y=line, x=line), NAMES, half=half)


def magnitude(made: Bank, x: Array) -> NDArray[np.float64]:
    """The sum of the sizes of all terms of every derivative [4, n, n]."""
    absolute = [np.abs(v).astype(np.float64) for v in (x, *made.taps, made.combine)]
    return np.asarray(run([*absolute[:4], made.orders, absolute[4]], {})[0][0, :, 0])


def graphs(n: int, half: int) -> tuple[Graph, dict[str, Graph]]:
    """Our op; standard nodes by what they are."""
    made = kernels(n, half)
    along = {name: made.orders[np.flatnonzero(made.combine[o])] for o, name in enumerate(NAMES)}
    x = [made.taps[2][along[name][0][2]] for name in NAMES[:3]]
    (across,) = (order[1] for order in along["laplacian"] if order[1] >= 0)
    lines = np.stack([taps[half] for taps in x]).astype(np.float32)
    column = made.taps[1][across][half].astype(np.float32)
    dense = [matrix(n, taps).astype(np.float32) for taps in (*x, made.taps[1][across])]
    return _ours(made, n), {
        "separate Conv nodes": _separate(lines, column, n, half),
        "Conv of three channels": _joined(lines, column, n, half),
        "one Conv of K x K": _whole(lines, column, n, half),
        "dense MatMul nodes": _matrices(dense, n),
        "one dense MatMul per axis": _beside(dense, n),
    }


def derivatives(made: dict[str, Array]) -> Array:
    """What a graph made as [4, n, n], by its outputs' names: y, and y3 where the Laplacian is apart."""
    n = next(iter(made.values())).shape[-2]
    if "y3" not in made:
        return made["y"].reshape(4, n, n)
    if "y" not in made:
        return np.concatenate([made[f"y{i}"][0] for i in range(4)])
    y = made["y"][0, 0].reshape(n, 3, n).swapaxes(0, 1) if made["y"].shape[1] == 1 else made["y"][0]
    return np.concatenate([y, made["y3"][0]])


def _ours(made: Bank, n: int) -> Graph:
    held: Held = {f"taps_{a + 1}": taps.astype(np.float32) for a, taps in enumerate(made.taps)}
    held |= {"orders": made.orders, "combine": made.combine.astype(np.float32)}
    nodes = [helper.make_node("mollified_derivative", ["x", *held], ["y"], domain="edgepde")]
    return Graph(_model(nodes, held, {"y": (1, len(NAMES), 1, n, n)}, n), {"y": (1, len(NAMES), 1, n, n)}, True)


def _separate(lines: Array, column: Array, n: int, half: int) -> Graph:
    held: Held = {f"w{i}": line.reshape(1, 1, 1, -1) for i, line in enumerate(lines)}
    nodes = [_conv(f"w{i}", f"y{i}", (0, half)) for i in range(len(lines))]
    held["v"] = column.reshape(1, 1, -1, 1)
    nodes += [_conv("v", "z", (half, 0)), helper.make_node("Add", ["y1", "z"], ["y3"])]
    return _graph(nodes, held, {f"y{i}": (1, 1, n, n) for i in range(4)}, n)


def _joined(lines: Array, column: Array, n: int, half: int) -> Graph:
    held: Held = {"w": lines.reshape(3, 1, 1, -1), "v": column.reshape(1, 1, -1, 1), **_part(1, 2, 1)}
    nodes = [
        _conv("w", "y", (0, half)),
        _conv("v", "z", (half, 0)),
        helper.make_node("Slice", ["y", "begin", "end", "axis"], ["second"]),
        helper.make_node("Add", ["second", "z"], ["y3"]),
    ]
    return _graph(nodes, held, {"y": (1, 3, n, n), "y3": (1, 1, n, n)}, n)


def _whole(lines: Array, column: Array, n: int, half: int) -> Graph:
    kernel = np.zeros((4, 1, 2 * half + 1, 2 * half + 1), np.float32)
    kernel[:3, 0, half] = lines
    kernel[3, 0, half] = lines[1]
    kernel[3, 0, :, half] += column
    return _graph([_conv("w", "y", (half, half))], {"w": kernel}, {"y": (1, 4, n, n)}, n)


def _matrices(dense: list[Array], n: int) -> Graph:
    held: Held = {f"m{i}": np.ascontiguousarray(m.T) for i, m in enumerate(dense[:3])}
    nodes = [helper.make_node("MatMul", ["x", f"m{i}"], [f"y{i}"]) for i in range(3)]
    held["v"] = dense[3]
    nodes += [helper.make_node("MatMul", ["v", "x"], ["z"]), helper.make_node("Add", ["y1", "z"], ["y3"])]
    return _graph(nodes, held, {f"y{i}": (1, 1, n, n) for i in range(4)}, n, everywhere=True)


def _beside(dense: list[Array], n: int) -> Graph:
    """Rows of y are the three derivatives one after the other."""
    held: Held = {"w": np.concatenate([m.T for m in dense[:3]], axis=1), "v": dense[3]}
    held |= _part(n, 2 * n, 3)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("MatMul", ["v", "x"], ["z"]),
        helper.make_node("Slice", ["y", "begin", "end", "axis"], ["second"]),
        helper.make_node("Add", ["second", "z"], ["y3"]),
    ]
    return _graph(nodes, held, {"y": (1, 1, n, 3 * n), "y3": (1, 1, n, n)}, n, everywhere=True)


def _part(begin: int, end: int, axis: int) -> Held:
    return {"begin": np.array([begin]), "end": np.array([end]), "axis": np.array([axis])}


def _conv(weight: str, made: str, pads: tuple[int, int]) -> NodeProto:
    return helper.make_node("Conv", ["x", weight], [made], pads=[*pads, *pads])


def _graph(
    nodes: list[NodeProto], held: Held, shapes: dict[str, tuple[int, ...]], n: int, *, everywhere: bool = False
) -> Graph:
    return Graph(_model(nodes, held, shapes, n), shapes, everywhere)


def _model(nodes: list[NodeProto], held: Held, shapes: dict[str, tuple[int, ...]], n: int) -> bytes:
    number = onnx.TensorProto.FLOAT
    outputs = [helper.make_tensor_value_info(name, number, ["B", *shape[1:]]) for name, shape in shapes.items()]
    given = [helper.make_tensor_value_info("x", number, ["B", 1, n, n])]
    stored = [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in held.items()]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("edgepde", 1)]
    graph = helper.make_graph(nodes, "derivatives", given, outputs, stored)
    made = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    append_bodies(made)
    return bytes(made.SerializeToString())
