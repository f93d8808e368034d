"""Weights stored in fewer bits than the arithmetic has: half precision, or a byte per weight and a scale per row.

Only matrices are stored so: the right factor of Gemm and MatMul, K N numbers for K + N of input and output; and as
halves alone, staying as they are where bytes are asked for, kernels of convolutions, the factors of layers in blocks
and of factorised convolutions, and bases. Biases, scales and other constants keep the graph's type: they are few, and
their error would enter undivided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from edgepde_runtime.errors import InputError, UnsupportedModel
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from .bytes_per_row import nearest
from .clean import clean
from .simplify import Log, to_stderr

PRECISIONS = ("f32", "f16w", "i8w")
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
_LAYERS, _CONVOLUTIONS = ("Gemm", "MatMul"), ("Conv", "ConvTranspose")
# Inputs of our ops that may be halves as they are.
_FACTORS = {
    ("edgepde", "basis_readout"): (1,),
    ("edgepde", "block_low_rank_apply"): (2, 5),
    ("edgepde", "factorized_conv"): (1, 2, 3),
}
# Below it a half has fewer than 11 bits.
_LEAST_NORMAL = 2.0**-14


def check(precision: str) -> None:
    """Raises InputError for a precision nobody knows."""
    if precision not in PRECISIONS:
        raise InputError(f"--precision expected {', '.join(PRECISIONS)}, got {precision!r}")


def store(model: onnx.ModelProto, precision: str, log: Log = to_stderr) -> onnx.ModelProto:
    """The graph, cleaned, with w = Cast(half) or w = Cast(byte) scale for weight matrices; "f32" is the graph as is.

    The arithmetic stays in the graph's own type, float32 or float64; run it after simplification, which would fold the
    nodes it adds. Half: the nearest, ties to even. Byte: the scale of a row (an output neuron) with the smallest worst
    error. `log` hears what was stored and how far the numbers moved.
    Raises InputError for an unknown precision; UnsupportedModel naming the weight that has no half or is not finite, or
    where there is no weight matrix.
    """
    check(precision)
    if precision == "f32":
        return model
    out = onnx.ModelProto()
    out.CopyFrom(model)
    matrices = _matrices(out.graph, convolutions=precision == "f16w")
    factors = _factors(out.graph)
    if factors:
        _store_factors(factors, precision, log)
    if not matrices and factors:
        return clean(out)
    if not matrices:
        raise UnsupportedModel(f"--precision {precision}: expected a layer with a constant matrix, got none")
    taken = _names(out.graph)
    stored = [_stored(tensor, rows, precision, taken) for tensor, rows in matrices]
    names = {tensor.name for tensor, _ in matrices}
    kept = [tensor for tensor in out.graph.initializer if tensor.name not in names]
    nodes = [node for entry in stored for node in entry.nodes] + list(out.graph.node)
    del out.graph.initializer[:], out.graph.node[:]
    out.graph.initializer.extend([*kept, *(tensor for entry in stored for tensor in entry.tensors)])
    out.graph.node.extend(nodes)
    _tell(stored, precision, log)
    return clean(out)


def restored(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with what `store` left as constants of the graph's own type again: what a device computes with."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in out.graph.initializer}
    made: dict[str, NDArray[Any]] = {}
    left = []
    for node in out.graph.node:
        to = next((a.i for a in node.attribute if a.name == "to"), 0)
        if node.op_type == "Cast" and node.input[0] in known and to in _FLOATS:
            kind = helper.tensor_dtype_to_np_dtype(to)
            known[node.output[0]] = made[node.output[0]] = known[node.input[0]].astype(kind)
        elif node.op_type == "Mul" and node.input[0] in made and node.input[1] in known:
            known[node.output[0]] = made[node.output[0]] = made[node.input[0]] * known[node.input[1]]
        else:
            left.append(node)
    del out.graph.node[:]
    out.graph.node.extend(left)
    out.graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in made.items())
    return clean(out)


@dataclass(frozen=True)
class _Stored:
    """A weight matrix in its new form: what the graph gets, bytes before and after, how far the numbers moved."""

    tensors: tuple[onnx.TensorProto, ...]
    nodes: tuple[onnx.NodeProto, ...]
    bytes: tuple[int, int]
    moved: float
    coarse: int


def _matrices(graph: onnx.GraphProto, *, convolutions: bool) -> list[tuple[onnx.TensorProto, int]]:
    """Constant right factors of layers with the axis of their rows (output neurons), in order of first use."""
    tensors = {t.name: t for t in graph.initializer if t.data_type in _FLOATS and all(t.dims)}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or len(node.input) < 2 or node.input[1] not in tensors:
            continue
        if convolutions and node.op_type in _CONVOLUTIONS:
            found.setdefault(node.input[1], 0)
        if node.op_type in _LAYERS and len(tensors[node.input[1]].dims) == 2:
            turned = any(a.name == "transB" and a.i for a in node.attribute)
            found.setdefault(node.input[1], 0 if turned else 1)
    return [(tensors[name], axis) for name, axis in found.items()]


def _factors(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """Factors and bases of our ops, which may be halves; in order of first use."""
    held = {t.name: t for t in graph.initializer}
    nodes = ((node, _FACTORS.get((node.domain, node.op_type), ())) for node in graph.node)
    names = dict.fromkeys(node.input[i] for node, places in nodes for i in places if node.input[i] in held)
    return [held[name] for name in names]


def _store_factors(factors: list[onnx.TensorProto], precision: str, log: Log) -> None:
    """As halves in place; a byte per number has no meaning to the op, which keeps what it has."""
    wide = [t for t in factors if t.data_type in _FLOATS]
    count, kept = len(factors), len(factors) - len(wide)
    if precision != "f16w":
        log(f"precision {precision}: {count} factors of layers in blocks stay as they are, {kept} of them halves")
        return
    moved = 0.0
    for tensor in wide:
        values = numpy_helper.to_array(tensor)
        stored = halves(values, tensor.name)
        moved = max(moved, float(np.abs(stored.astype(np.float64) - values).max(initial=0.0)))
        tensor.CopyFrom(numpy_helper.from_array(stored, tensor.name))
    what = f"{len(wide)} factors of layers in blocks as halves, {kept} were"
    log(f"precision f16w: {what}, no number moved by more than {moved:.3g}")


def _names(graph: onnx.GraphProto) -> set[str]:
    named = {name for node in graph.node for name in (*node.input, *node.output)}
    return named | {value.name for value in (*graph.initializer, *graph.input, *graph.output)}


def _fresh(stem: str, taken: set[str]) -> str:
    name, k = stem, 0
    while name in taken:
        name, k = f"{stem}{k}", k + 1
    taken.add(name)
    return name


def _stored(tensor: onnx.TensorProto, rows: int, precision: str, taken: set[str]) -> _Stored:
    weights = numpy_helper.to_array(tensor)
    if not np.isfinite(weights).all():
        raise UnsupportedModel(f"weight {tensor.name}: expected finite numbers, got NaN or infinity")
    half = precision == "f16w"
    number = _fresh(f"{tensor.name}.{'half' if half else 'byte'}", taken)
    wide = tensor.name if half else _fresh(f"{tensor.name}.wide", taken)
    cast = helper.make_node("Cast", [number], [wide], to=tensor.data_type)
    parts: dict[str, NDArray[Any]] = {}
    nodes = [cast]
    if half:
        parts[number] = halves(weights, tensor.name)
        meant = parts[number].astype(weights.dtype)
    else:
        scale = _fresh(f"{tensor.name}.scale", taken)
        parts[number], parts[scale] = nearest(weights, rows)
        nodes.append(helper.make_node("Mul", [wide, scale], [tensor.name]))
        meant = parts[number].astype(weights.dtype) * parts[scale]
    tensors = tuple(numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in parts.items())
    size = sum(np.asarray(v).nbytes for v in parts.values())
    moved = float(np.abs(meant.astype(np.float64) - weights).max(initial=0.0))
    coarse = int(((np.abs(weights) < _LEAST_NORMAL) & (meant != weights)).sum()) if half else 0
    return _Stored(tensors, tuple(nodes), (weights.nbytes, size), moved, coarse)


def halves(weights: NDArray[np.floating], name: str) -> NDArray[np.float16]:
    """The nearest numbers of half precision; UnsupportedModel naming the weight where one is too large to have one."""
    with np.errstate(over="ignore", under="ignore"):
        found: NDArray[np.float16] = weights.astype(np.float16)
    if not np.isfinite(found).all():
        worst = float(np.abs(weights).max())
        raise UnsupportedModel(
            f"weight {name}: expected numbers below 65520 in size, where halves end, got {worst:.6g}; "
            "take --precision i8w or f32"
        )
    return found


def _tell(stored: list[_Stored], precision: str, log: Log) -> None:
    before, after = (sum(entry.bytes[i] for entry in stored) for i in (0, 1))
    moved = max(entry.moved for entry in stored)
    head = f"precision {precision}: "
    log(f"{head}{len(stored)} matrices, {before} -> {after} bytes, no weight moved by more than {moved:.3g}")
    if coarse := sum(entry.coarse for entry in stored):
        log(f"{head}{coarse} weights below 2^-14 in size have fewer bits than other halves, or became 0")
