"""Nets of weights that are the same with every version of numpy: the bits of a generator, scaled exactly."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from edgepde_export.c99.rules import _elementwise, modules
from edgepde_runtime.certificate import Certificate, OutputCertificate
from edgepde_runtime.manifest import Column, InputSpec, Manifest, OutputSpec
from edgepde_runtime.onnxfile import model_hash
from edgepde_runtime.rooms import rooms
from numpy.typing import DTypeLike, NDArray
from support import bundles, onnx_writer

Parts = tuple[bytes, Manifest, Certificate]


def weights(shape: Sequence[int], seed: int, dtype: DTypeLike, reach: float) -> NDArray[np.floating]:
    """Numbers of 24 bits, even in -reach .. reach; reach is a power of two."""
    raw = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return ((raw >> np.uint64(40)).astype(np.float64) * (2.0**-23 * reach) - reach).astype(dtype).reshape(shape)


def mlp_layers(dtype: str, columns: int, wide: int, deep: int) -> list[tuple[NDArray[np.floating], ...]]:
    """Matrix and bias of every layer."""
    shapes = enumerate(pairwise([columns, *[wide] * deep, 1]))
    return [
        (weights(shape, 2 * i, dtype, 1.0 if i == 0 else 0.25), weights(shape[1:], 2 * i + 1, dtype, 0.5))
        for i, shape in shapes
    ]


def mlp(name: str, dtype: str, columns: int, wide: int, deep: int) -> Parts:
    """columns - wide x deep - 1 with tanh between the layers, inputs in -1 .. 1."""
    w = onnx_writer
    layers = mlp_layers(dtype, columns, wide, deep)
    nodes, tensors, last = [], {}, "x"
    for i, (matrix, bias) in enumerate(layers):
        tensors |= {f"w{i}": matrix, f"b{i}": bias}
        end = i == len(layers) - 1
        nodes.append(w.node("Gemm", [last, f"w{i}", f"b{i}"], ["u" if end else f"z{i}"]))
        nodes += [] if end else [w.node("Tanh", [f"z{i}"], [f"h{i}"])]
        last = f"h{i}"
    return packed(name, nodes, tensors, dtype, columns, 1)


def packed(
    name: str, nodes: Sequence[bytes], tensors: dict[str, NDArray[np.generic]], dtype: str, columns: int, outputs: int
) -> Parts:
    """A model x [M, columns] -> u [M, outputs] on the box -1 .. 1."""
    w = onnx_writer
    given, result = w.value_info("x", dtype, ["M", columns]), w.value_info("u", dtype, ["M", outputs])
    data = w.model(w.graph(nodes, [given], [result], tensors))
    inputs = (InputSpec("x", dtype, ("M", columns), tuple(Column(f"x{i}", "", -1.0, 1.0) for i in range(columns))),)
    made = Manifest(1, name, model_hash(data), {}, {}, inputs, (OutputSpec("u", dtype, ("M", outputs), ""),))
    entry = OutputCertificate.from_terms("u", "", bundles.terms())
    return data, made, bundles.certificate(inputs, made.model_hash, [entry], ("c99",))


def mlp_f32() -> Parts:
    """The PINN the speed is measured with."""
    return mlp("mlp_f32", "float32", 3, 64, 4)


def mlp_reference(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """`mlp_f32` in float64."""
    *inner, (matrix, bias) = [[a.astype(np.float64) for a in layer] for layer in mlp_layers("float32", 3, 64, 4)]
    y = x.astype(np.float64)
    for w, b in inner:
        y = np.tanh(y @ w + b)
    return y @ matrix + bias


def mlp_f64() -> Parts:
    """A small one in double."""
    return mlp("mlp_f64", "float64", 2, 20, 4)


WIDTHS = (3, 37, 21, 5)


def stored_layers(bits: int) -> list[tuple[NDArray[np.generic], NDArray[np.float32] | None, NDArray[np.floating]]]:
    """Of every layer the matrix as halves (some below 2^-14) or bytes, the scale of bytes per column, the bias."""
    found: list[tuple[NDArray[np.generic], NDArray[np.float32] | None, NDArray[np.floating]]] = []
    for i, shape in enumerate(pairwise(WIDTHS)):
        matrix, bias = weights(shape, 20 + 3 * i, "float64", 0.5), weights(shape[1:], 21 + 3 * i, "float32", 0.5)
        if bits == 16:
            matrix[:, ::4] *= 2.0**-13
            found.append((matrix.astype(np.float16), None, bias))
        else:
            scale = np.abs(weights((1, shape[1]), 22 + 3 * i, "float32", 2.0**-7)) + np.float32(2.0**-9)
            found.append((np.rint(matrix * 254).astype(np.int8), scale.astype(np.float32), bias))
    return found


def stored(name: str, bits: int, *, plain: bool = False) -> Parts:
    """x - 37 - 21 - 5 with tanh, weights stored in so many bits; plain: as the float32 numbers that they mean."""
    w = onnx_writer
    nodes: list[bytes] = []
    tensors: dict[str, NDArray[np.generic]] = {}
    last = "x"
    layers = stored_layers(bits)
    for i, (matrix, scale, bias) in enumerate(layers):
        meant = matrix.astype(np.float32) * (np.float32(1) if scale is None else scale)
        tensors |= {f"b{i}": bias, f"q{i}": meant if plain else matrix}
        weight = f"q{i}"
        if not plain:
            nodes.append(w.node("Cast", [weight], [f"c{i}"], {"to": 1}))
            weight = f"c{i}"
            if scale is not None:
                tensors[f"s{i}"] = scale
                nodes.append(w.node("Mul", [weight, f"s{i}"], [f"w{i}"]))
                weight = f"w{i}"
        end = i == len(layers) - 1
        nodes.append(w.node("Gemm", [last, weight, f"b{i}"], ["u" if end else f"z{i}"]))
        nodes += [] if end else [w.node("Tanh", [f"z{i}"], [f"h{i}"])]
        last = f"h{i}"
    return packed(name, nodes, tensors, "float32", WIDTHS[0], WIDTHS[-1])


def mlp_f16w() -> Parts:
    """Weights as halves."""
    return stored("mlp_f16w", 16)


def mlp_i8w() -> Parts:
    """Weights as bytes with a scale per output."""
    return stored("mlp_i8w", 8)


# What is not a number below 0 stays one here, but for a row outside the box.
SHIFTED = {"Log": 1.25, "Sqrt": 1.25}
OPERANDS = 8


def elementwise() -> list[tuple[str, int]]:
    """Every op whose kernel the C target calls element by element without a rule of its own; how many operands."""
    found = [room for room in rooms().values() if _elementwise.applies(room) and room.folder not in modules()]
    return [(room.op.name, len(room.op.inputs) + room.op.inputs[-1].variadic) for room in found]


def activations() -> Parts:
    """u = every elementwise op on (x W + b, x), then sums of all of them; outside the box some have no logarithm."""
    w = onnx_writer
    wide = OPERANDS
    tensors: dict[str, NDArray[np.generic]] = {
        "w": weights((3, wide - 3), 1, "float32", 2.0),
        "b": weights((wide - 3,), 2, "float32", 0.5),
        "other": weights((wide,), 3, "float32", 1.0),
        "third": np.array(0.75, np.float32),
        "four": np.array(4.0, np.float32),
        "low": np.array(-0.5, np.float32),
        "high": np.array(0.625, np.float32),
        **{f"shift_{name}": np.array(value, np.float32) for name, value in SHIFTED.items()},
    }
    nodes = [w.node("Gemm", ["x", "w", "b"], ["z"]), w.node("Concat", ["x", "z"], ["h"], {"axis": 1})]
    made: list[str] = []

    def add(op: str, operands: Sequence[str], attributes: dict[str, str] | None = None) -> None:
        made.append(f"y{len(made)}")
        nodes.append(w.node(op, operands, [made[-1]], attributes))

    for name, count in elementwise():
        operand = "h"
        if name in SHIFTED:
            operand = f"shifted_{name}"
            nodes.append(w.node("Add", ["h", f"shift_{name}"], [operand]))
        add(name, [operand, "other", "third"][:count])
    add("Gelu", ["h"], {"approximate": "none"})
    add("Gelu", ["h"], {"approximate": "tanh"})
    add("Pow", ["h", "four"])
    add("Clip", ["h", "low", "high"])
    nodes.append(w.node("Greater", ["h", "other"], ["more"]))
    add("Where", ["more", "h", made[0]])
    width = wide * len(made)
    tensors["last"] = weights((width, 5), 4, "float32", 0.125)
    nodes.append(w.node("Concat", made, ["all"], {"axis": 1}))
    nodes.append(w.node("MatMul", ["all", "last"], ["sums"]))
    nodes.append(w.node("Concat", ["all", "sums"], ["u"], {"axis": 1}))
    return packed("activations", nodes, tensors, "float32", 3, width + 5)
